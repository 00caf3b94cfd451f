"""`Term`: one loss of a sum, as the kernels know it."""

from typing import NamedTuple

from torch import Tensor

from offby.bins import Bins
from offby.grounds import Ground

ON_A_GROUND = ("wasserstein", "squared_emd", "cumulative_cross_entropy")
"""Losses whose kernels read where the classes lie."""


class Term(NamedTuple):
    """One loss of a sum, as the kernels know it."""

    loss: str
    """Name of its function in `offby.losses`."""
    ground: Ground | Bins | None = None
    """None: classes at 0, 1, 2, ..., or a loss without a distance. A grid for
    `histogram_crps`."""
    factor: float = 1.0
    power: float = 1.0
    """Of the distance, for `wasserstein`."""
    value: Tensor | None = None
    """True numbers, for `histogram_crps`."""
