"""What a comparison gets by the size of its table, and within its time."""

import time
from dataclasses import replace

import numpy as np
import pytest

from offby.cli.comparing import with_note_on_epochs
from offby.cli.effort import effort_of
from offby.comparison.budget import Budget, Refit
from offby.comparison.config import REFERENCES, CompareConfig
from offby.comparison.fits import Fit
from offby.comparison.methods.references import BASELINES
from offby.results import Training
from tests.report_data import comparison

NOTHING = {"quick": False, "full": False} | dict.fromkeys(
    ("folds", "seeds", "sample", "noise")
)
SIZES = [
    ({}, 600, 10, (5, 3), None),
    ({}, 4_000, 10, (5, 1), None),
    ({}, 50_000, 10, (3, 1), None),
    ({"full": True}, 50_000, 10, (10, 5), None),
    ({"quick": True}, 600, 10, (3, 1), None),
    ({"quick": True}, 1_600, 10, (3, 1), None),
    ({"quick": True}, 1_600, 60, (2, 1), None),
    ({"quick": True}, 2_000, 10, (2, 1), None),
    ({"quick": True}, 50_000, 10, (2, 1), 2_000),
    ({"quick": True}, 50_000, 900, (2, 1), 2_000),
    ({"quick": True, "sample": 9_000}, 50_000, 10, (2, 1), 9_000),
    ({"folds": 4, "seeds": 2}, 50_000, 10, (4, 2), None),
]


@pytest.mark.parametrize(("asked", "rows", "columns", "repeats", "sample"), SIZES)
def test_large_tables_get_fewer_repeats(asked, rows, columns, repeats, sample):
    found = effort_of(NOTHING | asked, rows, columns)
    assert (found.folds, found.seeds, found.sample) == (*repeats, sample)
    assert found.noise == bool(asked.get("full"))
    assert found.max_iter == (120 if asked.get("quick") else None)


def test_what_was_left_out_is_said_with_the_way_to_ask_for_it():
    assert not effort_of(NOTHING, 600, 10).notes
    (repeats,) = effort_of(NOTHING, 50_000, 10).notes
    assert "gets 3 folds and 1 seed, because" in repeats
    assert "--folds 5 --seeds 3 asks for" in repeats
    assert "--seeds 3 asks" in effort_of(NOTHING | {"folds": 9}, 50_000, 10).notes[0]
    assert not effort_of(NOTHING | {"folds": 2, "seeds": 1}, 50_000, 10).notes
    rows, _ = effort_of(NOTHING | {"quick": True}, 50_000, 10).notes
    assert "--quick judges on 2,000 rows" in rows
    assert "--sample N" in rows


def test_every_baseline_is_a_reference_by_its_name():
    assert tuple(baseline.name for baseline in BASELINES) == REFERENCES
    assert CompareConfig().named_references == REFERENCES
    assert CompareConfig(references=["boosting"]).named_references == ("boosting",)
    with pytest.raises(
        ValueError, match=r"list of frequencies, linear, .* got \['x'\]"
    ):
        CompareConfig(references=["x"])
    quick = effort_of(NOTHING | {"quick": True}, 600, 9).references
    assert isinstance(quick, tuple)
    assert set(REFERENCES) - set(quick) == {"pinball"}


def test_a_budget_leaves_room_for_the_last_model():
    fits = {
        (loss, 0, 0): Fit(0, 0, "probs", np.ones((1, 1)), seconds)
        for loss, seconds in (("ce", 3.0), ("emd2", 5.0), ("boosted ce", 1.0))
    }
    again = Refit(("ce", "emd2"), 400, 5)
    each = {method: fit.seconds for (method, *_), fit in fits.items()}
    # Five bags of a network of 4 s and trees of 1 s, on a quarter more rows.
    assert again.seconds(each) == pytest.approx(5 * (4 + 1) * 5 / 4)
    for seconds, refit, enough in ((20, None, True), (20, again, False)):
        budget = Budget(seconds, time.perf_counter(), 1, refit)
        assert budget.allows([], fits) == enough


def test_losses_that_a_first_look_cut_short_are_named():
    def trained(method, n_epochs):
        return Training(method, 3.0, (0.5,) * (1 + n_epochs))

    made = comparison()
    made = replace(made, training=(trained("ce", 9), trained("emd1", 10)))
    said = with_note_on_epochs(made, 10).data.notes
    assert said[:-1] == made.data.notes
    assert "10 epochs at most; with more, emd1 might" in said[-1]
    assert with_note_on_epochs(made, 11) == made
    assert with_note_on_epochs(made, None) == made
