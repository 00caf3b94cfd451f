"""Bounds: found, given, and without any mass beyond."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offby import BinnedDistribution, BinnedRegressor, Bins
from offby.bins import DEFAULT_STRATEGY
from offby.bins.support import Support
from offby.comparison.arguments import problem_of
from offby.comparison.config import CompareConfig
from offby.tabular.target_grid import make_grid
from offby.tabular.target_scales import fit_scale
from offby.weighted import WeightedSample

RNG = np.random.default_rng(0)
PRICES = RNG.lognormal(3, 1, 400)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (PRICES, 0, None),
        (np.concatenate([PRICES, [0.0]]), 0, None),
        (np.concatenate([PRICES, [-0.001]]), None, None),
        (RNG.beta(0.5, 0.5, 400), 0, 1),
        (100 * RNG.beta(0.5, 0.5, 400), 0, 100),
        # Skewed, and by chance with its largest number near the top of a share.
        (PRICES / PRICES.max(), 0, None),
        (99.5 * PRICES / PRICES.max(), 0, None),
        # A share that is never near its ends may be anything.
        (RNG.uniform(0.2, 0.8, 400), 0, None),
        # Zeros and ones are classes of their own, not shares.
        (np.repeat([0.0, 1.0], 50), 0, None),
        (-PRICES, None, None),
    ],
)
def test_bounds_are_found_only_where_the_numbers_show_them(values, low, high):
    assert Support.of(WeightedSample.of(values), "auto") == Support(low, high)


@pytest.mark.parametrize(
    "bounds", ["none", 3.0, (1, 1), (2, 1), (0, 1, 2), ("0", 1), (np.nan, 1), (True, 2)]
)
def test_what_are_no_bounds_is_refused_in_a_sentence(bounds):
    with pytest.raises(ValueError, match='bounds must be "auto", None, or two numbers'):
        Bins.around([1.0, 2.0], 2, bounds=bounds)


def test_numbers_beyond_their_bounds_are_refused():
    with pytest.raises(ValueError, match="bounds must hold all numbers, got"):
        Bins.around([1.0, 2.0], 2, bounds=(1.5, None))


@pytest.mark.parametrize("strategy", ["quantile", "uniform", "log", "kmeans", "blend"])
@pytest.mark.parametrize("tails", ["none", "half-normal"])
@pytest.mark.parametrize(
    ("bounds", "low", "high"),
    [((0, None), 0, np.inf), ((0, 2000), 0, 2000), ((None, 900), -np.inf, 900)],
)
def test_no_mass_lies_beyond_a_bound(strategy, tails, bounds, low, high):
    bins = Bins.around(PRICES, 20, strategy, tails=tails, bounds=bounds)
    ends = bins.edges[0].item(), bins.edges[-1].item()
    dist = BinnedDistribution(RNG.dirichlet(np.ones(bins.n_bins), 5), bins)
    for q in (0.0, 1e-12, 0.5, 1.0):
        assert ((dist.ppf(q) >= low) & (dist.ppf(q) <= high)).all()
    assert (dist.cdf(low) == 0).all()
    assert (dist.cdf(high) == 1).all()
    if tails == "half-normal":
        assert bins.lower_tail == np.isinf(low)
        assert bins.upper_tail == np.isinf(high)
        # All up to the bound can come, so that no number within it has density zero.
        assert np.isinf(low) or ends[0] == low
        assert np.isinf(high) or ends[1] == high
    assert bins.edges[1] < PRICES.min() or bins.index(bins.edges.new(PRICES)).min() == 0


def test_a_bound_out_of_reach_of_the_tail_is_not_found():
    years = RNG.integers(1990, 2020, 300).astype(float)
    free = Bins.around(years, 20, tails="half-normal")
    assert Bins.around(years, 20, tails="half-normal", bounds="auto") == free
    dist = BinnedDistribution(np.eye(free.n_bins)[0], free)
    assert dist.cdf(0.0) < 1e-15
    # Asked for, it is kept: then half of what is far out stays near.
    bound = Bins.around(years, 20, tails="half-normal", bounds=(0, None))
    assert bound.edges[0] == 0
    np.testing.assert_allclose(bound.edges[1], free.edges[0] - years.std())
    np.testing.assert_array_equal(bound.edges[2:], free.edges)


def test_zeros_at_a_bound_have_a_narrow_bin():
    rain = np.concatenate([np.zeros(50), RNG.gamma(2, 3, 50).round(1) + 0.1])
    bins = Bins.around(rain, 20, bounds="auto")
    second = np.unique(rain)[1] / 2
    np.testing.assert_allclose(bins.edges[:3], [0, second / 10, second])
    full = np.concatenate([RNG.uniform(0, 0.9, 50), np.ones(50)])
    bins = Bins.around(full, 20, bounds=(None, 1))
    halfway = (1 + np.unique(full)[-2]) / 2
    expected = [halfway, 1 - (1 - halfway) / 10, 1]
    np.testing.assert_allclose(bins.edges[-3:], expected)


@pytest.mark.parametrize("transform", [None, "log", "yeo-johnson", "quantile"])
def test_an_estimator_forecasts_within_the_bounds_on_every_scale(transform):
    X = PRICES[:80, None] + RNG.normal(size=(80, 1))
    model = BinnedRegressor(
        n_bins=12, max_iter=2, n_bags=1, random_state=0, target_transform=transform
    ).fit(X, PRICES[:80])
    far = model.predict_dist([[-1e6], [0.0], [1e6]])
    assert model.bins_.edges[0] == 0
    assert (far.ppf(0.0) >= 0).all()
    assert (far.sample(50, np.random.default_rng(0)) >= 0).all()
    assert (far.interval(0.99, kind="shortest")[0] >= 0).all()
    given = model.set_params(bounds=(0, 1e4)).fit(X, PRICES[:80]).predict_dist(X)
    assert given.bins.tails == "none"
    assert (given.ppf(1.0) <= 1e4).all()


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.integers(0, 2**31),
    st.sampled_from([None, "log", "yeo-johnson", "quantile"]),
    st.sampled_from(["quantile", "uniform", "kmeans", "blend"]),
    st.floats(0.1, 2.5),
    st.sampled_from([None, "auto"]),
)
def test_no_median_lies_far_beyond_the_numbers_seen(
    seed, transform, strategy, skew, bounds
):
    """Not by more than a tenth of their range, however sure the network is.

    Rows lie in every bin but the two tails, so a network has half of its mass in one of
    the others.
    """
    rng = np.random.default_rng(seed)
    y = rng.lognormal(0, skew, int(rng.integers(5, 300)))
    scale = fit_scale(transform, y)
    with np.errstate(over="ignore"):
        bins = make_grid(
            scale, y, int(rng.integers(1, 60)), strategy, "half-normal", None, bounds
        )
    seen = np.unique(bins.index(bins.edges.new(y)).numpy())
    sure = BinnedDistribution(np.eye(bins.n_bins)[seen], bins).median()
    room = 0.1 * np.ptp(y)
    assert sure.min() >= y.min() - room
    assert sure.max() <= y.max() + room


def test_compare_cuts_its_grid_at_the_bounds():
    X = PRICES[:60, None] + RNG.normal(size=(60, 1))
    settings = {"kind": "number", "losses": ["ce"], "folds": 2, "seeds": 1, "bins": 8}
    config = CompareConfig(**settings, bounds="auto")
    for problem, low in (
        (problem_of(X, PRICES[:60], config), 0),
        (problem_of(X, PRICES[:60] - 1e3, config), None),
    ):
        for fold in problem.folds:
            assert fold.bins is not None
            edge = fold.bins.edges[0].item()
            assert edge == low if low is not None else edge < -990
    with pytest.raises(ValueError, match="bounds must hold all numbers"):
        problem_of(X, PRICES[:60], CompareConfig(**settings, bounds=(0, 5)))
    with pytest.raises(ValueError, match="bounds must be"):
        CompareConfig(**settings, bounds=(5, 5))


def test_one_default_strategy_for_all():
    X, y = PRICES[:60, None], PRICES[:60]
    model = BinnedRegressor(max_iter=0, bounds=None, tails="none", n_bins=8)
    asked = problem_of(X, y, CompareConfig(kind="number", bins=8, bounds=None))
    grids = [
        Bins.around(y, 8),
        Bins.around(y, 8, DEFAULT_STRATEGY),
        model.fit(X, y).bins_,
        asked.grid(y, tails="none"),
    ]
    assert all(grid == grids[0] for grid in grids)
