"""Scores of forecasts on rows with a known target: the same for every model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from offby import metrics
from offby.distribution import BinnedDistribution, ClassDistribution
from offby.grounds import Ground, Line, neighbors
from offby.tabular.class_ground import least_expected

Forecast = ClassDistribution | BinnedDistribution


@dataclass(frozen=True)
class ScoreKind:
    """A score by its key: what it is called, and which way is better."""

    title: str
    better: str
    """lower, higher, or where the best value lies, as "near 90 %"."""
    score: Callable[[Any, np.ndarray, np.ndarray], float] | None = None
    """From forecast, truth and weights; classes are codes 0 to K - 1. None where it
    needs a ground too."""
    is_share: bool = False


def _mean(rows: Any, weights: np.ndarray) -> float:
    return float(np.average(rows, weights=weights))


def _off(forecast: ClassDistribution, y: np.ndarray) -> np.ndarray:
    return np.abs(_medians(forecast) - y)


def _medians(forecast: ClassDistribution) -> np.ndarray:
    return metrics.median_class(forecast.probs)


def _mae_of_classes(forecast: ClassDistribution, y, w) -> float:
    places = forecast.positions
    return _mean(np.abs(places[_medians(forecast)] - places[y]), w)


def _qwk(forecast: ClassDistribution, y, w) -> float:
    guess = _medians(forecast)
    # Undefined if all rows are of one class and guessed so: worth what chance is.
    found = metrics.quadratic_weighted_kappa(y, guess, sample_weight=w)
    return float(np.nan_to_num(found))


def _inside(coverage: float) -> Callable[[BinnedDistribution, Any, Any], float]:
    def share(forecast: BinnedDistribution, y, w) -> float:
        low, high = forecast.interval(coverage)
        return _mean((low <= y) & (y <= high), w)

    return share


SCORES = {
    "rps": ScoreKind("RPS", "lower", lambda f, y, w: _mean(f.rps(f.classes[y]), w)),
    "crps": ScoreKind("CRPS", "lower", lambda f, y, w: _mean(f.crps(y), w)),
    "log_score": ScoreKind(
        "log score",
        "lower",
        lambda f, y, w: _mean(
            f.log_score(f.classes[y])
            if isinstance(f, ClassDistribution)
            else -f.log_pdf(y),
            w,
        ),
    ),
    "mae": ScoreKind(
        "MAE of the median",
        "lower",
        lambda f, y, w: (
            _mae_of_classes(f, y, w)
            if isinstance(f, ClassDistribution)
            else _mean(np.abs(f.median() - y), w)
        ),
    ),
    "rmse": ScoreKind(
        "RMSE of the mean",
        "lower",
        lambda f, y, w: _mean((f.mean() - y) ** 2, w) ** 0.5,
    ),
    "accuracy": ScoreKind(
        "exact class",
        "higher",
        lambda f, y, w: _mean(f.probs.argmax(-1) == y, w),
        is_share=True,
    ),
    "within_1": ScoreKind(
        "at most 1 class off",
        "higher",
        lambda f, y, w: _mean(_off(f, y) <= 1, w),
        is_share=True,
    ),
    "qwk": ScoreKind("QWK", "higher", _qwk),
    "inside_50": ScoreKind(
        "inside of 50 % intervals", "near 50 %", _inside(0.5), is_share=True
    ),
    "inside_90": ScoreKind(
        "inside of 90 % intervals", "near 90 %", _inside(0.9), is_share=True
    ),
    "energy": ScoreKind("energy score", "lower"),
    "distance": ScoreKind("mean distance", "lower"),
    "near": ScoreKind("the class or a neighbor", "higher", is_share=True),
}
"""The last three are of classes on a ground, which `scores_of` is given."""

OF_CLASSES = ("rps", "log_score", "mae", "accuracy", "within_1", "qwk")
OF_NUMBERS = ("crps", "log_score", "mae", "rmse", "inside_50", "inside_90")


def scores_of(
    forecast: Forecast,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    ground: Ground | None = None,
) -> dict[str, float]:
    """The scores of forecasts by their key in `SCORES`.

    Args:
        forecast: The forecasts of some rows.
        y: Class codes 0 to K - 1, or numbers.
        weights: Weight of each row; equal by default.
        ground: How far apart the classes are, where their positions do not say it.

    >>> sure = ClassDistribution([[0.0, 1.0], [1.0, 0.0]], ["low", "high"])
    >>> scores_of(sure, np.array([1, 0]))["accuracy"]
    1.0
    """
    w = np.ones(len(y)) if weights is None else weights
    if ground is not None and isinstance(forecast, ClassDistribution):
        return _on_ground(forecast, y, w, ground)
    keys = OF_CLASSES if isinstance(forecast, ClassDistribution) else OF_NUMBERS
    return _scored(keys, forecast, y, w)


def _scored(keys, forecast: Forecast, y: np.ndarray, w: np.ndarray) -> dict[str, float]:
    return {
        key: score(forecast, y, w)
        for key in keys
        if (score := SCORES[key].score) is not None
    }


def _on_ground(
    forecast: ClassDistribution, y: np.ndarray, w: np.ndarray, ground: Ground
) -> dict[str, float]:
    """The scores by the distances of a ground; on a line they have their usual keys."""
    probs = forecast.probs
    guess = least_expected(probs, ground)
    whole = metrics.rows.ranked_probability_score(y, probs, ground=ground)
    energy, distance = _mean(whole, w), _mean(ground.cost.cpu().numpy()[guess, y], w)
    same = _scored(("log_score", "accuracy"), forecast, y, w)
    if isinstance(ground, Line):
        others = _scored(("within_1", "qwk"), forecast, y, w)
        return {"rps": energy, "mae": distance} | same | others
    near = (guess == y) | neighbors(ground).numpy()[y, guess]
    return {"energy": energy, "distance": distance} | same | {"near": _mean(near, w)}


def finite(scores: Mapping[str, float]) -> dict[str, float]:
    """The scores that are numbers: JSON knows no others."""
    return {key: value for key, value in scores.items() if np.isfinite(value)}
