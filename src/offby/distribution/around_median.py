"""Histograms on a circle from their median outwards: quantiles, intervals, PIT.

On a circle no number is the lowest, so mass is counted from the place that is farthest
from the median: its antipode. There the circle is cut, and is a line on which the
median has half of the mass on either side.
"""

import numpy as np
from jaxtyping import Float

from offby.bins import Bins
from offby.distribution._rows import in_chunks

_Rows = Float[np.ndarray, " rows"]
_RowsOfBins = Float[np.ndarray, "rows bins"]


def medians_around(probs: _RowsOfBins, bins: Bins) -> _Rows:
    r"""The number with the least mean arc to the mass, on the turn of the grid.

    .. math:: m = \arg\min_x E\, d(X, x)

    Half of the mass lies within half a turn above it, and half below. Where several
    numbers are as good, the first.

    Args:
        probs: Mass of each bin, bins that wrap (`Bins.periodic`).
        bins: The grid.

    References:
        Mardia, Jupp (2000), Directional statistics, section 2.2.2,
        doi:10.1002/9780470316979.

    >>> medians_around(np.array([[0.5, 0, 0, 0.5]]), Bins.periodic(0, 24, 4)).item()
    0.0
    """
    period = float(bins.period)
    start = float(bins.edges[0])
    edges = bins.edges.cpu().numpy()[:-1] - start
    # Between these places the mass ahead of a number changes evenly.
    knots = np.unique(np.concatenate([edges, np.mod(edges + period / 2, period)]))
    knots = np.append(knots, period)
    wide, found = np.diff(knots), []
    for _, p in in_chunks(probs):
        ahead = mass_below(p, bins, knots + period / 2 + start)
        ahead = ahead - mass_below(p, bins, knots + start) - 0.5
        # The mean arc falls by twice the surplus of the mass ahead.
        slope = (ahead[:, :-1] + ahead[:, 1:]) * wide
        arcs = -np.concatenate([np.zeros((len(p), 1)), slope.cumsum(-1)], -1)
        first, last = ahead[:, :-1], ahead[:, 1:]
        turns = (first > 0) & (last < 0)
        share = np.divide(first, first - last, out=np.zeros_like(first), where=turns)
        inside = arcs[:, :-1] - first * share * wide
        best = np.argmin(inside, -1)
        at = (knots[:-1] + share * wide)[np.arange(len(p)), best]
        found.append(start + at)
    return np.concatenate(found) if found else np.empty(0)


def quantiles_around(
    probs: _RowsOfBins, bins: Bins, levels: Float[np.ndarray, " levels"]
) -> Float[np.ndarray, "rows levels"]:
    """Numbers that are reached with these shares of mass, from the antipode upward.

    They increase from half a turn below the median (level 0) to half a turn above it
    (level 1), and so may lie outside of the turn of the grid.

    Raises:
        ValueError: If the levels are not on one axis, or no probabilities.

    >>> p, hours = np.array([[0.5, 0, 0, 0.5]]), Bins.periodic(0, 24, 4)
    >>> quantiles_around(p, hours, np.array([0.25, 0.5, 0.75])).tolist()
    [[-3.0, 0.0, 3.0]]
    """
    if levels.ndim != 1 or not ((levels >= 0) & (levels <= 1)).all():
        raise ValueError(
            f"levels must be one axis of numbers from 0 to 1, got {levels.tolist()}; "
            "0.5 is the median"
        )
    period = float(bins.period)
    medians = medians_around(probs, bins)
    edges = bins.edges.cpu().numpy()
    over = np.concatenate([edges[:-1] - period, edges[:-1], edges + period])
    found = np.empty((len(probs), len(levels)))
    for row, (p, median) in enumerate(zip(probs, medians, strict=True)):
        below = np.concatenate([[0.0], p.cumsum()])[:-1] / p.sum()
        reached = np.concatenate([below - 1, below, below + 1, [2.0]])
        lowest = np.interp(median - period / 2, over, reached)
        found[row] = np.interp(lowest + levels, reached, over)
        # No farther than half a turn, where the last bins are empty.
        found[row] = np.clip(found[row], median - period / 2, median + period / 2)
    return found


def pit_around(probs: _RowsOfBins, bins: Bins, y: _Rows) -> _Rows:
    """Mass from the antipode of the median upward to the true number.

    Args:
        probs: Mass of each bin, bins that wrap.
        bins: The grid.
        y: The true number of each row; it may lie on any turn.

    >>> p, hours = np.array([[0.5, 0, 0, 0.5]]), Bins.periodic(0, 24, 4)
    >>> pit_around(p, hours, np.array([21.0]))
    array([0.25])
    """
    period = float(bins.period)
    lowest = medians_around(probs, bins) - period / 2
    up = lowest + np.mod(y - lowest, period)
    below = [
        mass_below(p, bins, np.stack([lowest, up], -1)[start : start + len(p)])
        for start, p in in_chunks(probs)
    ]
    ends = np.concatenate(below) if below else np.empty((0, 2))
    return np.clip(ends[:, 1] - ends[:, 0], 0, 1)


def mass_below(
    probs: _RowsOfBins, bins: Bins, numbers: np.ndarray
) -> Float[np.ndarray, "rows numbers"]:
    """Mass from the first edge up to numbers; each further turn adds 1.

    Args:
        probs: Mass of each bin, bins that wrap.
        bins: The grid.
        numbers: One axis of them for all rows, or rows x numbers.
    """
    edges = bins.edges.cpu().numpy()
    turns, rest = np.divmod(numbers - edges[0], float(bins.period))
    place = np.clip(np.searchsorted(edges - edges[0], rest, "right") - 1, 0, None)
    place = np.minimum(place, bins.n_bins - 1)
    share = (rest - (edges[place] - edges[0])) / np.diff(edges)[place]
    total = probs.sum(-1, keepdims=True)
    below = np.concatenate([np.zeros((len(probs), 1)), probs.cumsum(-1)], -1)
    place, share = np.atleast_2d(place), np.atleast_2d(share)
    rows = np.arange(len(probs))[:, None]
    return (
        np.atleast_2d(turns) + (below[rows, place] + share * probs[rows, place]) / total
    )
