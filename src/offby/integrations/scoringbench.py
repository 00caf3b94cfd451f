"""Estimators and forecasts for ScoringBench: docs/integrations.md."""

from typing import Any

import numpy as np
from scoringbench.wrappers.base import (  # pyright: ignore[reportMissingImports]
    DistributionPrediction,
    ProbabilisticWrapper,
)
from sklearn.base import clone

from offby.bins import Bins
from offby.distribution import BinnedDistribution
from offby.distribution.circular import check_on_a_line
from offby.tabular import BinnedRegressor

__all__ = ["OffbyWrapper", "to_prediction"]

_INTO_A_TAIL = np.array([0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5, 6])
"""Where a tail is cut into bins, in widths of its bin from the inner edge. Of a
half-normal with half of its mass within one width, .00005 lie beyond six."""


def to_prediction(forecast: BinnedDistribution) -> Any:
    """A forecast as the container of ScoringBench, on one grid for all rows.

    Its bins are finite: a half-normal tail is cut into bins of which each holds its
    mass, and the last one the .00005 of it beyond six widths.

    Args:
        forecast: One axis of forecasts.

    Raises:
        ValueError: If bins lie on a circle, or there are several axes or none.
    """
    check_on_a_line("to_prediction", forecast.bins)
    if forecast.probs.ndim != 2:
        raise ValueError(
            "ScoringBench takes rows of forecasts, got a batch of shape "
            f"{forecast.probs.shape[:-1]}"
        )
    edges = _finite_edges(forecast.bins)
    below = forecast.cdf(edges[:, None]).T
    below[:, 0], below[:, -1] = 0.0, 1.0
    return DistributionPrediction(
        probas=np.diff(below, axis=1),
        bin_edges=edges,
        bin_midpoints=(edges[:-1] + edges[1:]) / 2,
        mean=forecast.mean(),
    )


class OffbyWrapper(ProbabilisticWrapper):
    """A regressor of offby as ScoringBench fits and scores it.

    Args:
        estimator: A regressor with `predict_dist`; by default `BinnedRegressor()`.
    """

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = BinnedRegressor() if estimator is None else estimator

    def fit(self, X: Any, y: Any) -> "OffbyWrapper":
        """Fit a copy of the estimator."""
        self.estimator_: Any = clone(self.estimator)
        self.estimator_.fit(X, np.asarray(y, np.float64))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The mean of each row."""
        return self.estimator_.predict_dist(X).mean()

    def predict_distribution(self, X: Any) -> Any:
        """The forecasts of all rows as a `DistributionPrediction`."""
        return to_prediction(self.estimator_.predict_dist(X))


def _finite_edges(bins: Bins) -> np.ndarray:
    edges = bins.edges.cpu().numpy()
    low, high = edges[1:2], edges[-2:-1]
    inner = edges[1:-1]
    first = low - _INTO_A_TAIL[::-1] * (edges[1] - edges[0])
    last = high + _INTO_A_TAIL * (edges[-1] - edges[-2])
    return np.concatenate(
        [
            first if bins.lower_tail else edges[:1],
            inner,
            last if bins.upper_tail else edges[-1:],
        ]
    )
