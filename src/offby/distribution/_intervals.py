"""The shortest interval of a given mass, exact. Theory: docs/maths/histogram.md."""

import numpy as np
from scipy.special import erfc, erfcinv

from offby.bins import Bins, tails_at
from offby.distribution._rows import (
    ROWS_AT_ONCE,
    Array,
    below_edges,
    in_chunks,
    within_bins,
)
from offby.distribution.half_normal import densest, number_at, tails_of
from offby.kernels.masses import shortest

_AS_SHORT = 1e-12
"""Intervals that differ less, in lengths of the grid, are as short as each other."""
_BISECTIONS = 60
"""Halvings of an interval of masses: more than float64 has digits."""


def shortest_intervals(
    rows: np.ndarray, mass: Array, bins: Bins
) -> tuple[Array, Array]:
    """Lower and upper ends of the shortest interval with that mass, for each row.

    Of equally short ones it begins at the lowest edge, or else ends there.

    Args:
        rows: Masses of bins, rows x bins.
        mass: Mass of the interval of each row.
        bins: The grid.
    """
    found = shortest(rows, mass, bins)
    if found is not None:
        return found
    low, high = np.empty(len(rows)), np.empty(len(rows))
    for i, part in in_chunks(rows):
        some = slice(i, i + ROWS_AT_ONCE)
        low[some], high[some] = _shortest_plain(below_edges(part), mass[some], bins)
    return low, high


def _shortest_plain(below: Array, mass: Array, bins: Bins) -> tuple[Array, Array]:
    """The specification.

    As an interval of fixed mass moves, its width changes by 1/density at its upper end
    minus 1/density at its lower end. Between edges the density is constant: there the
    width is least where an end is at an edge. Where an end is in a half-normal tail, it
    is least where both densities are equal.

    Args:
        below: Distribution function at each edge, rows x edges.
        mass: Mass of the interval of each row.
        bins: The grid.
    """
    starts = [below, below - mass[:, None]]
    if bins.tails != "none":
        starts += _starts_of_equal_density(below, mass, bins)
    start = np.concatenate(starts, -1)
    # What rounding takes beyond the ends is no reason to leave a candidate out.
    possible = (start >= -1e-12) & (start + mass[:, None] <= 1 + 1e-12)
    start = np.where(possible, np.clip(start, 0, 1), 0)
    low = _lower_ends(below, start, bins)
    # Of no mass among empty bins, the largest lower end is above the least upper one.
    high = np.maximum(
        low, _numbers_at(below, np.clip(start + mass[:, None], 0, 1), bins)
    )
    with np.errstate(invalid="ignore"):  # infinity less infinity
        width = np.where(possible, high - low, np.inf)
    width = np.nan_to_num(width, nan=np.inf)
    # Inside one bin all places are as short: the first, and not what rounding likes.
    near = _AS_SHORT * float(bins.edges[-1] - bins.edges[0])
    best = (width <= width.min(-1, keepdims=True) + near).argmax(-1)
    row = np.arange(len(below))
    return low[row, best], high[row, best]


def _starts_of_equal_density(below: Array, mass: Array, bins: Bins) -> list[Array]:
    """Mass below intervals with an end in a tail and the same density at both ends.

    NaN where there is no such interval.
    """
    probs = np.diff(below, axis=-1)
    # Of a tail this is the density at its inner edge, where it is highest.
    density = probs * densest(bins)[1].cpu().numpy()
    ends = [tail.at for tail in tails_of(bins)]
    inner = np.delete(density, ends, -1)
    starts = []
    with np.errstate(all="ignore"):
        for tail in tails_of(bins):
            k = [tail.at]
            out = probs[:, k] * erfc(np.sqrt(np.log(density[:, k] / inner)))
            starts.append(1 - out - mass[:, None] if tail.outward > 0 else out)
        if bins.lower_tail and bins.upper_tail:
            starts.append(_in_both_tails(probs, density, mass)[:, None])
    return starts


def _in_both_tails(probs: Array, density: Array, mass: Array) -> Array:
    """Mass below the interval from tail to tail with equal density at both ends."""
    low = np.maximum(0, 1 - mass - probs[:, -1])
    high = np.minimum(probs[:, 0], 1 - mass)
    ratio = np.log(density[:, 0] / density[:, -1])
    for _ in range(_BISECTIONS):
        start = (low + high) / 2
        lower = erfcinv(start / probs[:, 0]) ** 2
        upper = erfcinv((1 - mass - start) / probs[:, -1]) ** 2
        rises = ratio - lower > -upper  # denser at the lower end: go back
        low, high = np.where(rises, low, start), np.where(rises, start, high)
    return (low + high) / 2


def _lower_ends(below: Array, start: Array, bins: Bins) -> Array:
    """Numbers with that mass below; of several, the largest."""
    mirrored = 1 - below[:, ::-1]
    other = Bins(
        -bins.edges.flip(0),
        tails=tails_at(lower=bins.upper_tail, upper=bins.lower_tail),
    )
    return 0.0 - _numbers_at(mirrored, 1 - start, other)  # not -0.0


def _numbers_at(below: Array, q: Array, bins: Bins) -> Array:
    """Numbers with mass `q` below, of rows of distribution functions; the smallest."""
    n, k = below.shape[0], below.shape[1] - 1
    # All rows as one increasing sequence, for one search.
    shift = 2.0 * np.arange(n)[:, None]
    ends = (below[:, 1:] + shift).ravel()
    at = np.searchsorted(ends, (q + shift).ravel()).reshape(q.shape)
    at = np.clip(at - k * np.arange(n)[:, None], 0, k - 1)
    first = np.take_along_axis(below, at, -1)
    inside = np.take_along_axis(below, at + 1, -1) - first
    share = np.divide(q - first, inside, out=np.zeros_like(q), where=inside > 0)
    return within_bins(number_at, np.clip(share, 0, 1), at, bins)
