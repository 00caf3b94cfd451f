"""Histograms on a circle: their CRPS and shortest intervals."""

import numpy as np
from jaxtyping import Float

from offby.bins import Bins
from offby.distribution._rows import in_chunks


def crps_around(
    probs: Float[np.ndarray, "rows bins"], bins: Bins, y: Float[np.ndarray, " rows"]
) -> Float[np.ndarray, " rows"]:
    r"""Continuous ranked probability score on the circle, in the units of the bins.

    .. math:: E\, d(X, y) - \tfrac12 E\, d(X, X')

    with the arc for distance. It is proper, and exact for mass that is spread evenly
    over each bin. On a line the same formula is the usual CRPS.

    Args:
        probs: Mass of each bin, bins that wrap (`Bins.periodic`).
        bins: The grid.
        y: The true number of each row; it may lie on any turn.

    References:
        Grimit, Gneiting, Berrocal, Johnson (2006), The continuous ranked probability
        score for circular variables, Q. J. R. Meteorol. Soc. 132,
        doi:10.1256/qj.05.235.

    >>> sure = np.array([[1.0, 0, 0, 0]])
    >>> crps_around(sure, Bins.periodic(0, 24, 4), np.array([3.0])).round(9)
    array([0.5])
    """
    edges, period = bins.edges.cpu().numpy(), float(bins.period)
    wide = np.diff(edges)
    turns = _area_of_area(edges[:, None] - edges, period)
    # Mean arc of two points, each anywhere in its bin.
    between = -np.diff(np.diff(turns, axis=0), axis=1) / (wide[:, None] * wide)
    found = []
    for start, p in in_chunks(probs):
        away = edges - y[start : start + len(p), None]
        from_truth = np.diff(_area(away, period), axis=-1) / wide
        found.append((p * (from_truth - p @ between / 2)).sum(-1))
    return np.concatenate(found) if found else np.empty(0)


def shortest_arcs(
    probs: Float[np.ndarray, "rows bins"],
    bins: Bins,
    coverage: float,
) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
    """The shortest arc of that mass: where it begins, and where it ends going upward.

    Both ends are on the turn of the grid, so an arc through the seam ends below its
    start. An arc of all mass is the whole turn.

    >>> low, high = shortest_arcs(
    ...     np.array([[0.5, 0, 0, 0.5]]), Bins.periodic(0, 24, 4), 0.5
    ... )
    >>> low.item(), high.item()
    (18.0, 0.0)
    """
    edges, period = bins.edges.cpu().numpy(), float(bins.period)
    n_bins = bins.n_bins
    low, high = [], []
    for _, p in in_chunks(probs):
        below = np.concatenate([np.zeros((len(p), 1)), p.cumsum(-1)], -1)
        below /= below[:, -1:]
        twice = np.concatenate([below, 1 + below[:, 1:]], -1)
        over = np.concatenate([edges, edges[1:] + period])
        ends = np.empty((len(p), 2))
        for row, reached in enumerate(twice):
            # Between edges the density is even: an end of the shortest arc is at one.
            starts = edges[:-1]
            up = np.interp(below[row, :-1] + coverage, reached, over)
            stops = over[n_bins:]
            down = np.interp(reached[n_bins:] - coverage, reached, over)
            first = np.concatenate([starts, down])
            last = np.concatenate([up, stops])
            best = np.argmin(last - first)
            ends[row] = first[best], last[best]
        whole = ends[:, 1] - ends[:, 0] >= period * (1 - 1e-12)
        turned = edges[0] + np.mod(ends - edges[0], period)
        turned[whole] = edges[[0, -1]]
        low.append(turned[:, 0])
        high.append(turned[:, 1])
    return np.concatenate(low), np.concatenate(high)


def _area(apart: np.ndarray, period: float) -> np.ndarray:
    """Integral of the arc from 0 to a number."""
    turns, rest = np.divmod(apart, period)
    half = period / 2
    near = rest**2 / 2
    far = half**2 - (period - rest) ** 2 / 2
    return turns * half**2 + np.where(rest <= half, near, far)


def _area_of_area(apart: np.ndarray, period: float) -> np.ndarray:
    """Integral of that integral, from 0 to a number."""
    size = np.abs(apart)  # The arc is even, so its first integral is odd.
    turns, rest = np.divmod(size, period)
    half = period / 2
    near = rest**3 / 6
    far = half**2 * rest - half**3 + (period - rest) ** 3 / 6
    # Of whole turns: the integral of one is half its height times its length.
    whole = half**3 * turns + half**2 * period * turns * (turns - 1) / 2
    return whole + turns * half**2 * rest + np.where(rest <= half, near, far)
