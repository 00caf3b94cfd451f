"""Forecasts of TabICL, many quantiles of each row: docs/foundation-models.md."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from offby.bins import Bins
from offby.distribution import BinnedDistribution
from offby.distribution.circular import check_on_a_line

__all__ = ["from_quantiles"]


def from_quantiles(
    quantiles: ArrayLike,
    levels: ArrayLike | None = None,
    bins: Bins | None = None,
) -> BinnedDistribution:
    """Forecasts that are given by their quantiles, on one grid for all rows.

    The distribution function of a row is a line between its quantiles, and goes on as
    steeply beyond the outermost ones until it reaches 0 or 1. What it rises by in each
    bin is the bin's mass.

    Args:
        quantiles: rows x levels, in the units of the target, as
            `TabICLRegressor.predict(X, output_type="raw_quantiles")` gives them. A row
            in which quantiles cross is sorted.
        levels: Between 0 and 1, increasing; by default n of them at even steps without
            0 and 1, those of TabICL.
        bins: The grid; by default 1,000 bins of equal counts over the quantiles of all
            rows, with half-normal tails. Few rows far apart from each other want a
            finer one.

    Raises:
        ValueError: If shapes or levels do not fit, or quantiles are not finite.

    >>> import numpy as np
    >>> even = from_quantiles([[1.0, 2.0, 3.0]], bins=Bins.uniform(0, 4, 8))
    >>> even.probs
    array([[0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125]])
    """
    q = np.asarray(quantiles, dtype=np.float64)
    if q.ndim != 2 or q.shape[1] < 2 or not np.isfinite(q).all():
        raise ValueError(
            "quantiles must be finite numbers, rows x at least two levels, got shape "
            f"{q.shape}{'' if np.isfinite(q).all() else ' with numbers that are not'}"
        )
    q = np.sort(q, axis=1)
    level = _checked_levels(levels, q.shape[1])
    if bins is None:
        bins = Bins.quantile(q.ravel(), 1000, tails="half-normal")
    check_on_a_line("from_quantiles", bins)
    edges = bins.edges.cpu().numpy()
    below = np.stack([_below(edges, row, level) for row in q])
    # All that lies beyond the grid belongs to the bins at its ends.
    below[:, 0], below[:, -1] = 0.0, 1.0
    return BinnedDistribution(np.diff(below, axis=1), bins)


def _below(
    edges: Float[np.ndarray, " edges"],
    quantiles: Float[np.ndarray, " levels"],
    levels: Float[np.ndarray, " levels"],
) -> Float[np.ndarray, " edges"]:
    """Mass of one row below each edge."""
    first = (quantiles[1] - quantiles[0]) / (levels[1] - levels[0]) * levels[0]
    rest = 1 - levels[-1]
    last = (quantiles[-1] - quantiles[-2]) / (levels[-1] - levels[-2]) * rest
    places = np.concatenate([[quantiles[0] - first], quantiles, [quantiles[-1] + last]])
    return np.interp(edges, places, np.concatenate([[0.0], levels, [1.0]]))


def _checked_levels(levels: ArrayLike | None, n: int) -> Float[np.ndarray, " levels"]:
    if levels is None:
        return np.arange(1, n + 1) / (n + 1)
    level = np.asarray(levels, dtype=np.float64)
    if level.shape != (n,):
        raise ValueError(
            f"there must be one level for each of {n} quantiles, got shape "
            f"{level.shape}"
        )
    if not ((level > 0) & (level < 1)).all() or not (np.diff(level) > 0).all():
        raise ValueError(
            f"levels must increase and lie between 0 and 1, got {level.min():g} to "
            f"{level.max():g}"
        )
    return level
