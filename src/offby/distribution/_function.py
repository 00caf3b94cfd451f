"""The distribution function of rows of masses, and its inverse: some rows at a time.

In float64. The running sums are made in C++, which keeps no more of them than it must;
where there is none, in torch, whose sums take a fifteenth of NumPy's time.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from offby.bins import Bins
from offby.distribution._rows import ROWS_AT_ONCE, Array, in_chunks
from offby.distribution.half_normal import number_at, share_below
from offby.kernels import masses as fast

_LEAST = torch.finfo(torch.float64).tiny


def masses_below(probs: Array, numbers: Array, bins: Bins) -> Array:
    """Mass between the first edge and numbers, which broadcast to the rows."""
    return _of_each(_masses_below, probs, numbers, bins)


def numbers_at(probs: Array, shares: Array, bins: Bins) -> Array:
    """The numbers between which and the first edge there is a share of the mass."""
    return _of_each(_numbers_at, probs, shares, bins)


def halves(masses: Array) -> tuple[np.ndarray, Array]:
    """The bin of each row where half of its mass is reached, and the share of it."""
    half = torch.full((len(masses), 1), 0.5, dtype=torch.float64)
    at, start, end, total = (part[:, 0].numpy() for part in _reaching(masses, half))
    return at, np.clip((total / 2 - start) / (end - start), 0, 1)


def _of_each(
    function: Callable[[np.ndarray, Tensor, Bins], Tensor],
    probs: Array,
    numbers: Array,
    bins: Bins,
) -> Array:
    """A function of rows, and of one or several numbers for each: rows x numbers."""
    batch, rows = probs.shape[:-1], probs.reshape(-1, probs.shape[-1])
    shape = np.broadcast_shapes(numbers.shape, batch)
    each = np.broadcast_to(numbers, shape)
    if shape[len(shape) - len(batch) :] != batch:
        # Forecasts are repeated too, such as those of shape (3, 1) on four numbers.
        place = np.broadcast_to(np.arange(len(rows)).reshape(batch), shape).reshape(-1)
        return _filled(function, rows, each.reshape(-1, 1), bins, place).reshape(shape)
    n_each = math.prod(shape[: len(shape) - len(batch)])
    several = np.ascontiguousarray(each.reshape(n_each, len(rows)).T)
    return _filled(function, rows, several, bins).T.reshape(shape)


def _filled(
    function: Callable[[np.ndarray, Tensor, Bins], Tensor],
    rows: Array,
    numbers: Array,
    bins: Bins,
    place: np.ndarray | None = None,
) -> Array:
    """The function of rows beside their numbers; of those at `place`, if given."""
    found = np.empty(numbers.shape)
    for start, beside in in_chunks(numbers):
        stop = start + ROWS_AT_ONCE
        some = rows[start:stop] if place is None else rows[place[start:stop]]
        # Copies: torch warns about arrays that it may not write to.
        of_beside = torch.tensor(beside, dtype=torch.float64, device=bins.edges.device)
        found[start:stop] = function(some, of_beside, bins).cpu().numpy()
    return found


def _masses_below(rows: np.ndarray, y: Tensor, bins: Bins) -> Tensor:
    y = bins.on_grid(y)
    # On an inner edge it is the bin on the right, as in `Bins`.
    at = torch.bucketize(y, bins.edges[1:-1], right=True)
    _, start, end, total = _before(rows, at)
    below = start + (end - start) * share_below(y, at, bins)
    return below / total


def _numbers_at(rows: np.ndarray, shares: Tensor, bins: Bins) -> Tensor:
    at, start, end, total = _reaching(rows, shares)
    share = ((shares * total - start) / (end - start)).clamp(0, 1)
    return number_at(share, at, bins)


def _before(rows: np.ndarray, at: Tensor) -> Sequence[Tensor]:
    """Bins, mass before and up to each, and mass of the row."""
    found = fast.before(rows, at.cpu().numpy())
    if found is not None:
        return _on(at.device, found)
    reached = torch.tensor(rows, device=at.device).cumsum(-1, dtype=torch.float64)
    return _around(reached, at)


def _reaching(rows: np.ndarray, shares: Tensor) -> Sequence[Tensor]:
    """The same of the bins where shares of the mass are reached."""
    found = fast.reaching(rows, shares.cpu().numpy())
    if found is not None:
        return _on(shares.device, found)
    reached = torch.tensor(rows, device=shares.device).cumsum(-1, dtype=torch.float64)
    # The least number, not 0: bins without mass before the first with mass are no part
    # of the support.
    wanted = (shares * reached[:, -1:]).clamp(min=_LEAST)
    at = torch.searchsorted(reached, wanted)
    return _around(reached, at.clamp(max=rows.shape[-1] - 1))  # of what is no number


def _on(device: torch.device, found: fast.Sums) -> list[Tensor]:
    return [torch.from_numpy(part).to(device) for part in found]


def _around(reached: Tensor, at: Tensor) -> list[Tensor]:
    start = reached.gather(-1, (at - 1).clamp(min=0)).where(at > 0, 0.0)
    return [at, start, reached.gather(-1, at), reached[:, -1:]]
