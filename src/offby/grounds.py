"""Grounds: how far apart the classes are. Nothing else in offby knows distances."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from offby._checks import check_increasing

NegativeType = Literal["strict", "weak", "no"]


class Ground(Protocol):
    """What every ground can tell about its classes."""

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

    def normalized(self) -> "Ground":
        """The same ground in units of its largest distance."""
        ...


def n_classes_of(ground: Ground | None) -> int | None:
    """How many classes the logits must have; None if any number will do."""
    return None if ground is None else ground.n_classes


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
        checked = torch.as_tensor(positions, dtype=torch.float64).detach()
        object.__setattr__(self, "positions", checked)
        check_increasing("positions", checked, at_least=1)

    @classmethod
    def regular(cls, n_classes: int) -> "Line":
        """`n_classes` ordered classes at distance 1 from one to the next.

        >>> Line.regular(3).positions
        tensor([0., 1., 2.], dtype=torch.float64)
        """
        if n_classes < 1:
            raise ValueError(f"a line needs at least one class, got {n_classes}")
        return cls(torch.arange(n_classes, dtype=torch.float64))

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

    def __repr__(self) -> str:
        if self.n_classes == 1:
            return "Line(1 class)"
        low, high = self.positions[0], self.positions[-1]
        least, most = self.gaps.min(), self.gaps.max()
        gaps = f"gaps {least:g}" if least == most else f"gaps {least:g} to {most:g}"
        return f"Line({self.n_classes} classes from {low:g} to {high:g}, {gaps})"


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Costs:
    """Any ground distance between classes, given as a matrix.

    Args:
        matrix: K x K distances: finite, nonnegative, symmetric, zero on the diagonal.

    Raises:
        ValueError: If the matrix is none of that; the message names the entry.

    >>> animals = Costs([[0, 1, 4], [1, 0, 4], [4, 4, 0]])
    >>> animals
    Costs(3 classes, distances 1 to 4)
    >>> animals.negative_type
    'strict'
    """

    matrix: Float[Tensor, "classes classes"]

    def __init__(self, matrix: Tensor | ArrayLike) -> None:
        checked = torch.as_tensor(matrix, dtype=torch.float64).detach()
        object.__setattr__(self, "matrix", checked)
        _check_costs(checked)

    @classmethod
    def equal(cls, n_classes: int) -> "Costs":
        """Classes that are all at distance 1: the squared EMD is half the Brier score.

        >>> Costs.equal(3)
        Costs(3 classes, distances 1 to 1)
        """
        return cls(1.0 - torch.eye(n_classes, dtype=torch.float64))

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.matrix)

    @property
    def cost(self) -> Float[Tensor, "classes classes"]:
        """Distance between every two classes."""
        return self.matrix

    @property
    def negative_type(self) -> NegativeType:
        """Computed from the eigenvalues of the matrix, centered on both sides.

        Of negative type is a distance with v'Dv <= 0 for every v that sums to zero.
        """
        n = self.n_classes
        if n == 1:
            return "strict"
        center = torch.eye(n, dtype=torch.float64) - 1.0 / n
        # The constant vector always has eigenvalue zero; it is no mass difference.
        worst = torch.linalg.eigvalsh(center @ self.matrix.cpu() @ center)
        worst = worst[worst.abs().argsort()][1:].max()
        # Rounding moves an eigenvalue of an n x n matrix by about n times eps its norm.
        noise = n * torch.finfo(torch.float64).eps * self.matrix.max()
        if worst > noise:
            return "no"
        return "weak" if worst >= -noise else "strict"

    def normalized(self) -> "Costs":
        """The same ground with its largest distance 1."""
        largest = self.matrix.max()
        return Costs(self.matrix / largest) if largest > 0 else self

    def __repr__(self) -> str:
        if self.n_classes == 1:
            return "Costs(1 class)"
        apart = ~torch.eye(self.n_classes, dtype=torch.bool, device=self.matrix.device)
        low, high = self.matrix[apart].min(), self.matrix[apart].max()
        return f"Costs({self.n_classes} classes, distances {low:g} to {high:g})"


def _check_costs(matrix: Tensor) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 1:
        raise ValueError(
            f"costs must be a square matrix, got shape {tuple(matrix.shape)}"
        )
    for law, broken in (
        ("finite", ~matrix.isfinite()),
        ("nonnegative", matrix < 0),
        ("zero on the diagonal", torch.diag(matrix.diagonal() != 0)),
        ("symmetric", matrix != matrix.T),
    ):
        if bool(broken.any()):
            i, j = broken.nonzero()[0].tolist()
            raise ValueError(
                f"costs must be {law}, but costs[{i}, {j}] = {matrix[i, j]:g} "
                f"and costs[{j}, {i}] = {matrix[j, i]:g}"
            )
