"""Predicted and target mass, as every loss needs it: stable, and NaN for no class."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from offby.grounds import Cuts


def widened(logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Half precision in, float32 inside and out; float64 stays float64."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def known(index: Int[Tensor, "*batch"], n_classes: int) -> Bool[Tensor, "*batch"]:
    """Where the index is one of the classes."""
    return (index >= 0) & (index < n_classes)


def reachable(index: Int[Tensor, "*batch"], n_classes: int) -> Int[Tensor, "*batch"]:
    """The index, moved into range so that it can address memory; see `known`."""
    return index.long().clamp(0, n_classes - 1)


def surplus(
    p: Float[Tensor, "*batch classes"], index: Int[Tensor, "*batch"]
) -> Float[Tensor, "*batch classes"]:
    """Predicted minus true mass of each class.

    On the true class it is minus the mass elsewhere, summed: p - 1 would cancel.
    """
    true = torch.arange(p.shape[-1], device=p.device) == index[..., None]
    elsewhere = p.masked_fill(true, 0.0)
    return elsewhere.where(~true, -elsewhere.sum(-1, keepdim=True))


def far_side(
    p: Float[Tensor, "*batch classes"], index: Int[Tensor, "*batch"], cuts: Cuts
) -> Float[Tensor, "*batch cuts"]:
    """Mass on the side of each cut that the true class is not on.

    The mass on the true class enters no sum, so that it hides no digit of the others.
    """
    index = reachable(index, p.shape[-1])
    true = torch.arange(p.shape[-1], device=p.device) == index[..., None]
    elsewhere = p.masked_fill(true, 0.0)
    return torch.where(
        cuts.hold(index), cuts.outside(elsewhere), cuts.inside(elsewhere)
    )
