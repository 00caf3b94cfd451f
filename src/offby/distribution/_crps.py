"""The CRPS of rows of masses at numbers, exact: some rows at a time."""

import numpy as np
import torch

from offby.bins import Bins
from offby.distribution._rows import ROWS_AT_ONCE, Array, in_chunks
from offby.distribution.half_normal import Beyond, tails_of
from offby.distribution.sides import Sides, distance_outside
from offby.kernels import masses as fast


def crps_at(rows: np.ndarray, numbers: Array, bins: Bins) -> Array:
    """The score of every row at its number."""
    widths = bins.widths.cpu().numpy().copy()
    ends = [tail.at for tail in tails_of(bins)]
    widths[ends] = 0  # all of such a bin lies beyond its inner edge
    inside = fast.integral_of_squares(rows, numbers, bins, widths)
    if inside is None:
        return _of_sides(rows, numbers, bins)
    y = torch.tensor(numbers)
    found = torch.from_numpy(inside) + distance_outside(y, bins)
    for tail in tails_of(bins, y):
        others = rows[:, :-1] if tail.outward > 0 else rows[:, 1:]
        rest = torch.from_numpy(others.sum(-1, dtype=np.float64))
        of_tail = torch.tensor(rows[:, tail.at], dtype=torch.float64)
        beyond = Beyond.at(tail.reach(y), tail.scale, of_tail, rest)
        found += beyond.integral_of_squares()
    return found.numpy()


def _of_sides(rows: np.ndarray, numbers: Array, bins: Bins) -> Array:
    """The specification."""
    found = np.empty(numbers.shape)
    for i, some in in_chunks(rows):
        # Copies: torch warns about arrays that it may not write to.
        values = torch.tensor(numbers[i : i + ROWS_AT_ONCE])
        masses = torch.tensor(some, dtype=torch.float64)
        sides = Sides.of(masses, values, bins)
        found[i : i + ROWS_AT_ONCE] = sides.integral_of_squares().numpy()
    return found
