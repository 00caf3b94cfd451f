"""The guarantee of conformal intervals, by exact counts."""

from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offby.tabular.conformal import conformal_coverage


@given(st.integers(1, 30), st.integers(0, 40), st.integers(0, 2**16))
def test_the_rank_is_that_of_the_guarantee(n, hundredths, seed):
    share = Fraction(hundredths, 40)
    distances = np.sort(np.random.default_rng(seed).uniform(0, 0.5, n))
    found = conformal_coverage(distances, np.ones(n), float(share))
    rank = ceil((n + 1) * share)
    ranked = [0.0, *distances, 0.5]
    assert found == pytest.approx(2 * ranked[rank])


def test_a_product_that_rounds_up_is_not_a_rank_more():
    assert 0.55 * 100 > 55
    distances = np.linspace(0.01, 0.49, 99)
    assert conformal_coverage(distances, np.ones(99), 0.55) == 2 * distances[54]


@pytest.mark.parametrize("n", [3, 9, 19])
@pytest.mark.parametrize("coverage", [0.25, 0.5, 0.7, 0.9])
def test_a_new_row_lies_inside_at_least_as_often_as_said(n, coverage):
    # Of n + 1 rows, any is the new one as likely as the others: count them all.
    rows = np.random.default_rng(n).uniform(0, 0.5, n + 1)
    inside = 0
    for new in range(n + 1):
        others = np.sort(np.delete(rows, new))
        reach = conformal_coverage(others, np.ones(n), coverage) / 2
        inside += rows[new] <= reach
    assert coverage <= inside / (n + 1) < coverage + 1 / (n + 1)


@given(
    st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 4)), min_size=1, max_size=20),
    st.floats(0, 1),
)
def test_a_weight_is_a_repetition(rows, coverage):
    distances, weights = map(np.array, zip(*sorted(rows), strict=True))
    assert conformal_coverage(distances, weights.astype(float), coverage) == (
        conformal_coverage(distances.repeat(weights), np.ones(weights.sum()), coverage)
    )
