"""The bins of a target: made on a scale, kept in the units of the target."""

import numpy as np

from offby.bins import Bins, Bounds, Strategy, Tails
from offby.bins.names import has_lower_tail, has_upper_tail
from offby.bins.strategies import edges_around
from offby.bins.support import Support, bounded_edges
from offby.tabular.target_scales import from_scale, to_scale
from offby.weighted import WeightedSample

_FAR = 10
"""A tail may be at most so many standard deviations wide on the scale of the bins."""


def make_grid(
    scale,
    y: np.ndarray,
    n_bins: int,
    strategy: Strategy,
    tails: Tails,
    weights: np.ndarray | None = None,
    bounds: Bounds = None,
) -> Bins:
    """Bins made on the scale, in the units of the target.

    Tails are two more bins, outside the range of the numbers. They get next to no mass,
    but no number has density zero. A bound has none: there the grid ends.
    """
    plain, on_scale = (
        WeightedSample.of(numbers, weights) for numbers in (y, to_scale(scale, y))
    )
    support = Support.of(plain, bounds)
    if len(on_scale.values) == 1:
        only = float(on_scale.values[0])
        room = max(abs(only), 1.0) * 1e-3
        made = np.array([only - room, only + room])
    else:
        made = edges_around(on_scale, n_bins, strategy)
    edges = _in_units(from_scale(scale, made), plain)
    edges, tails = bounded_edges(edges, plain, support, tails)
    return _with_tails(edges, tails, scale, plain, on_scale, float(made[1] - made[0]))


def on_scale_of(scale, bins: Bins) -> Bins:
    """The grid on the scale, on which distances are measured.

    An end that the scale does not reach, as 0 on a logarithmic one, lies as far out as
    the next edge lies inside.
    """
    with np.errstate(divide="ignore"):
        edges = to_scale(scale, bins.edges.numpy())
    if not np.isfinite(edges[0]):
        edges[0] = 2 * edges[1] - edges[2]
    if not np.isfinite(edges[-1]):
        edges[-1] = 2 * edges[-2] - edges[-3]
    return Bins(edges, tails=bins.tails)


def _in_units(edges: np.ndarray, plain: WeightedSample) -> np.ndarray:
    """The edges, with margins that are no wider than their bins in the target's units.

    On a logarithmic scale, a bin from 2 to 8 would have a margin that reaches to 32,
    and the median of its evenly spread mass would lie far beyond any number seen. The
    scale may also end (Yeo-Johnson's does) before the margin does.
    """
    low, high = plain.values[[0, -1]]
    margins = 2 * low - edges[1], 2 * high - edges[-2]
    first, last = np.fmax(edges[0], margins[0]), np.fmin(edges[-1], margins[1])
    return np.concatenate([[first], edges[1:-1], [last]])


def _with_tails(
    edges: np.ndarray,
    tails: Tails,
    scale,
    plain: WeightedSample,
    on_scale: WeightedSample,
    width: float,
) -> Bins:
    """The grid, with a bin more at each end that is to have a tail.

    Half of the tail is within one standard deviation beyond the other bins: that of the
    numbers on the scale; or that of the target, if it is further out and not more than
    `_FAR` times as far on the scale.
    """
    outward, ends = np.array([-1.0, 1.0]), edges[[0, -1]]
    room = on_scale.std() or width
    with np.errstate(invalid="ignore", divide="ignore"):
        start = to_scale(scale, ends)
        in_units = ends + outward * (plain.std() or ends[1] - ends[0])
        steps = np.abs(to_scale(scale, in_units) - start)
        wide = from_scale(scale, start + outward * room)
    use_units = ~np.isfinite(wide) | ((steps > room) & (steps < _FAR * room))
    low, high = np.where(use_units, in_units, wide)
    below = [low] if has_lower_tail(tails) else []
    above = [high] if has_upper_tail(tails) else []
    return Bins(np.concatenate([below, edges, above]), tails=tails)
