"""Forecasts of ordered classes, beside the metrics of the same name."""

import numpy as np
import pytest

from offby.distribution import ClassDistribution
from offby.metrics import rows

WORDS = ["low", "mid", "high", "top"]


def forecasts(classes, n=30):
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(4), n)
    return ClassDistribution(probs, classes), np.asarray(classes)[rng.integers(0, 4, n)]


@pytest.mark.parametrize("classes", [WORDS, [0, 1, 2, 3], [1, 2, 5, 10]])
def test_scores_are_those_of_the_metrics(classes):
    dist, y = forecasts(classes)
    found = rows.ranked_probability_score(y, dist.probs, labels=classes)
    np.testing.assert_allclose(dist.rps(y), found)
    found = rows.log_score(y, dist.probs, labels=classes)
    np.testing.assert_allclose(dist.log_score(y), found)


def test_numbers_in_another_order_count_as_places():
    dist, y = forecasts([3, 2, 1, 0])
    falling = dist.rps(y)
    np.testing.assert_allclose(
        falling, ClassDistribution(dist.probs, range(4)).rps(3 - y)
    )


def test_rps_of_words_counts_places_and_of_numbers_their_distance():
    sure = np.eye(4)[0]
    assert ClassDistribution(sure, WORDS).rps("top") == 3
    assert ClassDistribution(sure, [1, 2, 5, 10]).rps(10) == 9


def test_median_forgives_the_rounding_of_twenty_shares():
    # Ten shares of .05 add up to a little less than one half.
    even = np.full((1, 20), 0.05)
    assert ClassDistribution(even, range(20)).median().tolist() == [9]


def test_median_mode_and_mean():
    dist = ClassDistribution([[0.4, 0.0, 0.3, 0.3]], WORDS)
    assert dist.median().tolist() == ["high"]
    assert dist.mode().tolist() == ["low"]
    np.testing.assert_allclose(dist.mean(), [1.5])
    np.testing.assert_allclose(dist.cumulative(), [[0.4, 0.4, 0.7, 1.0]])


@pytest.mark.parametrize("backend", ["pandas", "polars"])
def test_frames_have_a_column_for_each_class_in_order(backend):
    pytest.importorskip(backend)
    frame = forecasts(WORDS)[0].to_frame(backend)
    assert list(frame.columns) == WORDS
    np.testing.assert_array_equal(frame.to_numpy(), forecasts(WORDS)[0].probs)


def test_one_forecast_is_drawn_as_bars():
    pytest.importorskip("matplotlib").use("agg")
    ax = forecasts(WORDS)[0][3].plot()
    assert [text.get_text() for text in ax.get_xticklabels()] == WORDS
    with pytest.raises(ValueError, match="plot draws one forecast, got a batch"):
        forecasts(WORDS)[0].plot()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="different classes in their order"):
        ClassDistribution([0.5, 0.5], ["a", "a"])
    with pytest.raises(ValueError, match="classes on their last axis"):
        ClassDistribution([0.5, 0.5], WORDS)
    with pytest.raises(ValueError, match="y must hold classes of"):
        forecasts(WORDS)[0].rps(["worst"] * 30)
    with pytest.raises(IndexError, match="has no rows"):
        ClassDistribution([1.0], ["a"])[0]
    assert repr(forecasts(WORDS)[0]) == (
        "ClassDistribution(batch (30,), 4 classes from 'low' to 'top')"
    )
