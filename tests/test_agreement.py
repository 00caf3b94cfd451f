"""Metrics of agreement: by class, by rank, beyond chance."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from offby import metrics

EACH = [
    metrics.sensitivities,
    metrics.minimum_sensitivity,
    metrics.geometric_mean_sensitivity,
    metrics.linear_weighted_kappa,
    metrics.kendall_tau_b,
    metrics.spearman_correlation,
]
every_metric = pytest.mark.parametrize("metric", EACH, ids=lambda f: f.__name__)


@st.composite
def pairs(draw):
    n, k = draw(st.integers(2, 30)), draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.integers(0, k, n), rng.integers(0, k, n), rng


def recall(y, guess) -> np.ndarray:
    counts = confusion_matrix(y, guess, labels=range(6))
    total = counts.sum(1)
    return counts.diagonal()[total > 0] / total[total > 0]


@given(pairs())
def test_equal_to_scikit_learn_and_scipy(pair):
    y, guess, _ = pair
    right = recall(y, guess)
    np.testing.assert_allclose(metrics.sensitivities(y, guess), right)
    least = metrics.minimum_sensitivity(y, guess)
    assert least == pytest.approx(right.min())
    mean = scipy.stats.gmean(right) if right.all() else 0.0
    assert metrics.geometric_mean_sensitivity(y, guess) == pytest.approx(mean)
    if len(np.unique(y)) > 1 and len(np.unique(guess)) > 1:
        tau = scipy.stats.kendalltau(y, guess)[0]
        assert metrics.kendall_tau_b(y, guess) == pytest.approx(tau)
        by_weights = metrics.kendall_tau_b(y, guess, sample_weight=np.ones(len(y)))
        assert by_weights == pytest.approx(tau)
        rho = np.corrcoef(*map(scipy.stats.rankdata, (y, guess)))[0, 1]
        assert metrics.spearman_correlation(y, guess) == pytest.approx(rho)
        every = range(6)  # scikit-learn counts the classes between two labels only so
        kappa = cohen_kappa_score(y, guess, weights="linear", labels=every)
        assert metrics.linear_weighted_kappa(y, guess) == pytest.approx(kappa)


@every_metric
@given(pairs())
def test_a_weight_means_repetition(metric, pair):
    y, guess, rng = pair
    times = rng.integers(0, 4, len(y))
    times[0] = 2
    repeated = metric(np.repeat(y, times), np.repeat(guess, times))
    np.testing.assert_allclose(
        metric(y, guess, sample_weight=times), repeated, atol=1e-12
    )


@every_metric
def test_labels_give_the_order(metric):
    order = ["low", "mid", "high"]
    y, guess = [0, 0, 1, 2, 2, 1], [0, 1, 1, 2, 1, 2]
    names = [order[k] for k in y], [order[k] for k in guess]
    np.testing.assert_allclose(metric(*names, labels=order), metric(y, guess))
    with pytest.raises(ValueError, match="labels"):
        metric(*names)
    with pytest.raises(ValueError, match="one value for each"):
        metric([0, 1], [0])


def test_a_class_without_rows_has_no_sensitivity_and_takes_no_part():
    found = metrics.sensitivities([0, 2], [0, 1], labels=[0, 1, 2])
    np.testing.assert_array_equal(found, [1, np.nan, 0])
    assert metrics.minimum_sensitivity([0, 0], [0, 0], labels=[0, 1, 2]) == 1
    assert metrics.geometric_mean_sensitivity([0, 2], [0, 1], labels=[0, 1, 2]) == 0


@pytest.mark.parametrize("weight", [None, [1.0, 2.0]])
def test_no_number_where_there_is_nothing_to_compare(weight):
    for metric in EACH[3:]:
        assert np.isnan(metric([1, 1], [1, 1], sample_weight=weight))


def test_d6_spacing_of_the_labels_counts():
    near = metrics.linear_weighted_kappa([0, 1, 9, 0], [1, 1, 9, 0])
    far = metrics.linear_weighted_kappa([0, 1, 9, 0], [9, 1, 9, 0])
    assert near > 0.8 > 0.6 > far


# Published values: dlordinal 2.7.0, dlordinal/metrics/tests/test_metrics.py.


def test_published_values_of_dlordinal():
    halves = [0, 0, 1, 1], [0, 1, 0, 1]
    thirds = [0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]
    assert metrics.minimum_sensitivity(*halves) == 0.5
    assert metrics.minimum_sensitivity(*thirds) == 1
    for pair in (halves, thirds):
        ends = metrics.sensitivities(*pair)[[0, -1]]
        expected = recall(*pair)[[0, -1]]
        np.testing.assert_allclose(np.sqrt(ends.prod()), np.sqrt(expected.prod()))
    for pair, amae in (
        (halves, 0.5),
        (thirds, 0.0),
        (([0, 0, 2, 1], [0, 2, 0, 1]), 1.0),
        (([0, 0, 2, 1, 3], [2, 2, 0, 3, 1]), 2.0),
        (([0, 1, 2, 3, 3], [0, 1, 2, 3, 4]), 0.125),
    ):
        assert metrics.average_mean_absolute_error(*pair) == pytest.approx(amae)
    circle = np.arange(6), (np.arange(6) + 1) % 6
    assert metrics.accuracy_within(*circle) == pytest.approx(5 / 6)
    proba = [[0.2, 0.4, 0.2, 0.2], [0.7, 0.1, 0.1, 0.1]]
    proba += [[0.5, 0.05, 0.1, 0.35], [0.1, 0.05, 0.65, 0.2]]
    rps = metrics.ranked_probability_score([0, 0, 3, 2], proba)
    assert rps == pytest.approx(0.506875)


def test_equal_to_skordinal_where_it_is_installed():
    theirs = pytest.importorskip("skordinal.metrics")
    rng = np.random.default_rng(0)
    y, guess = rng.integers(0, 5, 80), rng.integers(0, 5, 80)
    for ours, other in (
        (metrics.minimum_sensitivity, theirs.minimum_sensitivity),
        (metrics.geometric_mean_sensitivity, theirs.geometric_mean),
        (metrics.kendall_tau_b, theirs.kendalls_tau),
        (metrics.spearman_correlation, theirs.spearmans_rho),
        (metrics.average_mean_absolute_error, theirs.average_mean_absolute_error),
        (metrics.maximum_mean_absolute_error, theirs.maximum_mean_absolute_error),
        (metrics.accuracy_within, theirs.accuracy_off1_score),
    ):
        assert ours(y, guess) == pytest.approx(other(y, guess))
