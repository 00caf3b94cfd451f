"""Reliability curves and the parts of a score, against what they are known to be."""

import numpy as np
import pytest

from offby import metrics
from offby.bins import Bins
from offby.comparison import Comparison, compare
from offby.comparison.fits import Fit
from offby.comparison.networks import Settings
from offby.comparison.problem import Fold, Problem, Rows
from offby.comparison.reliability import crps_parts, reliability
from offby.distribution import BinnedDistribution

ROWS = 3000


def problem(kind, y, positions=(), bins=None, weight=None):
    """One whose two folds hold given rows out; nothing is trained."""
    made = Problem(None, y, kind, positions, 0, "quantile", 2, 0, weight)
    halves = np.array_split(np.arange(len(y)), 2)
    made.__dict__["folds"] = [
        Fold(
            number,
            0,
            Rows(rows, np.empty((len(rows), 0)), y[rows], None),
            Rows(rows, np.empty((len(rows), 0)), y[rows], None),
            positions,
            bins,
            0.0,
            None,
        )
        for number, rows in enumerate(halves)
    ]
    return made


def fits(probs):
    halves = np.array_split(probs, 2)
    return [Fit(number, 0, "probs", half, 0.0) for number, half in enumerate(halves)]


def classes(sharpened=1.0):
    """Labels drawn from known probabilities, and those, made sharper or flatter."""
    rng = np.random.default_rng(0)
    true = rng.dirichlet([1, 2, 4, 2, 1], ROWS)
    y = (true.cumsum(-1) < rng.random((ROWS, 1))).sum(-1)
    told = true**sharpened
    return y, told / told.sum(-1, keepdims=True)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("positions", [(0, 1, 2, 3, 4), (-1.0, 0, 0.5, 10, 11)])
def test_parts_at_a_threshold_are_those_of_its_brier_score(positions, weighted):
    y, told = classes(sharpened=2)
    weight = np.random.default_rng(1).uniform(0.5, 2, ROWS) if weighted else None
    asked = problem("classes", y, positions, weight=weight)
    for curve in reliability(asked, "ce", fits(told)):
        k = positions.index(curve.threshold)
        below = told[:, : k + 1].sum(-1)
        wanted = metrics.corp_decomposition(
            y > k, np.stack([below, 1 - below], -1), sample_weight=weight
        )
        parts = curve.miscalibration, curve.discrimination, curve.uncertainty
        # Rounding to four decimals pools a few rows more.
        assert parts == pytest.approx(
            (wanted.miscalibration, wanted.discrimination, wanted.uncertainty), rel=2e-2
        )
        assert parts[0] - parts[1] + parts[2] == pytest.approx(wanted.score, rel=1e-9)


def numbers(spread=1.0):
    """Normal targets, and histograms of the spread told."""
    rng = np.random.default_rng(0)
    mean = rng.normal(size=ROWS)
    y = mean + rng.normal(size=ROWS)
    bins = Bins.uniform(-8, 8, 64)
    from scipy.stats import norm

    below = norm.cdf((bins.edges.numpy() - mean[:, None]) / spread)
    probs = np.diff(below)
    return y, probs / probs.sum(-1, keepdims=True), bins


@pytest.mark.parametrize("tails", ["none", "half-normal", "upper-half-normal"])
@pytest.mark.parametrize("rounded", [False, True], ids=["real", "whole numbers"])
def test_parts_of_the_crps_add_up_to_it(rounded, tails):
    y, probs, bins = numbers(spread=0.5)
    if tails != "none":
        y[:3] = [-15.0, 13.0, 40.0]
        bins = Bins(bins.edges[10:-10], tails=tails)
        kept = probs[:, 10:-10]
        kept[:, 0] += probs[:, :10].sum(-1)
        kept[:, -1] += probs[:, -10:].sum(-1)
        probs = kept
    if rounded:
        y = np.rint(y)
    parts = crps_parts(problem("number", y, bins=bins), fits(probs))
    crps = BinnedDistribution(probs, bins).crps(y).mean()
    assert parts[0] - parts[1] + parts[2] == pytest.approx(crps, rel=1e-3)
    # The uncertainty is the CRPS of the targets' own distribution.
    ordered = np.sort(y)
    rank = 2 * np.arange(1, len(y) + 1) - len(y) - 1
    assert parts[2] == pytest.approx((rank @ ordered) / len(y) ** 2, rel=1e-3)


def test_miscalibration_is_what_too_narrow_forecasts_cost():
    y, honest, bins = numbers()
    asked = problem("number", y, bins=bins)
    good = crps_parts(asked, fits(honest))
    narrow = crps_parts(asked, fits(numbers(spread=0.3)[1]))
    # Known for normal forecasts: E CRPS(N(m, s), y) with y ~ N(m, 1).
    cost = np.sqrt((1 + 0.09) * 2 / np.pi) - 0.3 / np.sqrt(np.pi) - 1 / np.sqrt(np.pi)
    assert narrow[0] - good[0] == pytest.approx(cost, rel=0.15)
    assert narrow[1] == pytest.approx(good[1], rel=0.1)
    assert good[0] < 0.15 * narrow[0]


def inside(curve):
    return np.mean(
        (np.array(curve.low) <= curve.happened)
        & (np.array(curve.happened) <= curve.high)
    )


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_honest_forecasts_stay_in_the_band_and_others_leave_it(kind):
    if kind == "classes":
        y, honest = classes()
        _, boastful = classes(sharpened=4)
        asked = problem(kind, y, (0, 1, 2, 3, 4))
    else:
        y, honest, bins = numbers()
        boastful = numbers(spread=0.3)[1]
        asked = problem(kind, y, bins=bins)
    for curve in reliability(asked, "honest", fits(honest)):
        assert inside(curve) > 0.85
    for curve in reliability(asked, "boastful", fits(boastful)):
        assert inside(curve) < 0.5
        assert curve.miscalibration > 0.01
        # It says 10 % where more comes true, and 90 % where less does.
        low, high = np.interp([0.1, 0.9], curve.predicted, curve.happened)
        assert low > 0.15
        assert high < 0.85


def test_thresholds_cut_the_rows_into_quarters_where_they_can():
    y, probs, bins = numbers()
    curves = reliability(problem("number", y, bins=bins), "ce", fits(probs))
    shares = [np.mean(y <= curve.threshold) for curve in curves]
    assert shares == pytest.approx([0.25, 0.5, 0.75], abs=1e-3)
    eight = np.arange(ROWS) % 8
    asked = problem("classes", eight, (0, 1, 2, 3, 4, 6, 7, 9))
    curves = reliability(asked, "ce", fits(np.full((ROWS, 8), 1 / 8)))
    assert [curve.threshold for curve in curves] == [1, 3, 6]
    y, told = classes()
    two = problem("classes", (y > 2).astype(int), (0, 1))
    pairs = np.stack([told[:, :3].sum(-1), told[:, 3:].sum(-1)], -1)
    assert [c.threshold for c in reliability(two, "ce", fits(pairs))] == [0]


def test_a_whole_number_is_at_most_itself():
    """Mass of a bin around 3 counts as "at most 3" whole, not by half."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, ROWS).astype(float)
    bins = Bins.around(y, 50)
    probs = np.full((ROWS, bins.n_bins), 1 / bins.n_bins)
    for curve in reliability(problem("number", y, bins=bins), "ce", fits(probs)):
        assert curve.miscalibration < 1e-3
        assert curve.threshold % 1 == 0.5


def test_curves_are_the_same_each_time_and_increase():
    y, told = classes()
    asked = problem("classes", y, (0, 1, 2, 3, 4))
    curves = reliability(asked, "ce", fits(told))
    assert curves == reliability(asked, "ce", fits(told))
    for curve in curves:
        for rising in (curve.predicted, curve.happened, curve.low, curve.high):
            assert (np.diff(rising) >= 0).all()
        assert len(curve.predicted) <= 42


def test_a_forecast_that_is_always_sure_has_a_curve():
    y, _ = classes()
    sure = np.eye(5)[y]
    for curve in reliability(problem("classes", y, (0, 1, 2, 3, 4)), "ce", fits(sure)):
        assert curve.miscalibration == 0
        assert curve.discrimination == pytest.approx(curve.uncertainty)
        assert np.isfinite([curve.low, curve.high, curve.happened]).all()


def test_compare_has_three_curves_per_loss_and_keeps_them():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2))
    found = compare(
        X,
        X[:, 0] + rng.normal(size=120),
        kind="number",
        losses=["ce", "crps"],
        bins=6,
        folds=2,
        seeds=1,
        references=False,
        settings=Settings(max_iter=4, hidden_layer_sizes=(8,)),
    )
    methods = [curve.method for curve in found.reliability]
    assert methods == ["ce"] * 3 + ["crps"] * 3
    assert Comparison.from_json(found.to_json()) == found
