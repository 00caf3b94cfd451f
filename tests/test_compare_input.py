"""What `compare` refuses, what weights mean, and results that no picture may cost."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from offby import explain, report
from offby.comparison import Comparison, compare, diagnosis, diagnostics
from offby.comparison.config import CompareConfig
from offby.comparison.networks import Settings
from offby.comparison.scoring import NUMBER_METRICS
from offby.losses.registry import parse
from offby.results import Answer

TINY = Settings(max_iter=2, hidden_layer_sizes=(8,))


def run(y, X=None, **rules) -> Comparison:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(len(y), 2)) if X is None else X
    usual: Any = {"losses": ["ce", "emd2"], "folds": 2, "seeds": 1, "settings": TINY}
    return compare(X, y, **usual | {"references": False} | rules)


CODES = np.arange(200) % 3
NUMBERS = np.random.default_rng(1).normal(size=200)


@pytest.mark.parametrize(
    ("y", "rules", "says"),
    [
        (CODES, {"seeds": 0}, "seeds must be .* got 0"),
        (CODES, {"seeds": 1.5}, "seeds must be .* got 1.5"),
        (CODES, {"folds": 1}, "folds must be .* got 1"),
        (CODES, {"kind": "klasses"}, "kind must be .* got 'klasses'"),
        (CODES, {"stop_on": "loss"}, "stop_on must be .* got 'loss'"),
        (CODES, {"rope": -1}, "rope must be .* got -1"),
        (CODES, {"rope": np.nan}, "rope must be .* got nan"),
        (CODES, {"strategy": "median"}, "strategy must be .* got 'median'"),
        (CODES, {"positions": [0, 1]}, "each of 3 classes, got 2"),
        (CODES, {"positions": [0, 2, 1]}, "positions must be finite and increase"),
        (CODES, {"labels": ["a", "b"]}, "labels must have .* got 2"),
        (CODES, {"labels": ["a", "b", "a"]}, "different names"),
        (CODES, {"losses": "ce"}, "must be a list"),
        (CODES, {"unseen_groups": True}, "needs groups and time"),
        (CODES - 1, {}, "class codes .* got .*-1"),
        (NUMBERS, {"kind": "number", "bins": 1}, "bins must be .* got 1"),
        (NUMBERS, {"kind": "number", "bins": 9999}, "number of rows, 200, got 9999"),
        (NUMBERS * 1e300, {"kind": "number"}, "scores square it, got"),
        (NUMBERS * 0, {"kind": "number"}, "different numbers, got 0 in every row"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_sentence(y, rules, says):
    with pytest.raises((ValueError, TypeError), match=says):
        run(y, **rules)


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_rows_of_weight_0_change_no_bit(kind):
    y = NUMBERS if kind == "number" else CODES
    rng = np.random.default_rng(2)
    X, weights = rng.normal(size=(200, 2)), rng.uniform(0.5, 2, 200)
    more = np.full(20, 1e6 if kind == "number" else 7, dtype=y.dtype)
    rules = {"kind": kind, "references": True, "bins": 8}
    plain = run(y, X, weights=weights, **rules)
    longer = run(
        np.concatenate([y, more]),
        np.concatenate([X, np.full((20, 2), 1e6)]),
        weights=np.concatenate([weights, np.zeros(20)]),
        **rules,
    )
    assert plain.scores == longer.scores
    assert plain.data == longer.data


@pytest.mark.parametrize("part", ["pushes", "telling_rows", "calibration"])
def test_a_picture_that_fails_becomes_a_note(monkeypatch, part):
    def broken(*args):
        raise IndexError("by hand")

    whole = run(CODES)
    monkeypatch.setattr(diagnostics, part, broken)
    found = run(CODES)
    assert found.scores == whole.scores
    assert any("IndexError: by hand" in note for note in found.data.notes)
    assert Comparison.from_json(found.to_json()) == found


def test_a_fold_that_trains_on_one_number_is_refused_by_name():
    y = np.r_[np.zeros(40), np.arange(20.0)]
    with pytest.raises(ValueError, match="different targets, got 0 in all"):
        run(y, kind="number", bins=5, time=np.arange(60))


def test_noise_is_studied_where_no_loss_has_a_finite_score(monkeypatch):
    monkeypatch.setattr(
        diagnosis, "noise_share", lambda problem, fits, design, noise: len(fits)
    )
    problem = SimpleNamespace(folds=[], ground=None)
    named = [parse("ce"), parse("emd2")]
    of_none = SimpleNamespace(
        losses=named,
        perturbations=[],
        design=None,
        by_loss=lambda fits: {"ce": [], "emd2": []},
    )
    empty = Answer("crps", "", (), (), "No loss can be called best.")
    judgment = SimpleNamespace(metrics=NUMBER_METRICS, verdicts=(empty,))
    attempts = diagnosis._Attempts()
    rules: Any = (attempts, problem, CompareConfig(noise=True), of_none, judgment, {})
    _, share, _ = diagnosis._noise(*rules)
    assert share == 0
    assert not [note for note in attempts.notes if "KeyError" in note]


def test_the_default_number_of_bins_is_fine_on_a_small_table():
    few = NUMBERS[:30]
    found = compare(
        np.arange(30.0)[:, None],
        few,
        kind="number",
        losses=["ce"],
        folds=2,
        seeds=1,
        references=False,
        settings=Settings(max_iter=1, hidden_layer_sizes=(4,)),
    )
    assert found.data.n_rows == 30


HEAPED = st.one_of(
    st.tuples(st.just("counts"), st.floats(0.3, 20)),
    st.tuples(st.just("zeros"), st.floats(0.3, 0.9)),
    st.tuples(st.just("rounded"), st.sampled_from([5.0, 15.0, 60.0])),
    st.tuples(st.just("halves"), st.floats(1, 20)),
)


def heaped(kind: str, size: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    match kind:
        case "counts":
            y = rng.negative_binomial(1, 1 / (1 + size), 60)
        case "zeros":
            y = rng.exponential(5, 60) * (rng.random(60) > size)
        case "rounded":
            y = np.round(rng.exponential(60, 60) / size) * size
        case _:
            y = np.round(2 * rng.normal(30, size, 60)) / 2
    y = y.astype(float)
    y[:2], y[30:32] = (0, 1), (0, 1)
    return y


# Without the phase "explain": it traces every line of every fit.
@pytest.mark.slow
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)
@given(HEAPED, st.integers(0, 99), st.sampled_from([3, 10, 50]), st.booleans())
def test_heaped_targets_come_through_to_report_and_explainer(of, seed, bins, by_time):
    y = heaped(of[0], of[1], seed)
    time = np.arange(60) if by_time else None
    found = run(y, kind="number", bins=bins, time=time)
    assert not found.data.notes
    again = Comparison.from_json(found.to_json())
    assert again == found
    for row in again.rows:
        edges = list(pairwise(row.grid.edges))
        low, high = edges[row.true]
        assert low <= row.value or row.true == 0
        assert row.value <= high or row.true == len(edges) - 1
        assert all(len(p) == len(row.grid.labels) for p in row.probs.values())
    assert "<html" in report.render(again)
    assert "<html" in explain.render(again)
