"""Numbers out of a network's outputs: means, quantiles, chances; on any device.

Every function takes logits (or, with `of="probs"`, probabilities), and what the outputs
stand for: `Bins`, whose mass is spread within each bin, or a `Line`, whose mass lies on
the positions (the atoms of a value head). Results are differentiable where the number
is, in float32 for half-precision input, and have the shape of the logits without axis
`dim`.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from offby._checks import at_least_float32, bins_last
from offby.bins import Bins
from offby.distribution.circular import check_on_a_line, mean_direction
from offby.distribution.half_normal import densest, moments, number_at, share_below
from offby.grounds import Circle, Line

__all__ = [
    "chance_above",
    "circular_mean",
    "mean",
    "median",
    "mode",
    "quantiles",
    "symexp",
    "symlog",
    "variance",
]

Of = Literal["logits", "probs"]


def mean(
    outputs: Float[Tensor, "*batch bins"],
    grid: Bins | Line,
    *,
    transform: Callable[[Tensor], Tensor] | None = None,
    dim: int = -1,
    of: Of = "logits",
) -> Float[Tensor, "*batch"]:
    """Expected number; of bins on a circle, the direction of the mean.

    Args:
        outputs: Logits, or probabilities, with the bins on axis `dim`.
        grid: What they stand for.
        transform: If the grid is on another scale than the numbers, what leads back:
            the mean is that of the transformed numbers, E[f(z)], and not f(E[z]), which
            is no mean. `symexp` for grids in symlog.
        dim: Axis of the bins; the last by default.
        of: Whether `outputs` are "logits" or "probs".

    References:
        Hafner et al. (2023), Mastering diverse domains through world models,
        arXiv:2301.04104 (the transform).

    >>> mean(torch.zeros(3), Line([0, 1, 5]))
    tensor(2.)
    >>> mean(torch.tensor([0.5, 0.0, 0.5]), Line([-2, 0, 3]), transform=symexp,
    ...      of="probs")
    tensor(6.3482)
    """
    if transform is not None:
        _refuse_circle("a mean of transformed numbers", grid)
    elif isinstance(grid, Bins) and grid.wraps:
        return circular_mean(outputs, grid, dim=dim, of=of)
    p = _masses(outputs, grid, dim, of)
    x = _means(grid, p.device)
    if transform is None:
        return (p * x.to(p)).sum(-1)
    # Large numbers of both signs cancel: in float32 their sum would have no digits.
    return (p.double() * transform(x)).sum(-1).to(p.dtype)


def variance(
    outputs: Float[Tensor, "*batch bins"],
    grid: Bins | Line,
    *,
    dim: int = -1,
    of: Of = "logits",
) -> Float[Tensor, "*batch"]:
    """Expected squared distance from the mean, in the squared unit of the grid.

    >>> variance(torch.zeros(2), Line([0, 2]))
    tensor(1.)
    """
    _refuse_circle("variance", grid)
    p = _masses(outputs, grid, dim, of)
    x = _means(grid, p.device).to(p)
    off = x - (p * x).sum(-1, keepdim=True)
    within = 0.0
    if isinstance(grid, Bins):
        within = moments(_on(grid, p.device))[1].to(p)
    return (p * (off.square() + within)).sum(-1)


def mode(
    outputs: Float[Tensor, "*batch bins"],
    grid: Bins | Line,
    *,
    dim: int = -1,
    of: Of = "logits",
) -> Float[Tensor, "*batch"]:
    """Center of the densest bin, or the most probable position. It has no gradient.

    >>> mode(torch.tensor([0.4, 0.6]), Bins([0, 1, 9]), of="probs")
    tensor(0.5000)
    """
    p = _masses(outputs, grid, dim, of).detach()
    if isinstance(grid, Line | Circle):
        return grid.positions.to(p)[p.argmax(-1)]
    places, densities = densest(_on(grid, p.device))
    return places.to(p)[(p * densities.to(p)).argmax(-1)]


def quantiles(
    outputs: Float[Tensor, "*batch bins"],
    grid: Bins | Line,
    levels: float | Sequence[float] | Tensor,
    *,
    dim: int = -1,
    of: Of = "logits",
) -> Tensor:
    """Numbers below which a share of the mass lies.

    In bins they are differentiable; on a line they jump from position to position, and
    have no gradient.

    Args:
        outputs: Logits, or probabilities, with the bins on axis `dim`.
        grid: What they stand for.
        levels: Shares, 0 to 1: a number, or one axis of them.
        dim: Axis of the bins; the last by default.
        of: Whether `outputs` are "logits" or "probs".

    Returns:
        The numbers, in the units of the grid; several levels are on a new last axis.

    >>> quantiles(torch.zeros(4), Bins.uniform(0, 8, 4), [0.25, 0.5])
    tensor([2., 4.])
    """
    _refuse_circle("a quantile", grid)
    p = _masses(outputs, grid, dim, of)
    several = torch.as_tensor(levels, dtype=p.dtype, device=p.device)
    if several.ndim > 1:
        raise ValueError(
            "levels must be a number or one axis of numbers, "
            f"got shape {tuple(several.shape)}"
        )
    if not several.is_meta and not bool(((several >= 0) & (several <= 1)).all()):
        raise ValueError(
            f"levels must lie between 0 and 1, got {several.tolist()}; 0.9 is the "
            "number that nine in ten are below"
        )
    q = several.reshape(-1).expand(*p.shape[:-1], -1).contiguous()
    below = p.cumsum(-1)
    wanted = q
    if isinstance(grid, Line):
        # Rounding may leave the sum of two halves a little short; within a bin it
        # moves the number by as little, but on a line by a whole position. The level 1
        # asks for all mass, however small the last one is.
        slack = p.shape[-1] * torch.finfo(p.dtype).eps
        wanted = torch.where(q < 1, q - slack, q)
    at = torch.searchsorted(below.detach().contiguous(), wanted)
    # Rounding may leave the whole sum a little short of the level 1.
    last = (p > 0).to(torch.int64).cumsum(-1).argmax(-1, keepdim=True)
    at = torch.minimum(at, last)
    if isinstance(grid, Line):
        found = grid.positions.to(p)[at]
    else:
        mass = p.gather(-1, at)
        share = (q - (below.gather(-1, at) - mass)) / mass.where(mass > 0, 1.0)
        share = share.clamp(0, 1).double()
        found = number_at(share, at, _on(grid, p.device)).to(p.dtype)
    return found if several.ndim else found.squeeze(-1)


def median(
    outputs: Float[Tensor, "*batch bins"],
    grid: Bins | Line,
    *,
    dim: int = -1,
    of: Of = "logits",
) -> Float[Tensor, "*batch"]:
    """The number with half of the mass below it.

    >>> median(torch.tensor([0.25, 0.75]), Bins([0, 1, 4]), of="probs")
    tensor(2.)
    """
    return quantiles(outputs, grid, 0.5, dim=dim, of=of)


def chance_above(
    outputs: Float[Tensor, "*batch bins"],
    grid: Bins | Line,
    threshold: float | Float[Tensor, "*batch"],
    *,
    dim: int = -1,
    of: Of = "logits",
) -> Float[Tensor, "*batch"]:
    """Probability of more than a threshold: one for all rows, or one for each.

    >>> chance_above(torch.zeros(4), Bins.uniform(0, 8, 4), 5.0)
    tensor(0.3750)
    """
    _refuse_circle("the chance above a number", grid)
    p = _masses(outputs, grid, dim, of)
    y = torch.as_tensor(threshold, dtype=torch.float64, device=p.device)
    y = y.expand(p.shape[:-1])[..., None]
    if isinstance(grid, Line):
        return (p * (grid.positions.to(p.device) > y)).sum(-1)
    bins = _on(grid, p.device)
    at = torch.bucketize(y.contiguous(), bins.edges[1:-1], right=True)
    beyond = torch.arange(p.shape[-1], device=p.device) > at
    rest = p.gather(-1, at) * (1 - share_below(y, at, bins)).to(p)
    return (p * beyond).sum(-1) + rest.squeeze(-1)


def circular_mean(
    outputs: Float[Tensor, "*batch classes"],
    circle: Circle | Bins,
    *,
    dim: int = -1,
    of: Of = "logits",
) -> Float[Tensor, "*batch"]:
    """Direction of the mean of the classes' points on the circle, as a position.

    It lies between the position of the first class (the first edge) and one period
    later. Where the
    points cancel, no direction is better than another: the result is then any.

    Args:
        outputs: Logits, or probabilities, with the classes on axis `dim`.
        circle: Where the classes lie: a `Circle`, or bins that wrap (`Bins.periodic`).
        dim: Axis of the classes; the last by default.
        of: Whether `outputs` are "logits" or "probs".

    References:
        Mardia, Jupp (2000), Directional statistics, section 2.2,
        doi:10.1002/9780470316979.

    >>> hours = Circle.regular(24)
    >>> p = torch.zeros(24)
    >>> p[23] = p[1] = 0.5
    >>> circular_mean(p, hours, of="probs").round(decimals=3) % 24
    tensor(0.)
    """
    if isinstance(circle, Bins) and circle.wraps:
        masses = _masses(outputs, circle, dim, of)
        return mean_direction(masses, circle).to(masses.dtype)
    if not isinstance(circle, Circle):
        raise TypeError(
            "circle must be an offby.Circle or Bins.periodic, got "
            f"{type(circle).__name__}; numbers on a line have a `mean`"
        )
    p = _masses(outputs, circle, dim, of).double()
    turn = 2 * torch.pi / circle.period.to(p)
    start = circle.positions[0].to(p)
    angle = (circle.positions.to(p) - start) * turn
    direction = torch.atan2((p * angle.sin()).sum(-1), (p * angle.cos()).sum(-1))
    found = start + torch.remainder(direction / turn, circle.period.to(p))
    return found.to(at_least_float32(outputs).dtype)


def symlog(numbers: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """sign(x) log(1 + |x|): nearly x around 0, the logarithm far from it.

    >>> symlog(torch.tensor([-1.0, 0.0, 99.0]))
    tensor([-0.6931,  0.0000,  4.6052])
    """
    return numbers.sign() * numbers.abs().log1p()


def symexp(numbers: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Inverse of `symlog`.

    >>> symexp(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.7183])
    """
    return numbers.sign() * numbers.abs().expm1()


def _masses(outputs: Tensor, grid: Bins | Line | Circle, dim: int, of: Of) -> Tensor:
    """Probabilities, bins on the last axis."""
    if not isinstance(grid, Bins | Line | Circle):
        raise TypeError(
            f"grid must be Bins or a Line, got {type(grid).__name__}; Bins(edges) and "
            "Line(positions) make one of numbers"
        )
    n = grid.n_bins if isinstance(grid, Bins) else grid.n_classes
    outputs = at_least_float32(bins_last(outputs, dim))
    if outputs.ndim == 0 or outputs.shape[-1] != n:
        raise ValueError(
            f"outputs must have {n} entries on axis dim={dim}, as the grid has, got "
            f"shape {tuple(outputs.shape)} with that axis last"
        )
    match of:
        case "logits":
            return outputs.softmax(-1)
        case "probs":
            return outputs
        case _:
            raise ValueError(f'of must be "logits" or "probs", got {of!r}')


def _means(grid: Bins | Line, device: torch.device) -> Tensor:
    """Where the mass of each bin lies on average, in float64."""
    if isinstance(grid, Bins):
        return moments(_on(grid, device))[0]
    if isinstance(grid, Line):
        return grid.positions.to(device)
    raise TypeError(
        "a circle has no mean of numbers: the mean of 23 and 1 o'clock would be noon; "
        "use `circular_mean`"
    )


def _on(bins: Bins, device: torch.device) -> Bins:
    """The bins beside a tensor."""
    if bins.edges.device == device:
        return bins
    return Bins(bins.edges.to(device), tails=bins.tails, wraps=bins.wraps)


def _refuse_circle(what: str, grid: Bins | Line | Circle) -> None:
    if isinstance(grid, Bins):
        check_on_a_line(what, grid)
    if isinstance(grid, Circle):
        raise TypeError(
            f"{what} needs Bins or a Line, got {grid}: on a circle no number is the "
            "lowest; use `circular_mean` or `mode`"
        )
