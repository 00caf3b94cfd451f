"""What a comparison says of the columns and of the best model's errors."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from offby import BinnedDistribution, Comparison, compare, report, tables
from offby.comparison import findings
from offby.comparison.columns import columns_of
from offby.comparison.fits import Fit
from offby.comparison.networks import Settings
from offby.comparison.problem import Problem

SHORT = Settings(max_iter=30, hidden_layer_sizes=(16,))


def table(n=240, seed=0):
    """One column that tells the target, one of words that does not, one with gaps."""
    rng = np.random.default_rng(seed)
    tells = rng.normal(size=n)
    gaps = rng.normal(size=n)
    gaps[:7] = np.nan
    X = pd.DataFrame(
        {"gaps": gaps, "words": rng.choice(["a", "b", "c"], n), "tells": tells}
    )
    return X, np.searchsorted([-0.6, 0.6], tells)


@pytest.fixture(scope="module")
def found():
    X, y = table()
    return compare(
        X,
        y,
        losses=["ce", "emd2"],
        folds=3,
        seeds=1,
        settings=SHORT,
        groups=np.arange(240) % 12,
        references=False,
        left_out={"id": "only names or numbers the rows"},
    )


def test_each_column_says_how_it_was_read(found):
    by_name = {column.name: column for column in found.columns}
    assert [c.read_as for c in found.columns] == ["numbers", "words", "numbers", ""]
    assert (by_name["gaps"].missing, by_name["gaps"].distinct) == (7, 233)
    assert by_name["words"].distinct == 3
    assert not by_name["id"].used
    assert by_name["tells"].used


def test_of_very_many_columns_none_is_shuffled_and_the_reader_is_told(monkeypatch):
    monkeypatch.setattr(findings, "_MOST_COLUMNS", 2)
    X, y = table(60)
    settings = Settings(max_iter=2, hidden_layer_sizes=(4,))
    wide = compare(
        X, y, losses=["ce"], folds=2, seeds=1, settings=settings, references=False
    )
    assert wide.importances == ()
    assert any("was not measured, because there are 3" in n for n in wide.data.notes)
    assert "Which columns matter was not measured" in report.render(wide)


def test_columns_of_an_array_have_places_for_names():
    columns = columns_of(np.array([[1.0, np.nan], [2.0, 3.0], [2.0, 3.0]]), {})
    assert [(c.name, c.distinct, c.missing) for c in columns] == [
        ("column 0", 2, 0),
        ("column 1", 1, 1),
    ]


def test_the_column_that_tells_the_target_matters_most(found):
    assert found.importances[0].column == "tells"
    first, *others = found.importances
    assert first.low <= first.increase <= first.high
    assert first.increase > 0.3
    assert all(abs(one.increase) < 0.15 for one in others)


def test_shuffled_cells_need_no_new_encoding():
    X, y = table()
    X = X.assign(day=pd.to_datetime("2026-01-01") + pd.to_timedelta(range(240), "D"))
    fold = Problem(X, y, "classes", (0.0, 1.0, 2.0), 0, "quantile", 3, 0).folds[0]
    rows = fold.test.X
    order = np.random.default_rng(0).permutation(len(rows))
    inputs, column_of = fold.encoded(rows), fold.column_of_inputs
    for column in range(4):
        mixed = np.where(column_of == column, inputs[order], inputs)
        again = fold.encoded(findings.shuffled(rows, column, order))
        np.testing.assert_array_equal(mixed, again)


def test_regions_hold_every_row_once_and_average_to_the_score(found):
    for by in ("target", "group"):
        parts = [region for region in found.regions if region.by == by]
        assert sum(part.n_rows for part in parts) == 240
        mean = np.average([p.score for p in parts], weights=[p.n_rows for p in parts])
        assert mean == pytest.approx(found.mean(parts[0].method, "rps"), rel=0.01)
    assert [r.label for r in found.regions if r.by == "target"] == ["0", "1", "2"]


def problem_and_fits(kind, weight=None):
    rng = np.random.default_rng(1)
    y = rng.integers(4, size=120) if kind == "classes" else rng.gamma(2, size=120)
    places = (0.0, 1.0, 2.0, 5.0) if kind == "classes" else ()
    problem = Problem(
        rng.normal(size=(120, 2)), y, kind, places, 8, "quantile", 3, 0, weight
    )
    n_classes = 4 if kind == "classes" else problem.folds[0].line.n_classes
    fits = [
        Fit(f.number, 0, "probs", rng.dirichlet(np.ones(n_classes), len(f.test.y)), 0.0)
        for f in problem.folds
    ]
    return problem, fits


def test_coverage_of_numbers_is_the_share_of_rows_inside():
    weight = np.random.default_rng(2).uniform(0.5, 2, 120)
    problem, fits = problem_and_fits("number", weight)
    for one in findings.coverage(problem, "ce", fits):
        inside, wide, weights = [], [], []
        for fold, fit in zip(problem.folds, fits, strict=True):
            assert fold.bins is not None
            assert fold.test.weight is not None
            low, high = BinnedDistribution(fit.probs, fold.bins).interval(one.level)
            inside += list((low <= fold.test.y) & (fold.test.y <= high))
            wide += list(high - low)
            weights += list(fold.test.weight)
        assert one.share == pytest.approx(np.average(inside, weights=weights))
        assert one.width == pytest.approx(np.average(wide, weights=weights))


def test_intervals_of_classes_go_from_one_quantile_to_the_other():
    problem, fits = problem_and_fits("classes")
    places = np.array(problem.positions)
    half, most = findings.coverage(problem, "ce", fits)
    widths, inside = [], []
    for fold, fit in zip(problem.folds, fits, strict=True):
        for probs, y in zip(fit.probs, fold.test.y, strict=True):
            below = np.cumsum(probs)
            low = int(np.argmax(below >= 0.05))
            high = int(np.argmax(below >= 0.95 - 1e-12))
            widths.append(places[high] - places[low])
            inside.append(low <= y <= high)
    assert most.share == pytest.approx(np.mean(inside))
    assert most.width == pytest.approx(np.mean(widths))
    assert half.width < most.width


def test_bias_is_positive_where_the_forecasts_are_too_high():
    problem, fits = problem_and_fits("classes")
    certain = [
        Fit(f.fold, 0, "probs", np.tile([0, 0, 0, 1.0], (len(f.outputs), 1)), 0.0)
        for f in fits
    ]
    by_label = {r.label: r.bias for r in findings.regions(problem, "ce", certain)}
    assert by_label == {"0": 5.0, "1": 4.0, "2": 3.0, "5": 0.0}


def test_shuffling_changes_one_column_of_a_frame_or_an_array():
    order = np.array([2, 0, 1])
    frame = pl.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    mixed = findings.shuffled(frame, 1, order)
    assert mixed.to_dict(as_series=False) == {"a": [1, 2, 3], "b": ["z", "x", "y"]}
    array = np.arange(6.0).reshape(3, 2)
    assert findings.shuffled(array, 0, order).tolist() == [[4, 1], [0, 3], [2, 5]]
    assert array[0, 0] == 0


def test_prepare_says_why_a_column_is_not_learned_from():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "id": range(100),
            "same": [1] * 100,
            "x": rng.normal(size=100),
            "away": rng.normal(size=100),
            "g": np.arange(100) % 10,
            "y": rng.integers(3, size=100),
        }
    )
    problem = tables.prepare(frame, "y", drop=["away"], groups="g")
    assert dict(problem.left_out) == {
        "away": "was dropped by --drop",
        "g": "is what --groups names",
        "same": "is the same in all rows",
        "id": "only names or numbers the rows",
    }
    assert problem.X.columns == ["x"]


def test_the_report_shows_columns_errors_and_intervals(found):
    page = report.render(found)
    for text in (
        "What the forecasts rest on",
        "permutation importance",
        "Where the errors lie",
        "90 % interval holds",
        "only names or numbers the rows",
    ):
        assert text in page
    again = Comparison.from_json(found.to_json())
    assert again == found
