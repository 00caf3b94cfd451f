"""The best guess under a metric: no other guess is expected to do better."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offby import BinnedDistribution, Bins, Circle, Costs, metrics
from offby.distribution import ClassDistribution

POSITIONS = np.array([1.0, 2.0, 4.0, 8.0])


def forecasts(n, k, seed=0, concentration=0.7):
    rng = np.random.default_rng(seed)
    return rng.dirichlet([concentration] * k, n)


def loss(metric, y, guess):
    match metric:
        case "mae":
            return abs(y - guess)
        case "rmse" | "mse":
            return (y - guess) ** 2
        case "mape":
            return abs(y - guess) / abs(y)
        case "accuracy":
            return (y != guess) * 1.0
        case "within-2":
            return (abs(y - guess) > 2) * 1.0
    raise AssertionError(metric)


EACH = ("mae", "rmse", "mse", "mape", "accuracy", "within-2")


@pytest.mark.parametrize("metric", EACH)
def test_no_other_class_has_a_lower_expected_loss(metric):
    probs = forecasts(200, 4)
    guess = ClassDistribution(probs, POSITIONS).decide(metric)
    expected = probs @ loss(metric, POSITIONS[:, None], POSITIONS[None, :])
    chosen = expected[np.arange(200), np.searchsorted(POSITIONS, guess)]
    np.testing.assert_allclose(chosen, expected.min(-1), atol=1e-12)


def test_costs_and_functions_choose_the_class_of_least_cost():
    probs = forecasts(50, 4)
    forecast = ClassDistribution(probs, POSITIONS)
    # Too low a guess costs nine times as much.
    matrix = np.maximum(
        9 * (POSITIONS[None] - POSITIONS[:, None]), POSITIONS[:, None] - POSITIONS[None]
    )
    by_costs = forecast.decide(Costs(matrix, asymmetric=True))
    by_function = forecast.decide(
        lambda y, guess: np.maximum(9 * (y - guess), guess - y)
    )
    np.testing.assert_array_equal(by_costs, by_function)
    ninth = POSITIONS[(probs.cumsum(-1) >= 0.9 - 1e-12).argmax(-1)]
    np.testing.assert_array_equal(by_costs, ninth)
    around = ClassDistribution([0.4, 0.1, 0.1, 0.4], ["n", "e", "s", "w"])
    assert str(around.decide(Circle.regular(4))) == "n"


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_no_other_guesses_have_a_higher_expected_kappa(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    probs = rng.dirichlet([0.6] * 3, n)
    places = np.array([0.0, 1.0, float(rng.uniform(1.2, 4))])
    guess = ClassDistribution(probs, places).decide("qwk")
    best = max(
        expected_kappa(probs, places, np.array(each))
        for each in product(places, repeat=n)
    )
    assert expected_kappa(probs, places, guess) == pytest.approx(best, abs=1e-9)


def expected_kappa(probs, places, guess):
    """By the expected confusion matrix, as kappa is defined."""
    weight = (places[:, None] - places) ** 2
    hot = (guess[:, None] == places) * 1.0
    observed = probs.T @ hot
    by_chance = np.outer(probs.sum(0), hot.sum(0)) / len(probs)
    return 1 - (weight * observed).sum() / (weight * by_chance).sum()


@pytest.mark.parametrize("tails", ["none", "half-normal"])
@pytest.mark.parametrize("metric", ["mae", "rmse", "within-1.3"])
def test_no_other_number_has_a_lower_expected_loss(metric, tails):
    bins = Bins([0.0, 1, 1.5, 2, 4, 7], tails=tails)
    forecast = BinnedDistribution(forecasts(40, 5, concentration=1.0), bins)
    guess = forecast.decide(metric)

    def expected(numbers):
        if metric == "mae":
            draws = forecast.ppf((np.arange(1000)[:, None] + 0.5) / 1000)
            return np.abs(draws - numbers).mean(0)
        if metric == "rmse":
            return forecast.var() + (forecast.mean() - numbers) ** 2
        return -forecast.prob(numbers - 1.3, numbers + 1.3)

    rivals = np.linspace(-2, 9, 120)
    lowest = np.min([expected(np.full(40, rival)) for rival in rivals], 0)
    assert (expected(guess) <= lowest + 1e-4).all()


def test_the_best_number_for_mape_splits_the_density_over_the_distance_from_zero():
    bins = Bins([1.0, 2, 3, 7])
    forecast = BinnedDistribution(forecasts(60, 3, concentration=1.0), bins)
    guess = forecast.decide("mape")
    draws = forecast.ppf((np.arange(20_000)[:, None] + 0.5) / 20_000)
    expected = (np.abs(draws - guess) / draws).mean(0)
    for step in (-0.02, 0.02):
        assert (expected < (np.abs(draws - guess - step) / draws).mean(0)).all()
    minus = BinnedDistribution(forecast.probs[:, ::-1], Bins([-7.0, -3, -2, -1]))
    np.testing.assert_allclose(minus.decide("mape"), -guess)
    # Bins at zero and tails have no infinite weight.
    wide = Bins([0.0, 1, 5, 9], tails="half-normal")
    some = BinnedDistribution([0.1, 0.6, 0.3], wide)
    assert 0 < some.decide("mape") < some.median()


def test_the_concordance_of_numbers_is_highest_for_stretched_means():
    bins = Bins.uniform(0, 10, 20)
    forecast = BinnedDistribution(forecasts(300, 20, concentration=0.5), bins)
    draws = forecast.sample(200, random_state=0)

    def concordance(guess):
        return metrics.quadratic_weighted_kappa(
            draws.ravel(), np.tile(guess, len(draws))
        )

    best = forecast.decide("qwk")
    for rival in (forecast.mean(), forecast.median(), best * 1.1, best * 0.9):
        assert concordance(best) > concordance(rival)


def test_costs_of_bins_and_functions_of_numbers():
    bins = Bins.uniform(0, 10, 10)
    forecast = BinnedDistribution(forecasts(30, 10), bins)
    centers = bins.centers.numpy()
    squares = Costs((centers[:, None] - centers) ** 2)
    nearest = centers[np.abs(forecast.mean()[:, None] - centers).argmin(-1)]
    np.testing.assert_allclose(forecast.decide(squares), nearest)
    pinball = forecast.decide(lambda y, guess: np.maximum(9 * (y - guess), guess - y))
    np.testing.assert_allclose(pinball, forecast.ppf(0.9), atol=0.26)


def test_shapes_follow_the_batch():
    bins = Bins([1.0, 2, 4])
    for batch in ((), (3,), (2, 3)):
        probs = np.full((*batch, 2), 0.5)
        for metric in (*EACH, "qwk", lambda y, guess: abs(y - guess)):
            assert np.shape(BinnedDistribution(probs, bins).decide(metric)) == batch
            assert np.shape(ClassDistribution(probs, [1, 2]).decide(metric)) == batch


@pytest.mark.parametrize(
    ("metric", "error", "says"),
    [
        ("mad", ValueError, "one of mae, rmse"),
        (3, TypeError, "a function, got a int"),
        (Costs.equal(3), ValueError, "between all 2"),
        (lambda y, guess: np.ones(7), ValueError, "that broadcast, got shape"),
        (lambda y, guess: y * np.nan, ValueError, "got NaN"),
    ],
)
def test_what_is_no_metric_is_refused(metric, error, says):
    for forecast in (
        ClassDistribution([0.5, 0.5], [1, 2]),
        BinnedDistribution([0.5, 0.5], Bins([0, 1, 2])),
    ):
        with pytest.raises(error, match=says):
            forecast.decide(metric)


def test_mape_refuses_a_class_at_zero():
    with pytest.raises(ValueError, match="off 0"):
        ClassDistribution([0.5, 0.5], [0, 1]).decide("mape")


def test_draws_are_as_frequent_as_the_forecast_says():
    forecast = ClassDistribution([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]], ["a", "b", "c"])
    draws = forecast.sample(20_000, random_state=0)
    assert draws.shape == (20_000, 2)
    shares = [[(draws[:, row] == c).mean() for c in "abc"] for row in range(2)]
    np.testing.assert_allclose(shares, forecast.probs, atol=0.015)
    again = forecast.sample(20_000, np.random.default_rng(0))
    np.testing.assert_array_equal(draws, again)
    old = forecast.sample(5, np.random.RandomState(0))
    np.testing.assert_array_equal(old, forecast.sample(5, np.random.RandomState(0)))
    with pytest.raises(TypeError, match="a whole number, a generator"):
        forecast.sample(2, random_state="seven")  # pyright: ignore


def test_a_frame_holds_the_forecasts():
    forecast = BinnedDistribution([[0.5, 0.5], [1.0, 0.0]], Bins([0, 2, 4]))
    frame = forecast.to_frame([0.1, 0.5])
    assert list(frame.columns) == ["mean", "quantile_0.1", "quantile_0.5"]
    np.testing.assert_allclose(frame["quantile_0.5"], forecast.median())
    np.testing.assert_allclose(frame["mean"], [2, 1])
