"""The score of each row. The functions of `offby.metrics` average these."""

import numpy as np
from numpy.typing import ArrayLike

from offby.bins import Bins
from offby.bins.intervals import check_bins
from offby.distribution import BinnedDistribution
from offby.grounds import Ground
from offby.metrics import _inputs

__all__ = [
    "brier_score",
    "histogram_crps",
    "histogram_log_score",
    "histogram_pit_cdf",
    "log_score",
    "pit_cdf",
    "ranked_probability_score",
]


def ranked_probability_score(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    ground: Ground | None = None,
    normalized: bool = False,
) -> np.ndarray:
    """Rows of :func:`offby.metrics.ranked_probability_score`.

    >>> ranked_probability_score([0, 0], [[0.5, 0.0, 0.5], [1.0, 0.0, 0.0]])
    array([0.5, 0. ])
    """
    y, p, at = _classes(y_true, y_proba, labels)
    if ground is not None:
        return _energy(y, p, ground, normalized)
    # Summed on the side away from the truth: 1 - F would lose digits of a small tail.
    below = np.cumsum(p, axis=-1)[:, :-1]
    above = np.cumsum(p[:, ::-1], axis=-1)[:, ::-1][:, 1:]
    missed = np.where(y[:, None] <= np.arange(p.shape[-1] - 1), above, below)
    length = at[-1] - at[0] if normalized and len(at) > 1 else 1.0
    return missed**2 @ np.diff(at) / length


def _energy(
    y: np.ndarray, p: np.ndarray, ground: Ground, normalized: bool
) -> np.ndarray:
    """Squared EMD of probabilities on any ground: E d(X, y) - E d(X, X') / 2."""
    if ground.n_classes != p.shape[-1]:
        raise ValueError(
            f"ground must have the {p.shape[-1]} classes of y_proba, "
            f"got {ground.n_classes}"
        )
    if normalized:
        ground = ground.normalized()
    cost = ground.cost.cpu().numpy()
    # The mass on the other classes, summed: 1 - p of the true class would lose digits.
    extra = p.copy()
    elsewhere = np.arange(p.shape[-1]) != y[:, None]
    extra[~elsewhere] = -np.where(elsewhere, p, 0.0).sum(-1)
    return -((extra @ cost) * extra).sum(-1) / 2


def log_score(
    y_true: ArrayLike, y_proba: ArrayLike, *, labels: ArrayLike | None = None
) -> np.ndarray:
    """Rows of :func:`offby.metrics.log_score`; infinite if the true class has no mass.

    >>> log_score([0, 1], [[1.0, 0.0], [1.0, 0.0]])
    array([-0., inf])
    """
    y, p, _ = _classes(y_true, y_proba, labels)
    with np.errstate(divide="ignore"):
        return -np.log(np.take_along_axis(p, y[:, None], -1)[:, 0])


def brier_score(
    y_true: ArrayLike, y_proba: ArrayLike, *, labels: ArrayLike | None = None
) -> np.ndarray:
    """Rows of :func:`offby.metrics.brier_score`.

    >>> brier_score([0], [[0.5, 0.0, 0.5]])
    array([0.5])
    """
    y, p, _ = _classes(y_true, y_proba, labels)
    return ((p - np.eye(p.shape[-1])[y]) ** 2).sum(-1)


def histogram_crps(y_true: ArrayLike, y_proba: ArrayLike, bins: Bins) -> np.ndarray:
    """Rows of :func:`offby.metrics.histogram_crps`.

    >>> histogram_crps([4.0], [[0.25] * 4], Bins.uniform(0, 8, 4)).round(4)
    array([0.6667])
    """
    y, predicted = _numbers(y_true, y_proba, bins)
    return predicted.crps(y)


def histogram_log_score(
    y_true: ArrayLike, y_proba: ArrayLike, bins: Bins
) -> np.ndarray:
    """Rows of :func:`offby.metrics.histogram_log_score`.

    >>> histogram_log_score([1.0, 9.0], [[0.25] * 4] * 2, Bins.uniform(0, 8, 4))
    array([2.07944154,        inf])
    """
    y, predicted = _numbers(y_true, y_proba, bins)
    return -predicted.log_pdf(y)


def pit_cdf(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    levels: ArrayLike,
    *,
    labels: ArrayLike | None = None,
) -> np.ndarray:
    """Share of each row's PIT at or below each level: rows x levels.

    The PIT of a class is not a single number. It is spread evenly over the jump of the
    predicted distribution function at that class.

    >>> pit_cdf([1], [[0.5, 0.5]], [0.5, 0.75, 1.0])
    array([[0. , 0.5, 1. ]])
    """
    y, p, _ = _classes(y_true, y_proba, labels)
    above = np.take_along_axis(np.cumsum(p, -1), y[:, None], -1)
    mass = np.take_along_axis(p, y[:, None], -1)
    least = np.finfo(np.float64).tiny  # A jump of no height is a step.
    return np.clip((_levels(levels) - (above - mass)) / np.maximum(mass, least), 0, 1)


def histogram_pit_cdf(
    y_true: ArrayLike, y_proba: ArrayLike, bins: Bins, levels: ArrayLike
) -> np.ndarray:
    """Whether each row's PIT is at or below each level, 0 or 1: rows x levels.

    >>> histogram_pit_cdf([1.0], [[0.5, 0.5]], Bins([0, 2, 4]), [0.2, 0.25, 1.0])
    array([[0., 1., 1.]])
    """
    y, predicted = _numbers(y_true, y_proba, bins)
    return (predicted.pit(y)[:, None] <= _levels(levels)).astype(np.float64)


def _classes(
    y_true: ArrayLike, y_proba: ArrayLike, labels: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the true classes, probabilities, and positions of the classes."""
    n_rows = len(_inputs.one_axis("y_true", y_true))
    p = _inputs.probabilities(y_proba, n_rows, None)
    y = _inputs.codes("y_true", y_true, labels, p.shape[-1])
    return y, p, _inputs.positions(labels, p.shape[-1])


def _numbers(
    y_true: ArrayLike, y_proba: ArrayLike, bins: Bins
) -> tuple[np.ndarray, BinnedDistribution]:
    check_bins(bins)
    y = _inputs.finite("y_true", y_true)
    p = _inputs.probabilities(y_proba, len(y), bins.n_bins)
    return y, BinnedDistribution(p, bins)


def _levels(levels: ArrayLike) -> np.ndarray:
    found = _inputs.finite("levels", levels)
    if found.min() < 0 or found.max() > 1:
        raise ValueError(
            "levels must be probabilities between 0 and 1, "
            f"got {found.min():g} to {found.max():g}"
        )
    return found
