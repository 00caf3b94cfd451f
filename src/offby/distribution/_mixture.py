"""Mixtures of forecasts on one grid."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from offby.bins import Bins
from offby.distribution._rows import Array


def mixture(
    parts: Sequence[Any], weights: Sequence[float] | None
) -> tuple[Array, Bins]:
    """Masses and grid of the mixture of `BinnedDistribution`s."""
    shares = np.ones(len(parts)) if weights is None else np.asarray(weights, float)
    if len(parts) == 0 or len(shares) != len(parts) or not (shares >= 0).all():
        raise ValueError(
            "a mixture needs parts and as many nonnegative weights, got "
            f"{len(parts)} parts and {len(shares)} weights"
        )
    shares = shares / shares.sum()
    grids = [part.bins for part in parts]
    if all(_same(grids[0], grid) for grid in grids):
        mixed = [w * part.probs for w, part in zip(shares, parts, strict=True)]
        return np.sum(mixed, axis=0), grids[0]
    if any(grid.tails != "none" or grid.wraps for grid in grids):
        raise ValueError(
            "a mixture of grids with tails or on a circle needs the same grid in all "
            "parts, got "
            f"{', '.join(map(repr, grids))}"
        )
    edges = np.unique(np.concatenate([grid.edges.cpu().numpy() for grid in grids]))
    below = [
        w * part[..., None].cdf(edges) for w, part in zip(shares, parts, strict=True)
    ]
    return np.diff(np.sum(below, axis=0)), Bins(edges)


def _same(one: Bins, other: Bins) -> bool:
    return one == other
