"""Targets of a boosting objective, checked once: classes, or numbers in bins."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from offby._checks import on_host
from offby.bins import Bins
from offby.distribution.half_normal import Beyond, log_density, tails_of


@dataclass(frozen=True, eq=False)
class Target:
    """The truth of every row, as the losses read it.

    The CRPS of a histogram is a quadratic form of the misses e at the inner edges; of
    the number itself only the two edges of its bin know: 2 before e_left + 2 after
    e_right + rest. All three are in the units of the target.
    """

    index: np.ndarray
    """Class or bin of each row."""
    before: np.ndarray | None = None
    after: np.ndarray | None = None
    rest: np.ndarray | None = None
    log_density: np.ndarray | None = None
    """Log density of the number in its bin; at the nearest edge if it is outside."""

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: slice | np.ndarray) -> "Target":
        """Some of the rows."""
        parts = (self.index, self.before, self.after, self.rest, self.log_density)
        return Target(*(None if part is None else part[rows] for part in parts))  # pyright: ignore[reportArgumentType]


def target_of(target: ArrayLike, n_classes: int, bins: Bins | None) -> Target:
    """Checked classes, or numbers if there are bins.

    Raises:
        ValueError: If they are not classes 0 to K - 1, or finite numbers, on one axis.
    """
    if isinstance(target, Target):
        return _fitting(target, n_classes, bins)
    found = on_host(target)
    if found.ndim != 1:
        raise ValueError(
            f"target must hold one value for each row, got shape {found.shape}"
        )
    if bins is not None:
        return _of_numbers(found, bins)
    if found.dtype.kind not in "biuf":
        odd = found
    else:
        odd = found[(found != np.floor(found)) | (found < 0) | (found >= n_classes)]
    if len(odd):
        raise ValueError(
            f"target must hold classes 0 to {n_classes - 1}, got {odd.tolist()[0]!r}; "
            "number the classes in their order, or give bins to learn numbers"
        )
    return Target(found.astype(np.int64))


def _fitting(target: Target, n_classes: int, bins: Bins | None) -> Target:
    """A target that an objective prepared, perhaps another one than this."""
    # The kernel would read numbers that are not there.
    if bins is not None and target.before is None:
        raise ValueError(
            "target must hold numbers, as the objective has bins, got classes; "
            "prepare it with this objective"
        )
    odd = target.index[(target.index < 0) | (target.index >= n_classes)]
    if len(odd):
        raise ValueError(
            f"target must hold classes 0 to {n_classes - 1}, got {odd[0]}; prepare "
            "it with this objective"
        )
    return target


def _of_numbers(found: np.ndarray, bins: Bins) -> Target:
    y = found.astype(np.float64)
    if not np.isfinite(y).all():
        raise ValueError(
            f"target must hold finite numbers, got {y[~np.isfinite(y)][0]:g}; drop "
            "such rows first"
        )
    value = torch.from_numpy(np.ascontiguousarray(y))
    edges, widths = bins.edges.cpu().numpy(), bins.widths.cpu().numpy()
    index = bins.index(value).cpu().numpy()
    y = bins.on_grid(value).cpu().numpy()
    low = -np.inf if bins.lower_tail else edges[0]
    high = np.inf if bins.upper_tail else edges[-1]
    nearest = torch.from_numpy(np.clip(y, low, high))
    density = log_density(nearest, torch.from_numpy(index), bins).cpu().numpy()
    h, s = widths[index], np.clip((y - edges[index]) / widths[index], 0, 1)
    before = h * (1 / 6 - (1 - s) ** 2 / 2)
    after = h * (1 / 3 - (1 - s**2) / 2)
    rest = h * (s**3 + (1 - s) ** 3) / 3
    rest += np.maximum(edges[0] - y, 0) + np.maximum(y - edges[-1], 0)
    for tail in tails_of(bins):
        rows = index == tail.at
        out = tail.reach(torch.from_numpy(y[rows]))
        one = torch.ones_like(out)
        beyond = Beyond.at(out, tail.scale.cpu(), one, one)
        once = tail_square(float(tail.scale)) - (beyond.reach - beyond.near[0]).numpy()
        before[rows], after[rows] = (-once, 0) if tail.outward > 0 else (0, once)
        rest[rows] = (beyond.near[1] + beyond.far[1]).numpy()
    return Target(index, before, after, rest, density)


def tail_square(scale: float) -> float:
    """Integral of the square of what a half-normal tail of mass 1 has beyond."""
    return scale * (2 * math.sqrt(2) - 2) / math.sqrt(math.pi)
