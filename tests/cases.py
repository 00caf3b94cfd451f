"""Every loss under test, with what is true of it. A new loss is one new row."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from offby import Bins, Circle, Costs, Line, Tree, losses
from tests import reference


def uneven(n: int) -> Tensor:
    """`n` increasing positions, no two neighboring gaps alike."""
    gaps = torch.tensor([1.0, 0.5, 2.0, 0.25, 3.0], dtype=torch.float64).repeat(n)
    return gaps[:n].cumsum(0) - 2.5


def line(n: int) -> Line:
    return Line(uneven(n))


def points(n: int) -> Costs:
    """Classes on a curve in the plane, at the distance a bird would fly."""
    x = uneven(n)
    y = x.square() / 10
    return Costs(torch.hypot(x[:, None] - x, y[:, None] - y))


def circle(n: int) -> Circle:
    """Classes all around, no two of them facing each other."""
    x = uneven(n)
    return Circle(x, x[-1] - x[0] + 0.75)


def chord(n: int) -> Circle:
    on = circle(n)
    return Circle(on.positions, on.period, "chord")


def tree(n: int) -> Tree:
    """Branches at several depths, edges of unequal length, classes out of order."""
    inner = max(1, (n + 1) // 2)
    # Inner nodes 0, 1, ... hang below one another in a binary tree; leaves come after
    # them and go to the inner nodes in turn; every inner node has at least one.
    parents = [-1, *((k - 1) // 2 for k in range(1, inner))]
    parents += [(2 * k) % inner if inner % 2 else k % inner for k in range(n)]
    return Tree(parents, uneven(len(parents)) + 3.5)


def grid(n: int) -> Bins:
    return Bins(uneven(n + 1))


@dataclass(frozen=True)
class Case:
    name: str
    loss: Callable[[Tensor, Tensor], Tensor]
    reference: Callable[..., float]
    proper: bool
    feels_distance: bool
    soft: bool = False
    """Takes distributions as target, and the reference does too."""
    of_numbers: bool = False
    """The target is a number on `grid(n)`."""
    near_and_far: tuple[int, int] = (2, 4)
    """Two of five classes, one nearer to class 1 than the other."""
    floor: float = 0.0
    """Absolute error it may have: log p of p near 1 cannot show a smaller loss."""

    def __str__(self) -> str:
        return self.name

    def targets(self, rng: np.random.Generator, rows: int, n: int) -> Tensor:
        """Random true classes, or numbers inside the grid."""
        if not self.of_numbers:
            return torch.from_numpy(rng.integers(0, n, rows))
        edges = grid(n).edges
        return edges[0] + (edges[-1] - edges[0]) * torch.from_numpy(rng.random(rows))

    def outcomes(self, n: int) -> tuple[Tensor, Tensor]:
        """Targets of every class or bin, and their shares: (n, m) and (m,)."""
        if not self.of_numbers:
            return torch.arange(n)[:, None], torch.ones(1, dtype=torch.float64)
        # Four Gauss points integrate what a bin asks for, polynomials, without error.
        nodes, shares = map(torch.from_numpy, np.polynomial.legendre.leggauss(4))
        bins = grid(n)
        return bins.centers[:, None] + bins.widths[:, None] / 2 * nodes, shares / 2

    def impossible(self, n: int) -> Tensor:
        """Targets that are none."""
        return torch.tensor([torch.nan] if self.of_numbers else [-1, n])


def _on(ground, loss, **settings):
    return lambda z, y: loss(z, y, ground(z.shape[-1]), **settings)


def _on_positions(loss):
    return lambda z, y: loss(z, y, uneven(len(z)).diff())


def _on_costs(ground, loss, **settings):
    return lambda z, y: loss(z, y, ground(len(z)).cost.tolist(), **settings)


def _on_edges(loss):
    def of(z, y):
        on = tree(len(z))
        return loss(z, y, on.parents.tolist(), on.lengths.tolist())

    return of


def _on_grid(loss):
    return lambda z, y: loss(z, y, grid(len(z)).edges)


CASES = [
    Case(
        "cross_entropy",
        losses.cross_entropy,
        reference.cross_entropy,
        proper=True,
        feels_distance=False,
        soft=True,
        floor=4e-15,
    ),
    Case(
        "wasserstein",
        losses.wasserstein,
        _on_costs(Line.regular, reference.wasserstein),
        proper=False,
        feels_distance=True,
    ),
    Case(
        "wasserstein-uneven-p2",
        _on(line, losses.wasserstein, p=2),
        _on_costs(line, reference.wasserstein, p=2),
        proper=False,
        feels_distance=True,
    ),
    Case(
        "wasserstein-costs",
        _on(points, losses.wasserstein),
        _on_costs(points, reference.wasserstein),
        proper=False,
        feels_distance=True,
    ),
    Case(
        "wasserstein-circle",
        _on(circle, losses.wasserstein),
        _on_costs(circle, reference.wasserstein),
        proper=False,
        feels_distance=True,
        near_and_far=(0, 3),
    ),
    Case(
        "wasserstein-chord-p2",
        _on(chord, losses.wasserstein, p=2),
        _on_costs(chord, reference.wasserstein, p=2),
        proper=False,
        feels_distance=True,
        near_and_far=(0, 3),
    ),
    Case(
        "wasserstein-tree",
        _on(tree, losses.wasserstein),
        _on_costs(tree, reference.wasserstein),
        proper=False,
        feels_distance=True,
        near_and_far=(0, 2),
    ),
    Case(
        "squared_emd",
        losses.squared_emd,
        lambda z, y: reference.squared_emd_on_a_line(z, y, [1] * (len(z) - 1)),
        proper=True,
        feels_distance=True,
        soft=True,
    ),
    Case(
        "squared_emd-uneven",
        _on(line, losses.squared_emd),
        _on_positions(reference.squared_emd_on_a_line),
        proper=True,
        feels_distance=True,
        soft=True,
    ),
    Case(
        "squared_emd-costs",
        _on(points, losses.squared_emd),
        _on_costs(points, reference.squared_emd),
        proper=True,
        feels_distance=True,
        soft=True,
    ),
    Case(
        "squared_emd-equal",
        _on(Costs.equal, losses.squared_emd),
        _on_costs(Costs.equal, reference.squared_emd),
        proper=True,
        feels_distance=False,
        soft=True,
    ),
    Case(
        "squared_emd-circle",
        _on(circle, losses.squared_emd),
        _on_costs(circle, reference.squared_emd),
        proper=True,
        feels_distance=True,
        near_and_far=(0, 3),
        soft=True,
    ),
    Case(
        "squared_emd-chord",
        _on(chord, losses.squared_emd),
        _on_costs(chord, reference.squared_emd),
        proper=True,
        feels_distance=True,
        near_and_far=(0, 3),
        soft=True,
    ),
    Case(
        "squared_emd-tree",
        _on(tree, losses.squared_emd),
        _on_costs(tree, reference.squared_emd),
        proper=True,
        feels_distance=True,
        near_and_far=(0, 2),
        soft=True,
    ),
    Case(
        "squared_mass",
        _on(line, losses.squared_mass, power=2, offset=0),
        _on_costs(line, reference.squared_mass, power=2, offset=0),
        proper=False,
        feels_distance=True,
        soft=True,
    ),
    Case(
        "squared_mass-tree",
        _on(tree, losses.squared_mass, power=0.5),
        _on_costs(tree, reference.squared_mass, power=0.5, offset=0),
        proper=False,
        feels_distance=True,
        near_and_far=(0, 2),
        soft=True,
    ),
    Case(
        "cumulative_cross_entropy",
        _on(line, losses.cumulative_cross_entropy),
        _on_positions(reference.cumulative_cross_entropy),
        proper=True,
        feels_distance=True,
        soft=True,
    ),
    Case(
        "cumulative_cross_entropy-tree",
        _on(tree, losses.cumulative_cross_entropy),
        _on_edges(reference.cumulative_cross_entropy_on_a_tree),
        proper=True,
        feels_distance=True,
        near_and_far=(0, 2),
        soft=True,
    ),
    Case(
        "histogram_nll",
        _on(grid, losses.histogram_nll),
        _on_grid(reference.histogram_nll),
        proper=True,
        feels_distance=False,
        of_numbers=True,
        floor=4e-15,
    ),
    Case(
        "histogram_crps",
        _on(grid, losses.histogram_crps),
        _on_grid(reference.histogram_crps),
        proper=True,
        feels_distance=True,
        of_numbers=True,
    ),
    Case(
        "histogram_wasserstein",
        _on(grid, losses.histogram_wasserstein),
        _on_grid(reference.histogram_wasserstein),
        proper=False,
        feels_distance=True,
        of_numbers=True,
    ),
]
