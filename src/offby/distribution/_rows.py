"""Many rows at a time: chunks of them, and the bins' own distributions in NumPy."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from offby.bins import Bins

Array = np.ndarray[Any, np.dtype[np.float64]]
ROWS_AT_ONCE = 4096
"""Rows worked on at once where a row needs many numbers."""
_CACHED = 2**16


def in_chunks(
    rows: np.ndarray, at_once: int = ROWS_AT_ONCE
) -> Iterator[tuple[int, np.ndarray]]:
    """Number of the first row of each chunk, and its rows."""
    for start in range(0, len(rows), at_once):
        yield start, rows[start : start + at_once]


def cached(bins: Bins, each: int = 1) -> int:
    """Rows of which so many numbers for each bin stay in a processor's cache."""
    return max(1, _CACHED // (bins.n_bins * each))


def below_edges(masses: np.ndarray) -> Array:
    """Mass below each edge; exactly 1 from the last bin with mass on."""
    sums = masses.cumsum(-1, dtype=np.float64)
    sums /= sums[..., -1:]
    return np.concatenate([np.zeros_like(sums[..., :1]), sums], axis=-1)


def within_bins(
    function: Callable[..., Tensor], numbers: Array, index: Any, bins: Bins
) -> Array:
    """A function of `half_normal` on arrays: what holds inside the bins themselves."""
    # Copies: torch warns about arrays that it may not write to.
    at = torch.tensor(index, device=bins.edges.device)
    beside = torch.tensor(numbers, device=at.device)
    return function(beside, at, bins).cpu().numpy()
