"""Quantiles and chances of a network's outputs."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from offby._checks import bins_last, numbers_on
from offby.bins import Bins
from offby.decode._rows import Of, by_rows, check_given, refuse_circle
from offby.distribution.half_normal import number_at, share_below
from offby.grounds import Line


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
    have no gradient. The levels 0 and 1 are the ends of what has mass.

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
    check_given(outputs, grid)
    refuse_circle("a quantile", grid)
    several = numbers_on(outputs.device, "levels", levels)
    if several.ndim > 1:
        raise ValueError(
            "levels must be a number or one axis of numbers, "
            f"got shape {tuple(several.shape)}"
        )
    with_end = True
    if not several.is_meta and not torch.compiler.is_compiling():
        asked = several.tolist() if several.ndim else [several.item()]
        if not all(0 <= level <= 1 for level in asked):
            raise ValueError(
                f"levels must lie between 0 and 1, got {several.tolist()}; 0.9 is the "
                "number that nine in ten are below"
            )
        with_end = 1 in asked

    def numbers(p: Tensor) -> Tensor:
        shares = several.to(p.dtype).reshape(-1).expand(*p.shape[:-1], -1).contiguous()
        found = _at_levels(p, shares, grid, with_end=with_end)
        return found if several.ndim else found.squeeze(-1)

    return by_rows(numbers, outputs, grid, dim, of)


def _at_levels(
    p: Tensor, shares: Tensor, grid: Bins | Line, *, with_end: bool
) -> Tensor:
    """Rows x levels; `with_end`: the level 1 may be among them."""
    below = p.cumsum(-1)
    wanted = shares
    if isinstance(grid, Line):
        # Rounding may leave the sum of two halves a little short; within a bin it
        # moves the number by as little, but on a line by a whole position.
        wanted = wanted - p.shape[-1] * torch.finfo(p.dtype).eps
    # Bins without mass before the first with mass are no part of the support. And
    # rounding may leave the whole sum a little short of a level.
    wanted = wanted.clamp(min=torch.finfo(p.dtype).tiny)
    total = below[..., -1:].detach()
    wanted = torch.minimum(wanted, total)
    at = torch.searchsorted(below.detach(), wanted).clamp(max=p.shape[-1] - 1)
    if with_end:
        # The level 1 asks for all mass, however small the last one is.
        last = (p > 0).to(torch.int64).cumsum(-1).argmax(-1, keepdim=True)
        at = torch.where(shares == 1, last, at)
    if isinstance(grid, Line):
        found = grid.positions.to(p)[at]
        return found.where(~total.isnan(), torch.nan)
    mass = p.gather(-1, at)
    share = (shares - (below.gather(-1, at) - mass)) / mass.where(mass > 0, 1.0)
    if with_end:
        share = torch.where((shares == 1) & (mass > 0), 1.0, share)
    share = share.clamp(0, 1).double()
    return number_at(share, at, grid.to(p.device)).to(p.dtype)


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
    check_given(outputs, grid)
    refuse_circle("the chance above a number", grid)
    given = numbers_on(outputs.device, "threshold", threshold)

    def chances(p: Tensor, y: Tensor) -> Tensor:
        y = y[..., None]
        if isinstance(grid, Line):
            return (p * (grid.positions.to(p.device) > y)).sum(-1)
        bins = grid.to(p.device)
        at = torch.bucketize(y.contiguous(), bins.edges[1:-1], right=True)
        beyond = torch.arange(p.shape[-1], device=p.device) > at
        rest = p.gather(-1, at) * (1 - share_below(y, at, bins)).to(p)
        return (p * beyond).sum(-1) + rest.squeeze(-1)

    # A row of bins less: its shape is that of the batch, whichever axis they are on.
    batch = bins_last(outputs, dim).shape[:-1]
    ends = zip(reversed(given.shape), reversed(batch), strict=False)
    if given.ndim > len(batch) or any(size not in (1, rows) for size, rows in ends):
        raise ValueError(
            "threshold must be one number, or one for each row of outputs, shape "
            f"{tuple(batch)}, got shape {tuple(given.shape)}; several thresholds for "
            "all rows are a call each"
        )
    return by_rows(chances, outputs, grid, dim, of, given.expand(batch))
