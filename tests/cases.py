"""Every loss under test, with what its record says is true of it.

A loss that has a record and no row below is tested on every ground of its record, by
all laws that need no reference. One row below adds the reference.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from offby import Bins, Circle, Costs, Line, Tree, kernels, losses
from offby.losses.registry import LOSSES, record_of
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
    proper: bool
    feels_distance: bool
    reference: Callable[..., float] | None = None
    soft: bool = False
    """Takes distributions as target, and the reference does too."""
    of_numbers: bool = False
    """The target is a number on `grid(n)`."""
    near_and_far: tuple[int, int] = (2, 4)
    """Two of five classes, one nearer to class 1 than the other."""
    floor: float = 0.0
    """Absolute error it may have: log p of p near 1 cannot show a smaller loss."""
    rtol: float = 1e-12
    """Relative error it may have in float64."""
    float32_rtol: float = 0.0
    """Relative error it may have in float32 besides that of rounding."""
    kernel: str | None = None
    """Of the loss, on some grounds."""

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


def _on_positions(reference):
    return lambda z, y: reference(z, y, uneven(len(z)).diff())


def _on_costs(reference, ground, **settings):
    return lambda z, y: reference(z, y, ground(len(z)).cost.tolist(), **settings)


def _on_edges(reference):
    def of(z, y):
        on = tree(len(z))
        return reference(z, y, on.parents.tolist(), on.lengths.tolist())

    return of


def _on_grid(reference):
    return lambda z, y: reference(z, y, grid(len(z)).edges)


GROUNDS: dict[str, list[Callable[[int], Any]]] = {
    "line": [line],
    "circle": [circle, chord],
    "tree": [tree],
    "costs": [points],
}
"""Ways to make each kind of ground; see `GroundName`."""
_NEAR_AND_FAR = {circle: (0, 3), chord: (0, 3), tree: (0, 2)}


def case(function, ground=None, label="", *, settings=None, **facts) -> Case:
    """A loss on one ground, with the facts of its record unless others are given."""
    record = record_of(function)
    assert record is not None
    facts = {
        "proper": record.proper == "strictly",
        "feels_distance": record.feels_distance,
        "of_numbers": record.takes == "number",
        "kernel": record.kernel,
        "near_and_far": _NEAR_AND_FAR.get(ground, (2, 4)),
        **facts,
    }
    settings = settings or {}

    def loss(z, y):
        on = () if ground is None else (ground(z.shape[-1]),)
        return function(z, y, *on, **settings)

    return Case(function.__name__ + label, loss, **facts)


def _without_a_row(rows: list[Case]) -> Iterator[Case]:
    """Cases of the losses that have a record and no row."""
    for record in LOSSES:
        if record.function is None or any(
            row.name.startswith(record.function.__name__) for row in rows
        ):
            continue
        if record.takes == "number":
            yield case(record.function, grid)
        elif record.takes == "class":
            yield case(record.function)
        for name in record.grounds:
            for ground in GROUNDS[name]:
                yield case(record.function, ground, f"-{ground.__name__}")


def _in_every_form(rows: list[Case]) -> Iterator[Case]:
    """Each loss as the plain form; again where a kernel computes it."""
    for row in rows:
        yield replace(row, loss=_under("torch", row.loss))
        if _has_kernel(row):
            # "auto", since the kernel has no half precision and no soft targets.
            yield replace(row, name=f"{row.name}-kernel", loss=_under("auto", row.loss))


def _under(form: kernels.Impl, loss):
    def under(z, y):
        with kernels.using(form):
            return loss(z, y)

    return under


def _has_kernel(row: Case) -> bool:
    if row.kernel is None:
        return False
    try:
        _under("cpp", row.loss)(torch.zeros(1, 2), row.outcomes(2)[0][0, :1])
    except RuntimeError:  # not on this ground, or there is no library
        return False
    return True


ROWS = [
    case(
        losses.cross_entropy, reference=reference.cross_entropy, soft=True, floor=4e-15
    ),
    case(losses.wasserstein, reference=_on_costs(reference.wasserstein, Line.regular)),
    case(
        losses.wasserstein,
        line,
        "-uneven-p2",
        settings={"p": 2},
        reference=_on_costs(reference.wasserstein, line, p=2),
    ),
    case(
        losses.wasserstein,
        points,
        "-costs",
        reference=_on_costs(reference.wasserstein, points),
    ),
    case(
        losses.wasserstein,
        circle,
        "-circle",
        reference=_on_costs(reference.wasserstein, circle),
    ),
    case(
        losses.wasserstein,
        chord,
        "-chord-p2",
        settings={"p": 2},
        reference=_on_costs(reference.wasserstein, chord, p=2),
    ),
    case(
        losses.wasserstein,
        tree,
        "-tree",
        reference=_on_costs(reference.wasserstein, tree),
    ),
    case(
        losses.squared_emd,
        reference=lambda z, y: reference.squared_emd_on_a_line(
            z, y, [1] * (len(z) - 1)
        ),
        soft=True,
    ),
    case(
        losses.squared_emd,
        line,
        "-uneven",
        reference=_on_positions(reference.squared_emd_on_a_line),
        soft=True,
    ),
    case(
        losses.squared_emd,
        points,
        "-costs",
        reference=_on_costs(reference.squared_emd, points),
        soft=True,
    ),
    case(
        losses.squared_emd,
        Costs.equal,
        "-equal",
        reference=_on_costs(reference.squared_emd, Costs.equal),
        feels_distance=False,
        soft=True,
    ),
    case(
        losses.squared_emd,
        circle,
        "-circle",
        reference=_on_costs(reference.squared_emd, circle),
        soft=True,
    ),
    case(
        losses.squared_emd,
        chord,
        "-chord",
        reference=_on_costs(reference.squared_emd, chord),
        soft=True,
    ),
    case(
        losses.squared_emd,
        tree,
        "-tree",
        reference=_on_costs(reference.squared_emd, tree),
        soft=True,
    ),
    case(
        losses.squared_mass,
        line,
        settings={"power": 2},
        reference=_on_costs(reference.squared_mass, line, power=2, offset=0),
        soft=True,
    ),
    case(
        losses.squared_mass,
        tree,
        "-tree",
        settings={"power": 0.5},
        reference=_on_costs(reference.squared_mass, tree, power=0.5, offset=0),
        soft=True,
    ),
    case(losses.brier, reference=reference.brier, soft=True),
    *(
        case(
            losses.cdw_cross_entropy,
            ground,
            f"-{ground.__name__}",
            settings={"power": power},
            reference=_on_costs(reference.cdw_cross_entropy, ground, power=power),
            soft=True,
        )
        for ground, power in ((line, 1), (points, 2))
    ),
    *(
        case(
            losses.slace,
            ground,
            f"-{label}",
            settings={"temperature": temperature},
            reference=_on_costs(reference.slace, ground, temperature=temperature),
            soft=True,
            floor=4e-15,
        )
        for label, ground, temperature in (
            ("regular", Line.regular, 1.0),
            ("circle", circle, 2.0),
        )
    ),
    case(
        losses.cumulative_cross_entropy,
        line,
        reference=_on_positions(reference.cumulative_cross_entropy),
        soft=True,
    ),
    case(
        losses.cumulative_cross_entropy,
        tree,
        "-tree",
        reference=_on_edges(reference.cumulative_cross_entropy_on_a_tree),
        soft=True,
    ),
    case(
        losses.histogram_nll,
        grid,
        reference=_on_grid(reference.histogram_nll),
        floor=4e-15,
    ),
    case(losses.histogram_crps, grid, reference=_on_grid(reference.histogram_crps)),
    case(
        losses.histogram_wasserstein,
        grid,
        reference=_on_grid(reference.histogram_wasserstein),
    ),
    *(
        case(
            losses.sinkhorn,
            ground,
            f"-{ground.__name__}",
            settings={"epsilon": 2.0},
            reference=_on_costs(reference.sinkhorn, ground, epsilon=2.0),
            soft=True,
            # Potentials of a solution that is found up to 1e-11 of the mass.
            rtol=1e-9,
            floor=1e-10,
            float32_rtol=1e-5,
        )
        for ground in (line, points)
    ),
]
CASES = [*_in_every_form([*ROWS, *_without_a_row(ROWS)])]
