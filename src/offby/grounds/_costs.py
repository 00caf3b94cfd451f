"""`Costs`: any ground distance, as a matrix."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor

from offby._checks import as_numbers
from offby.grounds import settings
from offby.grounds._ground import NegativeType


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Costs:
    """Any ground distance between classes, given as a matrix.

    Args:
        matrix: K x K distances: finite, nonnegative, symmetric, zero on the diagonal.
            `matrix[i, j]` is the cost of mass predicted for class i where j is true.
        asymmetric: Allow one mistake to cost another price than its converse. Such
            costs are for `wasserstein`; the squared EMD would not be proper on them.

    Raises:
        ValueError: If the matrix is none of that; the message names the entry.

    >>> animals = Costs([[0, 1, 4], [1, 0, 4], [4, 4, 0]])
    >>> animals
    Costs(3 classes, distances 1 to 4)
    >>> animals.negative_type
    'strict'
    """

    matrix: Float[Tensor, "classes classes"]
    asymmetric: bool

    def __init__(self, matrix: Tensor | ArrayLike, *, asymmetric: bool = False) -> None:
        checked = as_numbers("costs", matrix)
        object.__setattr__(self, "matrix", checked)
        object.__setattr__(self, "asymmetric", asymmetric)
        _check_costs(checked, asymmetric)

    @classmethod
    def equal(cls, n_classes: int) -> "Costs":
        """Classes that are all at distance 1: the squared EMD is half the Brier score.

        >>> Costs.equal(3)
        Costs(3 classes, distances 1 to 1)
        """
        return cls(1.0 - torch.eye(n_classes, dtype=torch.float64, device="cpu"))

    @classmethod
    def from_features(cls, features: Tensor | ArrayLike) -> "Costs":
        """Euclidean distances between points that stand for the classes, one per row.

        >>> Costs.from_features([[0, 0], [3, 4], [0, 4]]).cost
        tensor([[0., 5., 4.],
                [5., 0., 3.],
                [4., 3., 0.]], dtype=torch.float64)
        """
        points = as_numbers("features", features)
        if points.ndim != 2:
            raise ValueError(
                "features must hold one row of numbers for each class, "
                f"got shape {tuple(points.shape)}"
            )
        # The short cut through a matrix product loses half the digits of near points.
        mode = "donot_use_mm_for_euclid_dist"
        return cls(torch.cdist(points, points, compute_mode=mode))

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.matrix)

    @property
    def cost(self) -> Float[Tensor, "classes classes"]:
        """Distance between every two classes."""
        return self.matrix

    def cost_to(self, index: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch classes"]:
        """Distance of every class from one true class per row."""
        # Not [index]: under vmap a single index would be read on the host.
        return self.matrix.T.to(index.device)[index[..., None]].squeeze(-2)

    @property
    def negative_type(self) -> NegativeType:
        """Computed from the eigenvalues of the matrix, centered on both sides.

        Of negative type is a distance with v'Dv <= 0 for every v that sums to zero.
        Asymmetric costs are not.

        References:
            Schoenberg (1938), Metric spaces and positive definite functions, Trans.
            AMS 44, doi:10.1090/S0002-9947-1938-1501980-0.
        """
        if self.asymmetric:
            return "no"
        n = self.n_classes
        if n == 1:
            return "strict"
        center = torch.eye(n, dtype=torch.float64, device="cpu") - 1.0 / n
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
        if not largest > 0:
            return self
        return Costs(self.matrix / largest, asymmetric=self.asymmetric)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a configuration file; `from_dict` reads it.

        >>> Costs.from_dict(Costs.equal(3).to_dict()) == Costs.equal(3)
        True
        """
        return settings.to_dict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Costs":
        """What `to_dict` gave."""
        return settings.from_dict(cls, saved)

    def __eq__(self, other: object) -> bool:
        return settings.equal(self, other)

    def __hash__(self) -> int:
        return settings.hashed(self)

    def __repr__(self) -> str:
        if self.n_classes == 1:
            return "Costs(1 class)"
        apart = ~torch.eye(self.n_classes, dtype=torch.bool, device=self.matrix.device)
        low, high = self.matrix[apart].min(), self.matrix[apart].max()
        kind = ", asymmetric" if self.asymmetric else ""
        return f"Costs({self.n_classes} classes, distances {low:g} to {high:g}{kind})"


def _check_costs(matrix: Tensor, asymmetric: bool) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 1:
        raise ValueError(
            f"costs must be a square matrix, got shape {tuple(matrix.shape)}"
        )
    unequal = (matrix != matrix.T) & (not asymmetric)
    for law, broken, remedy in (
        ("finite", ~matrix.isfinite(), ""),
        ("nonnegative", matrix < 0, ""),
        ("zero on the diagonal", torch.diag(matrix.diagonal() != 0), ""),
        ("symmetric", unequal, "; pass asymmetric=True if that is meant"),
    ):
        if bool(broken.any()):
            i, j = broken.nonzero()[0].tolist()
            raise ValueError(
                f"costs must be {law}, but costs[{i}, {j}] = {matrix[i, j]:g} "
                f"and costs[{j}, {i}] = {matrix[j, i]:g}{remedy}"
            )
