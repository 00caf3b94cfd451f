"""Scales of a target: increasing, undone exactly, and with bins that have an end."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.preprocessing import PowerTransformer, QuantileTransformer

from offby.bins import Bins
from offby.tabular.target_grid import make_grid
from offby.tabular.target_scales import (
    NormalScores,
    YeoJohnson,
    fit_scale,
    from_scale,
    to_scale,
)

NUMBERS = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=1)


@given(NUMBERS, NUMBERS)
def test_normal_scores_rise_and_are_undone_everywhere(seen, new):
    scale = NormalScores.of(np.array(seen))
    y = np.unique(new)
    z = scale.transform(y)
    assert np.isfinite(z).all()
    assert (np.diff(z) > 0).all()
    # As exact as the steepest line lets a float be.
    slope = np.diff(scale.numbers).max() / np.diff(scale.scores).min()
    room = 1e-14 * (np.abs(y).max() + np.abs(scale.numbers).max() + slope)
    np.testing.assert_allclose(scale.inverse_transform(z), y, rtol=1e-9, atol=room)


def test_normal_scores_are_scores_of_a_normal():
    y = np.exp(np.random.default_rng(0).normal(size=5000))
    z = NormalScores.of(y).transform(y)
    levels = np.linspace(0.01, 0.99, 50)
    np.testing.assert_allclose(np.quantile(z, levels), norm.ppf(levels), atol=0.01)
    theirs: Any = QuantileTransformer(output_distribution="normal", subsample=10**6)
    inside = (y > np.quantile(y, 0.01)) & (y < np.quantile(y, 0.99))
    theirs = theirs.fit_transform(y[:, None])[:, 0]
    np.testing.assert_allclose(z[inside], theirs[inside], atol=0.01)


def test_equals_have_the_score_of_their_middle_rank():
    scale = NormalScores.of(np.repeat([0.0, 1.0, 5.0], [60, 30, 10]))
    found = norm.cdf(scale.transform(np.array([0.0, 1.0, 5.0])))
    np.testing.assert_allclose(found, [0.30, 0.75, 0.95])


@pytest.mark.parametrize("transform", [None, "log", "yeo-johnson", "quantile"])
@pytest.mark.parametrize("strategy", ["quantile", "uniform", "kmeans"])
@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_bins_on_a_scale_have_room_at_both_ends(transform, strategy, unit):
    y = unit * np.random.default_rng(0).lognormal(size=300)
    scale = fit_scale(transform, y)
    bins = make_grid(scale, y, 20, strategy, "none")
    low, high = bins.edges[0].item(), bins.edges[-1].item()
    assert np.isfinite([low, high]).all()
    assert low < y.min()
    assert high > y.max()
    # Training sees the same bins on the scale.
    Bins(to_scale(scale, bins.edges.numpy()))


@pytest.mark.parametrize("transform", [None, "log", "yeo-johnson", "quantile"])
def test_one_number_gets_one_bin(transform):
    y = np.full(9, 3.0)
    bins = make_grid(fit_scale(transform, y), y, 20, "quantile", "none")
    assert bins.n_bins == 1
    assert bins.edges[0] < 3 < bins.edges[1]


def test_whole_numbers_keep_bins_of_width_one_on_the_scale_of_ranks():
    y = np.random.default_rng(0).poisson(4, 500).astype(float)
    bins = make_grid(fit_scale("quantile", y), y, 100, "quantile", "none")
    inner = bins.edges.numpy()[1:-1]
    np.testing.assert_allclose(inner, np.arange(len(inner)) + y.min() + 0.5)


def test_the_log_of_zero_is_refused():
    with pytest.raises(ValueError, match="needs positive targets, got 0"):
        fit_scale("log", np.arange(3.0))


def test_yeo_johnson_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    two, huge = np.array([1.0, 3.0]), np.array([0.0, 1e150, 3e150])
    skewed = rng.lognormal(size=200), rng.normal(size=200) ** 3, -rng.gamma(2, 1, 50)
    for y in (*skewed, two, huge):
        scale, theirs = YeoJohnson.of(y), PowerTransformer().fit(y[:, None])
        np.testing.assert_allclose(scale.power, theirs.lambdas_[0], atol=1e-5)
        z = scale.transform(y)
        expected: Any = theirs.transform(y[:, None])
        np.testing.assert_allclose(z, expected[:, 0], atol=1e-5)
        # Near a power of zero, as of the two numbers, digits go in a difference from 1.
        np.testing.assert_allclose(scale.inverse_transform(z), y, rtol=1e-8)


@given(st.floats(-3, 5), st.floats(-10, 10))
def test_yeo_johnson_of_any_power_is_undone(power, y):
    scale = YeoJohnson(power, 0.5, 2.0)
    found = scale.inverse_transform(scale.transform(np.array([y])))
    np.testing.assert_allclose(found, [y], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("transform", [None, "log", "yeo-johnson", "quantile"])
@pytest.mark.parametrize("strategy", ["quantile", "uniform", "kmeans"])
@pytest.mark.parametrize("tails", ["none", "half-normal"])
def test_a_weight_is_a_repetition_to_the_last_bit(transform, strategy, tails):
    rng = np.random.default_rng(0)
    y, weights = rng.lognormal(size=60).round(1) + 0.1, rng.integers(1, 5, 60)
    copies = y.repeat(weights)
    weighted = fit_scale(transform, y, weights)
    plain = fit_scale(transform, copies)
    np.testing.assert_array_equal(to_scale(weighted, y), to_scale(plain, y))
    np.testing.assert_array_equal(
        make_grid(weighted, y, 9, strategy, tails, weights).edges,
        make_grid(plain, copies, 9, strategy, tails).edges,
    )


@pytest.mark.parametrize(
    ("slope", "in_units"), [(5.0, True), (20.0, False), (0.2, False)]
)
def test_a_tail_has_the_width_of_the_target_unless_that_is_far_on_the_scale(
    slope, in_units
):
    # Outside of the numbers the scale is `slope` times as steep as inside.
    scale = NormalScores(
        np.array([-9.0, 0.0, 1.0, 10.0]),
        np.array([-9 * slope, 0.0, 1.0, 1 + 9 * slope]),
    )
    y = np.linspace(0, 1, 41)
    edges = make_grid(scale, y, 4, "uniform", "half-normal").edges.numpy()
    expected = y.std() if in_units else y.std() / slope
    np.testing.assert_allclose([edges[1] - edges[0], edges[-1] - edges[-2]], expected)


def test_what_a_scale_does_not_reach_is_not_finite():
    scale = YeoJohnson(-1.0, 0.0, 1.0)  # ends at 1
    assert not np.isfinite(from_scale(scale, np.array([2.0]))).any()
