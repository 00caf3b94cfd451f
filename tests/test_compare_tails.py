"""Rows beyond the numbers of the training rows: as the estimators forecast them."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from offby import explain
from offby.bins import Bins
from offby.comparison import Comparison, compare
from offby.comparison.arguments import problem_of
from offby.comparison.config import CompareConfig
from offby.comparison.fits import Fit
from offby.comparison.methods.references import class_frequencies
from offby.comparison.networks import Settings
from offby.comparison.noise.perturb import moved_to_neighbor
from offby.comparison.problem import Fold
from offby.comparison.scoring import row_scores
from offby.comparison.tails import evened
from offby.distribution import BinnedDistribution
from offby.tabular import BinnedRegressor

QUICK = {"folds": 3, "seeds": 1, "bins": 10, "references": False}
FAR = 7


def outlying(n_rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Normal numbers, one of which lies far from all others."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 2))
    y = X[:, 0] + rng.normal(size=n_rows)
    y[FAR] = 40.0
    return X, y


@pytest.fixture(scope="module")
def found() -> Comparison:
    X, y = outlying()
    settings = Settings(max_iter=2)
    losses = ["ce", "emd2", "crps"]
    return compare(X, y, kind="number", losses=losses, settings=settings, **QUICK)


def test_one_far_row_does_not_make_every_log_score_infinite(found: Comparison) -> None:
    assert found.mean("ce", "log_score") is not None
    for method in found.losses:
        assert found.infinite_rows(method, "log_score") == 0
    assert found.best("log_score") is not None


def test_the_grid_is_that_of_the_estimators() -> None:
    X, y = outlying()
    for bounds in ("auto", (None, 50.0), None):
        config = CompareConfig(kind="number", bins=10, folds=3, bounds=bounds)
        fold = problem_of(X, y, config).folds[0]
        rows = fold.train.numbers
        model = BinnedRegressor(n_bins=10, bounds=bounds, max_iter=1, n_bags=1)
        assert fold.bins == model.fit(X[rows], y[rows]).bins_


def folds(**settings) -> list[Fold]:
    config = CompareConfig(kind="number", bins=10, folds=3, **settings)
    X, y = outlying()
    return problem_of(X, y, config).folds


def test_rows_beyond_a_bound_stay_infinite() -> None:
    fold = folds(bounds=(-9, 50))[0]
    assert fold.bins is not None
    assert fold.bins.tails == "none"
    even = np.full((2, fold.bins.n_bins), 1 / fold.bins.n_bins)
    beyond = replace(fold, test=replace(fold.test, y=np.array([0.0, 51.0])))
    scores = row_scores(beyond, Fit(0, 0, "probs", even, 0.0))["log_score"]
    assert np.isfinite(scores).tolist() == [True, False]


def test_frequencies_leave_room_for_a_number_that_never_came() -> None:
    for fold in folds():
        _, probs = class_frequencies(fold)
        np.testing.assert_allclose(probs.sum(-1), 1)
        n = len(fold.train.y)
        # One row more than there are, on both sides alike.
        np.testing.assert_allclose(probs[:, [0, -1]], 0.5 / (n + 1))


def test_no_label_moves_into_a_tail() -> None:
    fold = folds()[0]
    assert fold.bins is not None
    moved = moved_to_neighbor(fold, 1.0)
    edges = fold.bins.edges
    assert moved.train.y.min() >= edges[1]
    assert moved.train.y.max() <= edges[-2]


@pytest.mark.parametrize("tails", ["half-normal", "lower-half-normal", "none"])
def test_even_bins_for_tails_have_the_distribution_of_the_tails(tails) -> None:
    bins = Bins([0.0, 1.0, 1.5, 4.0, 6.0], tails=tails)
    probs = np.array([[0.4, 0.1, 0.2, 0.3], [0.1, 0.3, 0.3, 0.3]])
    edges, even = evened(bins, probs)
    x = np.linspace(-4, 12, 301)
    found = BinnedDistribution(even, Bins(edges))
    wanted = BinnedDistribution(probs, bins)
    np.testing.assert_allclose(found[:, None].cdf(x), wanted[:, None].cdf(x), atol=1e-3)
    y = np.array([-3.0, 9.0])
    np.testing.assert_allclose(found.crps(y), wanted.crps(y), rtol=1e-3)


def test_pictured_rows_name_the_tails_and_the_explainer_knows_them(
    found: Comparison,
) -> None:
    grid = found.rows[0].grid
    assert grid.tails == "half-normal"
    assert grid.labels[0] == f"below {grid.edges[1]:.4g}"
    assert grid.labels[-1] == f"above {grid.edges[-2]:.4g}"
    # The histogram of all rows has none: no row lies in a tail of their own bins.
    assert min(found.data.counts) > 0
    page = explain.render(found)
    start = page.index('id="data">') + len('id="data">')
    drawn = json.loads(page[start : page.index("</script>", start)])
    assert drawn["edges"] == list(grid.edges)
    assert drawn["tails"] == "half-normal"


def test_comparisons_of_earlier_offby_have_no_tails(found: Comparison) -> None:
    raw = asdict(found)
    for row in raw["rows"]:
        del row["grid"]["tails"]
    older = Comparison.from_json(json.dumps(raw))
    assert older.rows[0].grid.tails == "none"
    assert Comparison.from_json(found.to_json()) == found
