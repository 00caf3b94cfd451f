"""Scores of fitted estimators, by name: for GridSearchCV and its relatives."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from offby.distribution import BinnedDistribution, ClassDistribution
from offby.metrics._inputs import weights
from offby.metrics._point_predictions import quadratic_weighted_kappa

Forecast = ClassDistribution | BinnedDistribution


@dataclass(frozen=True)
class Scorer:
    """A score of an estimator on rows, where greater is better: a scikit-learn scorer.

    It asks for the whole forecast: `predict_dist` if the estimator, the last step of a
    pipeline, or the best estimator of a search has it, else `predict_proba`, whose
    columns are in the order of `classes_`. That order must be the order of the classes:
    numbers have it, text rarely does. Two classes are scored as more are.

    Args:
        name: Its name in `offby.metrics.scorers`.
        of: Whether it scores forecasts of "classes" or of "numbers".
        score: From forecast, truth and weights to a number.

    >>> from sklearn.dummy import DummyClassifier
    >>> model = DummyClassifier().fit([[0], [1]], [0, 1])
    >>> scorers["neg_rps"](model, [[0], [1]], [0, 1])
    -0.25
    """

    name: str
    of: Literal["classes", "numbers"]
    score: Callable[[Any, np.ndarray, np.ndarray], float]

    def __call__(
        self, estimator: Any, X: Any, y_true: Any, sample_weight=None
    ) -> float:
        """The score of a fitted estimator on the rows `X` with the truth `y_true`.

        Raises:
            ValueError: If the estimator forecasts something else.
        """
        forecast = forecast_of(estimator, X)
        wanted = ClassDistribution if self.of == "classes" else BinnedDistribution
        if not isinstance(forecast, wanted):
            raise ValueError(
                f"the scorer {self.name!r} is for forecasts of {self.of}, got an "
                f"estimator of the others ({type(estimator).__name__}); choose another "
                "scorer"
            )
        y = np.asarray(y_true)
        return float(self.score(forecast, y, weights(sample_weight, len(y))))

    def __repr__(self) -> str:
        return f"offby.metrics.scorers[{self.name!r}]"


def forecast_of(estimator: Any, X: Any) -> Forecast:
    """The whole forecast of a fitted estimator, also of one in a pipeline or search.

    Raises:
        TypeError: If it has neither `predict_dist` nor `predict_proba`.
    """
    if hasattr(estimator, "predict_dist"):
        return estimator.predict_dist(X)
    if hasattr(estimator, "best_estimator_"):
        return forecast_of(estimator.best_estimator_, X)
    if hasattr(estimator, "steps"):
        last = estimator.steps[-1][1]
        before = estimator[:-1] if len(estimator.steps) > 1 else None
        return forecast_of(last, X if before is None else before.transform(X))
    if hasattr(estimator, "predict_proba"):
        return ClassDistribution(estimator.predict_proba(X), estimator.classes_)
    raise TypeError(
        "a scorer of forecasts needs an estimator with predict_dist or predict_proba, "
        f"got a {type(estimator).__name__}; use a scorer of scikit-learn"
    )


def _minus_mean(rows: Callable[[Any, np.ndarray], np.ndarray]) -> Callable[..., float]:
    """Minus the mean over rows: of an error, so that greater is better."""

    def score(forecast: Any, y: np.ndarray, w: np.ndarray) -> float:
        return -float(np.average(rows(forecast, y), weights=w))

    return score


def _off(forecast: ClassDistribution, y: np.ndarray) -> np.ndarray:
    """Distance of the median class from the true one, in the units of the classes."""
    places = forecast.positions
    guess = forecast.index(forecast.median())
    return np.abs(places[guess] - places[forecast.index(y)])


def _kappa(forecast: ClassDistribution, y: np.ndarray, w: np.ndarray) -> float:
    guess, truth = forecast.index(forecast.median()), forecast.index(y)
    places = forecast.positions
    found = quadratic_weighted_kappa(places[truth], places[guess], sample_weight=w)
    # All rows in one class, and guessed so: worth what chance is.
    return float(np.nan_to_num(found))


def _brier(forecast: ClassDistribution, y: np.ndarray) -> np.ndarray:
    truth = np.eye(len(forecast.classes))[forecast.index(y)]
    return ((forecast.probs - truth) ** 2).sum(-1)


def _places_off(forecast: ClassDistribution, y: np.ndarray) -> np.ndarray:
    return np.abs(forecast.index(forecast.median()) - forecast.index(y))


def _interval_90(forecast: BinnedDistribution, y: np.ndarray) -> np.ndarray:
    low, high = forecast.interval(0.9)
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return high - low + 20 * outside


_ALL = (
    Scorer("neg_rps", "classes", _minus_mean(lambda f, y: f.rps(y))),
    Scorer("neg_log_score", "classes", _minus_mean(lambda f, y: f.log_score(y))),
    Scorer("neg_brier_score", "classes", _minus_mean(_brier)),
    Scorer("neg_class_mae", "classes", _minus_mean(_off)),
    Scorer("qwk", "classes", _kappa),
    Scorer(
        "accuracy_within_1",
        "classes",
        lambda f, y, w: float(np.average(_places_off(f, y) <= 1, weights=w)),
    ),
    Scorer("neg_crps", "numbers", _minus_mean(lambda f, y: f.crps(y))),
    Scorer("neg_log_density", "numbers", _minus_mean(lambda f, y: -f.log_pdf(y))),
    Scorer(
        "neg_median_mae",
        "numbers",
        _minus_mean(lambda f, y: np.abs(f.median() - y)),
    ),
    Scorer("neg_interval_score_90", "numbers", _minus_mean(_interval_90)),
)

scorers = MappingProxyType({scorer.name: scorer for scorer in _ALL})
"""Scorers by name: `GridSearchCV(model, grid, scoring=scorers["neg_rps"])`.

Of classes: neg_rps, neg_log_score, neg_brier_score, neg_class_mae, qwk and
accuracy_within_1. Of numbers: neg_crps, neg_log_density, neg_median_mae and
neg_interval_score_90. As in scikit-learn, greater is better, and "neg_" is an error
with its sign turned.
"""
