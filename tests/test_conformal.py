"""The guarantee of conformal intervals and sets of classes, by exact counts."""

from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offby import BoostedOrdinalClassifier, Circle, OrdinalClassifier
from offby.tabular.conformal import (
    class_range,
    conformal_coverage,
    reach,
    shortest_class_range,
    strangeness,
)


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


P = np.random.default_rng(0).dirichlet(np.full(6, 0.7), 40)


def test_strangeness_of_a_valley_is_that_of_its_lower_side():
    found = strangeness(P)
    for row, strange in zip(P, found, strict=True):
        for k in range(6):
            sides = row[: k + 1].max(), row[k:].max()
            assert strange[k] == 1 - min(sides)


@pytest.mark.parametrize("bound", [0.0, 0.4, 0.8, 0.95, np.inf])
def test_sets_without_holes(bound):
    """The least run of classes that holds all that are likely enough, and the mode."""
    for row, (first, last) in zip(P, class_range(P, bound), strict=True):
        likely = np.flatnonzero(1 - row <= bound)
        mode = row.argmax()
        assert (first, last) == (min([*likely, mode]), max([*likely, mode]))


@pytest.mark.parametrize("coverage", [0.0, 0.3, 0.75, 1.0])
def test_the_fewest_neighbors_of_a_probability(coverage):
    for row, (first, last) in zip(P, shortest_class_range(P, coverage), strict=True):
        runs = [(a, b) for a in range(6) for b in range(a, 6)]
        enough = [r for r in runs if row[r[0] : r[1] + 1].sum() >= coverage - 1e-9]
        size = min(b - a for a, b in enough)
        best = max(row[a : b + 1].sum() for a, b in enough if b - a == size)
        assert last - first == size
        assert row[first : last + 1].sum() == pytest.approx(best)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_a_new_row_has_its_class_inside_as_often_as_said(coverage):
    rng = np.random.default_rng(1)
    true = np.array([rng.choice(6, p=row) for row in P])
    strange = strangeness(P)[np.arange(40), true]
    inside = 0
    for new in range(40):
        bound = reach(np.delete(strange, new), np.ones(39), coverage)
        ((first, last),) = class_range(P[new : new + 1], bound)
        inside += first <= true[new] <= last
    # Each row may be in by its own rank, or as the likeliest class.
    assert inside / 40 >= coverage
    assert inside / 40 <= coverage + 0.2


@pytest.mark.parametrize("kind", [OrdinalClassifier, BoostedOrdinalClassifier])
def test_intervals_of_a_classifier(kind):
    if kind is BoostedOrdinalClassifier:
        pytest.importorskip("lightgbm")
    order = ["low", "mid", "high", "top"]
    rng = np.random.default_rng(2)
    X = rng.uniform(0, 4, (200, 1))
    y = np.array(order)[(X[:, 0] + rng.normal(0, 0.4, 200)).clip(0, 3.9).astype(int)]
    model = kind(categories=order, max_iter=15, random_state=0).fit(X, y)
    for conformal in (False, True):
        found = model.predict_interval(X, 0.8, conformal=conformal)
        assert found.shape == (200, 2)
        codes = np.array([[order.index(end) for end in row] for row in found])
        truth = np.array([order.index(each) for each in y])
        inside = (codes[:, 0] <= truth) & (truth <= codes[:, 1])
        assert inside.mean() >= 0.75
        wider = model.predict_interval(X, 0.95, conformal=conformal)
        first = np.array([[order.index(end) for end in row] for row in wider])
        assert np.ptp(first, axis=1).sum() >= np.ptp(codes, axis=1).sum()
    with pytest.raises(ValueError, match="coverage must lie"):
        model.predict_interval(X, 90)


def test_intervals_need_an_order_and_validation_rows():
    X, y = np.arange(40.0)[:, None], np.repeat([0, 1, 2, 3], 10)
    model = OrdinalClassifier(ground=Circle.regular(4), max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match="classes in an order"):
        model.predict_interval(X)
    model = OrdinalClassifier(max_iter=1).fit(X, y)
    model.partial_fit(X, y)
    assert model.predict_interval(X).shape == (40, 2)
    with pytest.raises(ValueError, match="need validation rows"):
        model.predict_interval(X, conformal=True)
