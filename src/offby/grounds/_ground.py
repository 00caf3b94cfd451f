"""What every ground can tell about its classes."""

from typing import Any, Literal, Protocol, overload

from jaxtyping import Float, Int
from torch import Tensor

NegativeType = Literal["strict", "weak", "no"]


class Ground(Protocol):
    """How far apart the classes are: `Line`, `Circle`, `Tree` or `Costs`."""

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        ...

    @property
    def cost(self) -> Float[Tensor, "classes classes"]:
        """Distance between every two classes, in the units of the ground."""
        ...

    @property
    def negative_type(self) -> NegativeType:
        """Whether the squared EMD on this ground is (strictly) proper."""
        ...

    def cost_to(self, index: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch classes"]:
        """Distance of every class from one true class per row.

        One column of `cost` for each index, without the rest of the matrix.
        """
        ...

    def normalized(self) -> "Ground":
        """The same ground in units of its largest distance."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Plain data, from which `offby.grounds.from_dict` makes it again."""
        ...


@overload
def as_ground(ground: None) -> None: ...
@overload
def as_ground(ground: Ground) -> Ground: ...
def as_ground(ground: Any) -> Ground | None:
    """The ground itself; of a grid (`Bins`), its centers on a line or on a circle.

    Raises:
        TypeError: If it is neither.
    """
    if ground is None or hasattr(ground, "cost_to"):
        return ground
    if hasattr(ground, "line"):
        return ground.circle() if ground.wraps else ground.line()
    raise TypeError(
        "ground must be a Line, Circle, Tree or Costs, or Bins whose centers lie on a "
        f"line, got {type(ground).__name__}; write Line(positions) or Costs(matrix)"
    )


def n_classes_of(ground: Ground | None) -> int | None:
    """How many classes the logits must have; None if any number will do."""
    return None if ground is None else ground.n_classes
