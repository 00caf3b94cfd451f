"""From one loss per row to the loss of a batch: weights, ignored rows, the mean."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Reduction = Literal["mean", "sum", "none"]
ClassWeight = Tensor | Sequence[float] | None


def check_reduction(reduction: str) -> None:
    """Refuse what is no reduction."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(
            f'reduction must be "mean", "sum" or "none", got {reduction!r}'
        )


def class_weight(weight: ClassWeight) -> Tensor | None:
    """The weights of the classes as a tensor, checked where they lie on the host."""
    if weight is None:
        return None
    if not isinstance(weight, Tensor):
        weight = torch.tensor(weight, dtype=torch.get_default_dtype(), device="cpu")
    if not weight.is_floating_point():
        weight = weight.to(torch.get_default_dtype())
    if weight.ndim != 1:
        raise ValueError(
            "weight must be one axis with a number for each class, "
            f"got shape {tuple(weight.shape)}"
        )
    if torch.compiler.is_compiling() or not weight.is_cpu:
        return weight
    wrong = ~(weight.isfinite() & (weight >= 0))
    if bool(wrong.any()):
        at = int(wrong.nonzero()[0])
        raise ValueError(
            f"weight must be finite and not negative, but weight[{at}] = "
            f"{weight[at]:g}; a class that must not count has weight 0"
        )
    if not bool(weight.any()):
        raise ValueError(
            "weight must have a class that counts, but all are 0; pass weight=None "
            "if all classes count alike"
        )
    return weight


def check_weight(weight: Tensor | None, n_classes: int) -> None:
    """Refuse class weights that do not fit the logits."""
    if weight is not None and weight.shape != (n_classes,):
        raise ValueError(
            f"weight must hold one number for each of {n_classes} classes, "
            f"got shape {tuple(weight.shape)}"
        )


def check_sample_weight(weight: Tensor | None, rows: torch.Size) -> None:
    """Refuse what would broadcast: (N, 1) against (N,) gives N x N losses."""
    if weight is None:
        return
    if not isinstance(weight, Tensor):
        raise TypeError(
            f"sample_weight must be a tensor, got {type(weight).__name__}; "
            "torch.as_tensor makes one"
        )
    if weight.shape != rows:
        raise ValueError(
            "sample_weight must hold one number for each row of logits, shape "
            f"{tuple(rows)}, got shape {tuple(weight.shape)}"
        )


def of_class(weight: Tensor, index: Tensor) -> Tensor:
    """The weight of each row's class."""
    # An impossible index must not address memory; its loss is NaN whatever it weighs.
    at = index.clamp(0, len(weight) - 1)
    # Not weight[at]: under vmap a single index would be read on the host.
    return weight[at[..., None]].squeeze(-1)


def product(*factors: Tensor | None) -> Tensor | None:
    """Product of those that are there; None if none is."""
    found = None
    for factor in factors:
        if factor is not None:
            found = factor if found is None else found * factor
    return found


def reduce(
    loss: Tensor,
    reduction: Reduction,
    *,
    kept: Tensor | None = None,
    weight: Tensor | None = None,
    share: Tensor | None = None,
) -> Tensor:
    """Combine the losses of rows into the loss of a batch.

    Args:
        loss: One value per row.
        reduction: "mean" divides by the sum of `share`, or by the number of rows.
        kept: False for rows that do not count.
        weight: What each loss is multiplied with.
        share: What each row adds to the divisor of the mean.

    Returns:
        The loss. If no row counts it is zero, and still has a graph to go backward.
    """
    nothing = loss.detach().new_zeros(())
    if kept is not None:
        loss = loss.where(kept, nothing)
    if weight is not None:
        # Rows of weight 0 contribute 0, also where their loss is infinite (0 * inf
        # would be NaN).
        loss = torch.where(weight != 0, loss * weight.to(loss.dtype), nothing)
    match reduction:
        case "none":
            return loss
        case "sum":
            return loss.sum()
        case "mean":
            counts = [each.to(loss.dtype) for each in (share, kept) if each is not None]
            divisor = product(*counts)
            if divisor is None:
                return loss.mean() if loss.numel() else loss.sum()
            total = divisor.sum()
            return loss.sum() / total.where(total != 0, torch.ones_like(total))


def shares(
    rows: Tensor,
    reduction: Reduction,
    *,
    kept: Tensor | None = None,
    weight: Tensor | None = None,
    share: Tensor | None = None,
) -> Tensor:
    """What each row counts: the sum of shares times losses is what `reduce` gives.

    Args:
        rows: Any tensor in the shape of the rows, in the dtype and on the device of
            their losses.
        reduction: "mean" or "sum".
        kept: As in `reduce`, and so `weight` and `share`.
    """
    counts = [each.to(rows.dtype) for each in (weight, kept) if each is not None]
    found = product(*counts)
    if found is None:
        found = torch.ones_like(rows)
    if reduction == "sum":
        return found
    counts = [each.to(rows.dtype) for each in (share, kept) if each is not None]
    divisor = product(*counts)
    total = found.new_tensor(found.numel()) if divisor is None else divisor.sum()
    return found / total.where(total != 0, torch.ones_like(total))
