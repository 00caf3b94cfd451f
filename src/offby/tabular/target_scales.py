"""Scales of a target: increasing maps and their inverses."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import ndtri
from scipy.stats import yeojohnson
from sklearn.preprocessing import FunctionTransformer

from offby.weighted import WeightedSample

Transform = Literal["log", "yeo-johnson", "quantile"]


@dataclass(frozen=True, eq=False)
class NormalScores:
    r"""Numbers as the normal scores of their ranks: a skewed target becomes normal.

    A number with a share s of the others below it, half of its equals included, becomes
    :math:`\Phi^{-1}(s)`; numbers between those seen lie on straight lines. Beyond the
    smallest and the largest number the outermost lines continue: unlike scikit-learn's
    `QuantileTransformer`, which ends there, the map has an inverse everywhere.

    References:
        Van der Waerden (1952), Order tests for the two-sample problem and their power,
        Indagationes Mathematicae 14.

    >>> scale = NormalScores.of([1.0, 2.0, 3.0, 30.0])
    >>> scale.transform(np.array([1.0, 2.0, 3.0, 30.0, 57.0])).round(2)
    array([-1.15, -0.32,  0.32,  1.15,  1.98])
    >>> scale.inverse_transform(scale.transform(np.array([-7.0, 57.0]))).round(9)
    array([-7., 57.])
    """

    numbers: Float[np.ndarray, " knots"]
    scores: Float[np.ndarray, " knots"]

    @classmethod
    def of(
        cls, values: ArrayLike, weights: ArrayLike | None = None, n_knots: int = 1001
    ) -> "NormalScores":
        """The scale of these values, exact at `n_knots` of them at most."""
        sample = WeightedSample.of(values, weights)
        different = sample.values
        if len(different) == 1:
            ends = np.array([-1.0, 1.0])
            return cls(different + ends * max(abs(different[0]), 1.0), ends)
        knots = np.linspace(0, len(different) - 1, min(n_knots, len(different)))
        kept = knots.round().astype(int)
        up_to = sample.weights.cumsum()
        middle = up_to - sample.weights / 2
        return cls(different[kept], ndtri(middle[kept] / up_to[-1]))

    def transform(self, y: np.ndarray) -> np.ndarray:
        """Numbers to scores."""
        return _on_lines(y, self.numbers, self.scores)

    def inverse_transform(self, z: np.ndarray) -> np.ndarray:
        """Scores to numbers."""
        return _on_lines(z, self.scores, self.numbers)


def _on_lines(x: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """Straight lines between points, continued beyond the outermost."""
    at = np.clip(np.searchsorted(xs, x, side="right") - 1, 0, len(xs) - 2)
    share = (x - xs[at]) / (xs[at + 1] - xs[at])
    # Meets both points of its line to the last bit.
    return ys[at] * (1 - share) + ys[at + 1] * share


@dataclass(frozen=True)
class YeoJohnson:
    """A power transform of the most likely power, scaled to mean 0 and variance 1.

    As scikit-learn's `PowerTransformer`, which takes no weights.

    References:
        Yeo, Johnson (2000), A new family of power transformations to improve normality
        or symmetry, Biometrika 87.
    """

    power: float
    center: float
    scale: float

    @classmethod
    def of(cls, values: ArrayLike, weights: ArrayLike | None = None) -> "YeoJohnson":
        """The power under which these numbers are most likely normal."""
        sample = WeightedSample.of(values, weights)
        y = sample.values
        slopes = float(sample.weights @ (np.sign(y) * np.log1p(np.abs(y))))

        def on_scale(power: float) -> WeightedSample:
            return WeightedSample(np.asarray(yeojohnson(y, power)), sample.weights)

        def minus_likelihood(power: float) -> float:
            spread = on_scale(power).std()
            if not 0 < spread < np.inf:
                return np.inf
            return sample.total * np.log(spread) - (power - 1) * slopes

        power = 1.0
        if len(y) > 1:
            options = {"xatol": 1.48e-8}
            best: Any = minimize_scalar(
                minus_likelihood,
                bounds=_safe_powers(y),
                method="bounded",
                options=options,
            )
            power = float(best.x)
        found = on_scale(power)
        return cls(power, found.mean(), found.std() or 1.0)

    def transform(self, y: np.ndarray) -> np.ndarray:
        """Numbers to the scale."""
        return (np.asarray(yeojohnson(y, self.power)) - self.center) / self.scale

    def inverse_transform(self, z: np.ndarray) -> np.ndarray:
        """Numbers back from the scale; not finite where the scale ends before."""
        z = z * self.scale + self.center
        above = _inverse_power(np.maximum(z, 0), self.power)
        below = _inverse_power(np.maximum(-z, 0), 2 - self.power)
        return np.where(z >= 0, above, -below)


def _inverse_power(z: np.ndarray, power: float) -> np.ndarray:
    """The x >= 0 with ((1 + x)^power - 1) / power = z."""
    if abs(power) < np.finfo(float).eps:
        return np.expm1(z)
    base = np.maximum(z * power + 1, 0)  # 0 is the end of a scale of negative power
    return np.power(base, 1 / power) - 1


def _safe_powers(y: np.ndarray) -> tuple[float, float]:
    """Powers under which numbers 20 times as large neither overflow nor vanish."""
    largest = np.log1p(20 * np.abs(y).max())
    eps = np.log(np.finfo(np.float64).eps)
    low = (np.log(np.finfo(np.float64).tiny) - eps) / 2 / largest
    high = (np.log(np.finfo(np.float64).max) + eps) / 2 / largest
    if (y < 0).all():
        return 2 - high, 2 - low
    if (y < 0).any():
        return max(2 - high, low), min(2 - low, high)
    return low, high


def fit_scale(
    transform: Transform | None, y: np.ndarray, weights: np.ndarray | None = None
):
    """The scale of these numbers; it has `transform` and `inverse_transform`."""
    match transform:
        case "log":
            if y.min() <= 0:
                raise ValueError(
                    'target_transform="log" needs positive targets, got '
                    f'{y.min():g}; use "yeo-johnson" or "quantile"'
                )
            return FunctionTransformer(np.log, np.exp).fit(y[:, None])
        case "yeo-johnson":
            return YeoJohnson.of(y, weights)
        case "quantile":
            return NormalScores.of(y, weights)
        case _:
            return FunctionTransformer().fit(y[:, None])


def to_scale(scale, y: np.ndarray) -> np.ndarray:
    """Numbers on the scale."""
    return np.asarray(scale.transform(y[:, None]))[:, 0]


def from_scale(scale, z: np.ndarray) -> np.ndarray:
    """Numbers back from the scale; what it does not reach is not finite."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return np.asarray(scale.inverse_transform(z[:, None]))[:, 0]
