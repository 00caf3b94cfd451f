"""Means, variances and modes of a network's outputs."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from offby.bins import Bins
from offby.decode._rows import Of, by_rows, check_given, refuse_circle
from offby.distribution.circular import mean_direction
from offby.distribution.half_normal import densest, moments
from offby.grounds import Circle, Line


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
    check_given(outputs, grid)
    if transform is not None:
        refuse_circle("a mean of transformed numbers", grid)
    elif isinstance(grid, Bins) and grid.wraps:
        return circular_mean(outputs, grid, dim=dim, of=of)
    x = _means(grid, outputs.device)
    if transform is None:
        return by_rows(lambda p: (p * x.to(p)).sum(-1), outputs, grid, dim, of)
    there = _transformed(transform, x)
    # Large numbers of both signs cancel: in float32 their sum would have no digits.
    return by_rows(
        lambda p: (p.double() * there).sum(-1).to(p.dtype), outputs, grid, dim, of
    )


def _transformed(transform: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The numbers of the bins, led back; refused if they are not one for each bin."""
    if not callable(transform):
        raise TypeError(
            "transform must be a function of a tensor, got "
            f"{type(transform).__name__}; pass one, such as decode.symexp or torch.exp"
        )
    there = transform(x)
    if not isinstance(there, Tensor):
        raise TypeError(
            f"transform must return a tensor, got {type(there).__name__}; write it "
            "with functions of torch"
        )
    if there.shape != x.shape:
        raise ValueError(
            "transform must return one number for each bin, shape "
            f"{tuple(x.shape)}, got shape {tuple(there.shape)}; it works on each "
            "number alone"
        )
    return there


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
    check_given(outputs, grid)
    refuse_circle("variance", grid)
    means, within = _means(grid, outputs.device), None
    if isinstance(grid, Bins):
        within = moments(grid.to(outputs.device))[1]

    def variances(p: Tensor) -> Tensor:
        x = means.to(p)
        off = (x - (p * x).sum(-1, keepdim=True)).square()
        return (p * (off if within is None else off + within.to(p))).sum(-1)

    return by_rows(variances, outputs, grid, dim, of)


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
    check_given(outputs, grid)
    if isinstance(grid, Bins):
        places, densities = densest(grid.to(outputs.device))
        return by_rows(
            lambda p: places.to(p)[(p * densities.to(p)).argmax(-1)],
            outputs.detach(),
            grid,
            dim,
            of,
        )
    return by_rows(
        lambda p: grid.positions.to(p)[p.argmax(-1)], outputs.detach(), grid, dim, of
    )


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
        return by_rows(
            lambda p: mean_direction(p, circle).to(p.dtype), outputs, circle, dim, of
        )
    if not isinstance(circle, Circle):
        raise TypeError(
            "circle must be an offby.Circle or Bins.periodic, got "
            f"{type(circle).__name__}; numbers on a line have a `mean`"
        )

    def directions(p: Tensor) -> Tensor:
        masses = p.double()
        period, positions = circle.period.to(masses), circle.positions.to(masses)
        start, turn = positions[0], 2 * torch.pi / period
        angle = (positions - start) * turn
        up, along = (masses * angle.sin()).sum(-1), (masses * angle.cos()).sum(-1)
        found = start + torch.remainder(torch.atan2(up, along) / turn, period)
        return found.to(p.dtype)

    return by_rows(directions, outputs, circle, dim, of)


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


def _means(grid: Bins | Line, device: torch.device) -> Tensor:
    """Where the mass of each bin lies on average, in float64."""
    if isinstance(grid, Bins):
        return moments(grid.to(device))[0]
    if isinstance(grid, Line):
        return grid.positions.to(device)
    raise TypeError(
        "a circle has no mean of numbers: the mean of 23 and 1 o'clock would be noon; "
        "use `circular_mean`"
    )
