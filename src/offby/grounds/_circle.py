"""`Circle`: hours, angles, hues. Theory: docs/maths/grounds.md."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor

from offby._checks import as_numbers, check_count, check_increasing
from offby.grounds import settings
from offby.grounds._cuts import Cuts
from offby.grounds._ground import NegativeType


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Circle:
    r"""Classes on a circle: hours of the day, angles, hues.

    .. math:: d_{\text{arc}}(i, j) = \min(|x_i - x_j|, P - |x_i - x_j|), \qquad
              d_{\text{chord}}(i, j) = \tfrac P\pi \sin(\tfrac\pi P |x_i - x_j|)

    The arc is the way along the circle, the chord the straight line through it; for
    neighbors they are nearly the same. On the chord the squared EMD is strictly proper.
    On the arc it is not if two or more pairs of classes face each other: with four
    hours it cannot tell (.5 0 .5 0) from (0 .5 0 .5).

    Args:
        positions: One number per class, increasing, less than a period from first to
            last.
        period: Where the circle closes, in the unit of the positions.
        distance: "arc" or "chord".

    Raises:
        ValueError: If positions do not increase or do not fit on one turn.

    >>> hours = Circle([0, 6, 12, 18, 23], 24)
    >>> hours
    Circle(5 classes on a period of 24, arc)
    >>> hours.cost[0]
    tensor([ 0.,  6., 12.,  6.,  1.], dtype=torch.float64)
    """

    positions: Float[Tensor, " classes"]
    period: Float[Tensor, ""]
    distance: Literal["arc", "chord"]

    def __init__(
        self,
        positions: Tensor | ArrayLike,
        period: Tensor | float,
        distance: Literal["arc", "chord"] = "arc",
    ) -> None:
        checked = as_numbers("positions", positions)
        turn = as_numbers("period", period)
        object.__setattr__(self, "positions", checked)
        object.__setattr__(self, "period", turn)
        object.__setattr__(self, "distance", distance)
        check_increasing("positions", checked, at_least=1)
        if turn.ndim != 0 or not bool(turn.isfinite() & (turn > 0)):
            raise ValueError(f"period must be one positive number, got {period}")
        if not bool(checked[-1] - checked[0] < turn):
            raise ValueError(
                "positions must span less than the period, but they go from "
                f"{checked[0]:g} to {checked[-1]:g} on a period of {turn:g}; the last "
                "would meet the first"
            )
        if distance not in ("arc", "chord"):
            raise ValueError(f'distance must be "arc" or "chord", got {distance!r}')

    @classmethod
    def regular(
        cls, n_classes: int, distance: Literal["arc", "chord"] = "arc"
    ) -> "Circle":
        """`n_classes` classes around a circle, at arcs of 1 from one to the next.

        >>> Circle.regular(24)
        Circle(24 classes on a period of 24, arc)
        """
        check_count("n_classes", n_classes)
        around = torch.arange(n_classes, dtype=torch.float64, device="cpu")
        return cls(around, n_classes, distance)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.positions)

    @property
    def gaps(self) -> Float[Tensor, " classes"]:
        """Arc from each class to the next, and from the last to the first."""
        return torch.cat([self.positions, self.positions[:1] + self.period]).diff()

    @property
    def cost(self) -> Float[Tensor, "classes classes"]:
        """Distance between every two classes."""
        return self._length((self.positions[:, None] - self.positions).abs())

    def cost_to(self, index: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch classes"]:
        """Distance of every class from one true class per row."""
        positions = self.positions.to(index.device)
        # Not positions[index]: under vmap a single index would be read on the host.
        return self._length((positions - positions[index[..., None]]).abs())

    def _length(self, apart: Tensor) -> Tensor:
        """Distance of two classes whose positions differ by that much."""
        period = self.period.to(apart.device)
        arc = torch.minimum(apart, period - apart)
        if self.distance == "arc":
            return arc
        return period / torch.pi * (torch.pi * arc / period).sin()

    @property
    def cuts(self) -> Cuts:
        """The diameters: a diameter at random parts two classes as often as their arc.

        As it turns by half a circle, one class after the other changes sides. Between
        two changes it cuts off the same run of classes.
        """
        x, half = self.positions, self.period / 2
        early = x < x[0] + half
        turns, by = torch.where(early, x, x - half).sort()
        early = early[by]
        ends = torch.cat([turns, (x[0] + half)[None]])
        return Cuts(
            order=torch.arange(self.n_classes, device=x.device),
            # Counted, not searched for: rounding must not leave a class on both sides.
            start=early.cumsum(0),
            end=early.sum() + (~early).cumsum(0),
            weights=ends.diff().clamp(min=0.0),
        )

    @property
    def negative_type(self) -> NegativeType:
        """Strict for the chord; for the arc unless two pairs of classes are opposite.

        As the diameter passes a class that faces none, the mass of its side changes by
        the mass of that class: so where all sides are equal, the masses are. Of two
        classes that face each other only the difference shows; one such pair is settled
        by the sum of all masses, two are not.

        References:
            Hjorth, Lisonek, Markvorsen, Thomassen (1998), Finite metric spaces of
            strictly negative type, Linear Algebra Appl. 270,
            doi:10.1016/S0024-3795(98)80021-9.
        """
        if self.distance == "chord":
            return "strict"
        # Positions and period are known to their last digits, and halves of them.
        size = self.positions.abs().max() + self.period
        near = 8 * torch.finfo(torch.float64).eps * size
        pairs = (self.period / 2 - self._farthest() <= near).sum() / 2
        return "weak" if pairs > 1 else "strict"

    def _farthest(self) -> Float[Tensor, " classes"]:
        """Arc from each class to the one that faces it best."""
        x, half = self.positions, self.period / 2
        around = torch.cat([x, x + self.period])
        beyond = torch.searchsorted(around, x + half)
        left, right = around[beyond - 1] - x, around[beyond] - x
        return torch.maximum(left, self.period - right)

    def normalized(self) -> "Circle":
        """The same circle in units of the largest distance of two classes."""
        if self.n_classes == 1:
            return self
        largest = self._length(self._farthest().max())
        return Circle(self.positions / largest, self.period / largest, self.distance)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a configuration file; `from_dict` reads it.

        >>> Circle.from_dict(Circle([0, 6], 24).to_dict()) == Circle([0, 6], 24)
        True
        """
        return settings.to_dict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Circle":
        """What `to_dict` gave."""
        return settings.from_dict(cls, saved)

    def __eq__(self, other: object) -> bool:
        return settings.equal(self, other)

    def __hash__(self) -> int:
        return settings.hashed(self)

    def __repr__(self) -> str:
        classes = "1 class" if self.n_classes == 1 else f"{self.n_classes} classes"
        return f"Circle({classes} on a period of {self.period:g}, {self.distance})"
