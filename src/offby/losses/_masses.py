"""Differences of predicted and target mass, computed without cancellation."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from offby._checks import clamped
from offby.grounds import Cuts, mass_on_both_sides


def mass_difference(
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
    index = clamped(index, p.shape[-1])
    true = torch.arange(p.shape[-1], device=p.device) == index[..., None]
    elsewhere = p.masked_fill(true, 0.0)
    return torch.where(
        cuts.hold(index), cuts.outside(elsewhere), cuts.inside(elsewhere)
    )


def cdf_gap(
    p: Float[Tensor, "*batch classes"], q: Float[Tensor, "*batch classes"]
) -> Float[Tensor, "*batch cuts"]:
    """Predicted minus true distribution function at each cut.

    Computed from the side with less mass, whose sum has more digits.
    """
    below, above = mass_on_both_sides(p)
    q_below, q_above = mass_on_both_sides(q)
    # Either comparison is false for NaN, which must reach the result.
    lower = below + q_below <= above + q_above
    return torch.where(lower, below - q_below, q_above - above)


def nan_where_undefined(
    loss: Float[Tensor, "*batch"], q: Float[Tensor, "*batch classes"]
) -> Float[Tensor, "*batch"]:
    """The loss; NaN where a target mass is NaN or infinite.

    A sum that begins on the other side of it would not show it.
    """
    return loss + 0.0 * q.sum(-1)


def full_product(
    rows: Float[Tensor, "*batch classes"], matrix: Float[Tensor, "classes classes"]
) -> Float[Tensor, "*batch classes"]:
    """Matrix product in the precision of the rows, inside `torch.autocast` too.

    Autocast would compute it in half precision, forward and backward, and be off by up
    to a percent. It leaves float64 alone.
    """
    device = rows.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return (rows.double() @ matrix.double()).to(rows.dtype)
    return rows @ matrix
