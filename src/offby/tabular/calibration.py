"""Correcting predicted probabilities on validation rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax
from sklearn.isotonic import IsotonicRegression

from offby.weighted import distinct_rows

Correction = Callable[[np.ndarray], np.ndarray]
"""From predicted probabilities to corrected ones."""


def fit_correction(
    kind: Literal["temperature", "isotonic"] | None,
    probs: Float[np.ndarray, "rows classes"],
    index: Int[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"],
) -> Correction:
    """The correction of this kind, fitted to validation rows."""
    match kind:
        case "temperature":
            return Temperature.fit(probs, index, weights)
        case "isotonic":
            return Isotonic.fit(probs, index, weights)
        case _:
            return identity


def identity(
    probs: Float[np.ndarray, "*batch classes"],
) -> Float[np.ndarray, "*batch classes"]:
    """No correction."""
    return probs


@dataclass(frozen=True)
class Temperature:
    """Masses to the power 1 / temperature: above 1 it makes forecasts less sure.

    References:
        Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks,
        arXiv:1706.04599.

    >>> Temperature(2.0)(np.array([0.8, 0.2])).round(3)
    array([0.667, 0.333])
    """

    temperature: float

    @classmethod
    def fit(
        cls,
        probs: Float[np.ndarray, "rows classes"],
        index: Int[np.ndarray, " rows"],
        weights: Float[np.ndarray, " rows"] | None = None,
    ) -> "Temperature":
        """The temperature with the least weighted log score on these rows."""
        probs, index, weights = _different_rows(probs, index, weights)
        log_p = _log(probs)
        rows = np.arange(len(index))

        def log_score(log_temperature: float) -> float:
            scaled = log_p / np.exp(log_temperature)
            scores = logsumexp(scaled, -1) - scaled[rows, index]
            return float(weights @ scores / weights.sum())

        found: Any = minimize_scalar(log_score, bounds=(-3, 3), method="bounded")
        return cls(float(np.exp(found.x)))

    def __call__(
        self, probs: Float[np.ndarray, "*batch classes"]
    ) -> Float[np.ndarray, "*batch classes"]:
        """The corrected masses."""
        return softmax(_log(probs) / self.temperature, -1)


@dataclass(frozen=True, eq=False)
class Isotonic:
    """A monotone map of the cumulative probabilities.

    Where half of the rows lie below their predicted 30 % quantile, it turns 0.3 into
    0.5. A share 1 / (rows + 1) of the map is the identity: without it, a class that by
    chance no row showed would get no mass at all.

    References:
        Kuleshov, Fenner, Ermon (2018), Accurate uncertainties for deep learning using
        calibrated regression, arXiv:1807.00263.
    """

    levels: Float[np.ndarray, " knots"]
    mapped: Float[np.ndarray, " knots"]

    @classmethod
    def fit(
        cls,
        probs: Float[np.ndarray, "rows classes"],
        index: Int[np.ndarray, " rows"],
        weights: Float[np.ndarray, " rows"] | None = None,
    ) -> "Isotonic":
        """The monotone map that fits these rows best, over all cuts between classes."""
        probs, index, weights = _different_rows(probs, index, weights)
        below = probs.cumsum(-1)[:, :-1]
        happened = index[:, None] <= np.arange(below.shape[1])
        levels = np.linspace(0, 1, 201)
        found = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        of_cut = weights.repeat(below.shape[1])
        found.fit(below.ravel(), happened.ravel(), sample_weight=of_cut)
        mapped = found.predict(levels)
        mapped[0], mapped[-1] = 0, 1
        share = 1 / (weights.sum() + 1)
        return cls(levels, (1 - share) * mapped + share * levels)

    def __call__(
        self, probs: Float[np.ndarray, "*batch classes"]
    ) -> Float[np.ndarray, "*batch classes"]:
        """The corrected masses."""
        below = np.interp(probs.cumsum(-1), self.levels, self.mapped)
        below[..., -1] = 1
        return np.diff(below, axis=-1, prepend=0)


def _different_rows(
    probs: np.ndarray, index: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each different row once, with its total weight, in an order of their own.

    So a row of weight 3 and a row that comes three times give the same bits.
    """
    weights = np.ones(len(index)) if weights is None else weights
    first, code = distinct_rows(np.column_stack([probs, index]))
    return probs[first], index[first], np.bincount(code, weights)


def _log(probs: np.ndarray) -> np.ndarray:
    # Masses that underflowed count as the least number there is.
    return np.log(np.maximum(probs, np.finfo(np.float64).tiny))
