"""Scales of a target: increasing, undone exactly, and with bins that have an end."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.preprocessing import QuantileTransformer

from offby.bins import Bins
from offby.tabular import target_scales as scales
from offby.tabular.target_scales import NormalScores

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
    scale = scales.fitted(transform, y)
    bins = scales.grid(scale, y, 20, strategy, "none")
    low, high = bins.edges[0].item(), bins.edges[-1].item()
    assert np.isfinite([low, high]).all()
    assert low < y.min()
    assert high > y.max()
    # Training sees the same bins on the scale.
    Bins(scales.scaled(scale, bins.edges.numpy()))


@pytest.mark.parametrize("transform", [None, "log", "yeo-johnson", "quantile"])
def test_one_number_gets_one_bin(transform):
    y = np.full(9, 3.0)
    bins = scales.grid(scales.fitted(transform, y), y, 20, "quantile", "none")
    assert bins.n_bins == 1
    assert bins.edges[0] < 3 < bins.edges[1]


def test_whole_numbers_keep_bins_of_width_one_on_the_scale_of_ranks():
    y = np.random.default_rng(0).poisson(4, 500).astype(float)
    bins = scales.grid(scales.fitted("quantile", y), y, 100, "quantile", "none")
    inner = bins.edges.numpy()[1:-1]
    np.testing.assert_allclose(inner, np.arange(len(inner)) + y.min() + 0.5)


def test_refuses_a_scale_that_it_does_not_know():
    with pytest.raises(ValueError, match="or \"quantile\", got 'sqrt'"):
        scales.fitted("sqrt", np.ones(3))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="needs positive targets, got 0"):
        scales.fitted("log", np.arange(3.0))
