"""`Line`: ordered classes."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor

from offby._checks import as_numbers, check_count, check_increasing
from offby.grounds import settings
from offby.grounds._ground import NegativeType


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Line:
    """Ordered classes at increasing positions, any spacing.

    Args:
        positions: One number per class, increasing, in any one unit. Distances between
            classes, and every loss on this ground, are in that unit.

    Raises:
        ValueError: If positions are not one axis of finite, increasing numbers.

    >>> ages = Line([0, 18, 30, 50, 65])
    >>> ages
    Line(5 classes from 0 to 65, gaps 12 to 20)
    >>> ages.gaps
    tensor([18., 12., 20., 15.], dtype=torch.float64)
    """

    positions: Float[Tensor, " classes"]

    def __init__(self, positions: Tensor | ArrayLike) -> None:
        checked = as_numbers("positions", positions)
        object.__setattr__(self, "positions", checked)
        check_increasing("positions", checked, at_least=1)

    @classmethod
    def regular(cls, n_classes: int) -> "Line":
        """`n_classes` ordered classes at distance 1 from one to the next.

        >>> Line.regular(3).positions
        tensor([0., 1., 2.], dtype=torch.float64)
        """
        check_count("n_classes", n_classes)
        line = object.__new__(cls)
        # Not checked: a look at the numbers would stop a compiler or an export.
        positions = torch.arange(n_classes, dtype=torch.float64, device="cpu")
        object.__setattr__(line, "positions", positions)
        return line

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.positions)

    @property
    def gaps(self) -> Float[Tensor, " classes-1"]:
        """Distance from each class to the next."""
        return self.positions.diff()

    @property
    def cost(self) -> Float[Tensor, "classes classes"]:
        """Distance between every two classes."""
        return (self.positions[:, None] - self.positions[None, :]).abs()

    def cost_to(self, index: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch classes"]:
        """Distance of every class from one true class per row."""
        positions = self.positions.to(index.device)
        # Not positions[index]: under vmap a single index would be read on the host.
        return (positions - positions[index[..., None]]).abs()

    @property
    def negative_type(self) -> NegativeType:
        """Strict: the squared EMD on a line is a strictly proper score."""
        return "strict"

    def normalized(self) -> "Line":
        """The same line with its ends at distance 1."""
        if self.n_classes == 1:
            return self
        first, last = self.positions[0], self.positions[-1]
        return Line((self.positions - first) / (last - first))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a configuration file; `from_dict` reads it.

        >>> Line([0, 1, 5]).to_dict()
        {'kind': 'Line', 'positions': [0.0, 1.0, 5.0]}
        """
        return settings.to_dict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Line":
        """What `to_dict` gave."""
        return settings.from_dict(cls, saved)

    def __eq__(self, other: object) -> bool:
        return settings.equal(self, other)

    def __hash__(self) -> int:
        return settings.hashed(self)

    def __repr__(self) -> str:
        if self.n_classes == 1:
            return "Line(1 class)"
        low, high = self.positions[0], self.positions[-1]
        least, most = self.gaps.min(), self.gaps.max()
        gaps = f"gaps {least:g}" if least == most else f"gaps {least:g} to {most:g}"
        return f"Line({self.n_classes} classes from {low:g} to {high:g}, {gaps})"
