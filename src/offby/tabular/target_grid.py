"""The bins of a target: made on a scale, kept in the units of the target."""

import numpy as np

from offby.bins import Bins, Strategy, Tails
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
) -> Bins:
    """Bins made on the scale, in the units of the target.

    Tails are two more bins, outside the range of the numbers. They get next to no mass,
    but no number has density zero.
    """
    plain, on_scale = (
        WeightedSample.of(numbers, weights) for numbers in (y, to_scale(scale, y))
    )
    if len(on_scale.values) == 1:
        only = float(on_scale.values[0])
        room = max(abs(only), 1.0) * 1e-3
        made = Bins([only - room, only + room])
    else:
        made = Bins.around(on_scale.values, n_bins, strategy, weights=on_scale.weights)
    edges = from_scale(scale, made.edges.numpy())
    # The scale may end (Yeo-Johnson does) before the margin does: then the margin is
    # one bin on the scale of the target.
    low, high = plain.values[[0, -1]]
    margins = 2 * low - edges[1], 2 * high - edges[-2]
    ends = np.where(np.isfinite(edges[[0, -1]]), edges[[0, -1]], margins)
    inner = edges[1:-1]
    if tails == "none":
        return Bins(np.concatenate([ends[:1], inner, ends[1:]]))
    beyond = _outer_edges(scale, ends, plain, on_scale, float(made.widths[0]))
    parts = [beyond[:1], ends[:1], inner, ends[1:], beyond[1:]]
    return Bins(np.concatenate(parts), tails=tails)


def _outer_edges(
    scale,
    ends: np.ndarray,
    plain: WeightedSample,
    on_scale: WeightedSample,
    width: float,
) -> np.ndarray:
    """Where half of each tail ends: one standard deviation beyond the other bins.

    That of the numbers on the scale; or that of the target, if it is further out and
    not more than `_FAR` times as far on the scale.
    """
    outward = np.array([-1.0, 1.0])
    room = on_scale.std() or width
    start = to_scale(scale, ends)
    in_units = ends + outward * (plain.std() or ends[1] - ends[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = np.abs(to_scale(scale, in_units) - start)
    wide = from_scale(scale, start + outward * room)
    use_units = ~np.isfinite(wide) | ((steps > room) & (steps < _FAR * room))
    return np.where(use_units, in_units, wide)
