"""What a comparison gets by the size of its table, and within its time."""

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from offby.cli.comparing import with_note_on_epochs
from offby.cli.effort import effort_of
from offby.comparison.budget import Budget, Refit, seconds_of_refit
from offby.comparison.config import REFERENCES, CompareConfig
from offby.comparison.fits import Fit
from offby.comparison.methods.references import BASELINES
from offby.results import Training
from tests.report_data import comparison

NOTHING = {"quick": False, "full": False} | dict.fromkeys(
    ("folds", "seeds", "sample", "noise", "losses")
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
    ({"quick": True}, 50_000, 40, (2, 1), 2_000),
    ({"quick": True}, 50_000, 74, (2, 1), 1_400),
    ({"quick": True}, 50_000, 900, (2, 1), 1_000),
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
    repeats, slow = effort_of(NOTHING, 50_000, 10).notes
    assert "emd1 takes about as long" in slow
    assert "network with 19 quantiles" in slow
    assert "gets 3 folds and 1 seed, because" in repeats
    assert "--folds 5 --seeds 3 asks for" in repeats
    assert "--seeds 3 asks" in effort_of(NOTHING | {"folds": 9}, 50_000, 10).notes[0]
    all_asked = {"folds": 2, "seeds": 1, "losses": "ce,emd1"}
    assert not effort_of(NOTHING | all_asked, 50_000, 10).notes
    rows, *_ = effort_of(NOTHING | {"quick": True}, 50_000, 10).notes
    assert "--quick judges on 2,000 rows" in rows
    assert "--sample N" in rows


def test_a_large_table_does_without_what_takes_longest():
    def of(rows, columns, **asked) -> Any:
        return effort_of(NOTHING | asked, rows, columns)

    every = CompareConfig.losses
    fewer = tuple(loss for loss in every if loss != "emd1")
    assert of(600, 9).losses == of(600, 9, quick=True).losses == every
    assert of(4_000, 10).losses == of(50_000, 10, full=True).losses == every
    assert of(50_000, 10).losses == of(2_000, 10, quick=True).losses == fewer
    assert "pinball" not in of(50_000, 10).references
    assert of(50_000, 10, full=True).references is True
    assert "boosting" in of(50_000, 40, quick=True).references
    assert "boosting" in of(50_000, 74).references
    assert "boosting" in of(600, 74, quick=True).references
    wide = of(1_400, 74, quick=True)
    assert "boosting" not in wide.references
    assert "gradient boosting takes as long" in wide.notes[-1]


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


def test_a_round_begins_if_its_fits_would_end_in_time():
    took = {("ce", 0, 0): 300.0, ("ce", 1, 0): 500.0, ("emd2", 0, 0): 1000.0}
    fits = {at: Fit(0, 0, "probs", np.ones((1, 1)), s) for at, s in took.items()}
    # A fit takes the mean of its method, 400 s; one of a new method that of all, 600 s.
    jobs: Any = [SimpleNamespace(method=method) for method in ("ce", "ce", "new")]
    for seconds, n_jobs, enough in (
        (1350, 1, False),
        (1450, 1, True),
        (650, 2, False),
        (750, 2, True),
    ):
        budget = Budget(seconds, time.perf_counter(), n_jobs)
        assert budget.allows(jobs, fits) == enough
    assert not Budget(1450, time.perf_counter() - 100, 1).allows(jobs, fits)
    assert Budget(None, 0.0, 1).allows(jobs, fits)
    unknown = Budget(200, time.perf_counter(), 1)
    assert unknown.allows(100 * jobs, {}), "nothing is known yet"


def test_a_model_on_all_rows_takes_a_few_more_than_in_a_fold():
    assert seconds_of_refit(4.0, 400, 5) == pytest.approx(5 * 4.0 * 5 / 4)
    assert seconds_of_refit(4.0, 400, 2) == pytest.approx(5 * 4.0 * 2)
    assert seconds_of_refit(4.0, 400, 1) == pytest.approx(5 * 4.0)
    # An unknown method takes no time; a loss has its network and its trees.
    assert Refit(("ce",), 400, 5).seconds({"emd2": 9.0}) == 0
    both = {"ce": 3.0, "boosted ce": 2.0, "emd2": 9.0}
    assert Refit(("ce",), 400, 5).seconds(both) == seconds_of_refit(5.0, 400, 5)


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
