"""A weight means repetition: the laws of weighted statistics and of grids from them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offby.bins import Bins
from offby.weighted import WeightedSample

ROWS = st.lists(
    st.tuples(st.integers(-50, 50).map(lambda x: x / 8), st.integers(0, 4)),
    min_size=2,
    max_size=30,
).filter(lambda rows: len({x for x, weight in rows if weight}) > 1)
LEVELS = np.linspace(0, 1, 23)


def repeated(rows):
    values, weights = map(np.array, zip(*rows, strict=True))
    return values, weights, values.repeat(weights)


@given(ROWS)
def test_whole_weights_are_repetitions_to_the_last_bit(rows):
    values, weights, copies = repeated(rows)
    weighted, plain = WeightedSample.of(values, weights), WeightedSample.of(copies)
    np.testing.assert_array_equal(weighted.quantile(LEVELS), plain.quantile(LEVELS))
    assert weighted.mean() == plain.mean()
    assert weighted.std() == plain.std()


@given(ROWS)
def test_without_weights_the_statistics_are_those_of_numpy(rows):
    copies = repeated(rows)[-1]
    sample = WeightedSample.of(copies)
    np.testing.assert_allclose(sample.quantile(LEVELS), np.quantile(copies, LEVELS))
    np.testing.assert_allclose(sample.mean(), copies.mean(), atol=1e-12)
    np.testing.assert_allclose(sample.std(), copies.std())


@given(ROWS, st.floats(1e-12, 1))
def test_dividing_all_weights_changes_nothing(rows, factor):
    values = np.array([x for x, _ in rows])
    plain = WeightedSample.of(values)
    light = WeightedSample.of(values, np.full(len(values), factor))
    if len(plain.values) == len(values):  # else weights of equals exceed 1
        np.testing.assert_allclose(light.quantile(LEVELS), plain.quantile(LEVELS))
    np.testing.assert_allclose(light.mean(), plain.mean(), atol=1e-12)
    np.testing.assert_allclose(light.std(), plain.std())


@pytest.mark.parametrize("odd", [1e6, -1e6, 50.5])
def test_a_tiny_weight_changes_next_to_nothing(odd):
    values = np.arange(100.0)
    junk = WeightedSample.of(np.r_[values, odd], np.r_[np.ones(100), 1e-9])
    inner = np.linspace(0.001, 0.999, 50)
    found = junk.quantile(inner)
    np.testing.assert_allclose(found, WeightedSample.of(values).quantile(inner), atol=1)
    assert junk.mean() == pytest.approx(values.mean(), abs=1e-3)


@given(
    ROWS,
    st.integers(2, 12),
    st.sampled_from(["quantile", "uniform", "kmeans", "blend"]),
)
def test_grids_take_weights_as_repetitions_to_the_last_bit(rows, n_bins, strategy):
    values, weights, copies = repeated(rows)
    found = Bins.around(values, n_bins, strategy, weights=weights)
    np.testing.assert_array_equal(
        found.edges, Bins.around(copies, n_bins, strategy).edges
    )


@pytest.mark.parametrize("make", [Bins.quantile, Bins.kmeans, Bins.around])
def test_numbers_without_weight_do_not_stretch_a_grid(make):
    values = np.arange(20.0)
    junk, weights = np.r_[values, 1e6, -1e6], np.r_[np.ones(20), 0, 0]
    np.testing.assert_array_equal(
        make(junk, 5, weights=weights).edges, make(values, 5).edges
    )


def test_a_value_of_exactly_a_bin_of_weight_has_a_bin_of_its_own():
    # 0 holds one fifth of the weight, as each of five bins does.
    values, weights = np.r_[0.0, np.arange(1.0, 9.0)], np.r_[2.0, np.ones(8)]
    edges = Bins.around(values, 5, weights=weights).edges.tolist()
    assert edges[:2] == [-0.5, 0.5]


@pytest.mark.parametrize("weights", [[1, 2], [1, -1, 1], [1, np.nan, 1]])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ValueError, match="weights must hold one number of 0 or more"):
        WeightedSample.of([1, 2, 3], weights)
    with pytest.raises(ValueError, match="weights must hold one number of 0 or more"):
        Bins.quantile([1, 2, 3], 2, weights=weights)
