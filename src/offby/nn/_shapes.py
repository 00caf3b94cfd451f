"""Shapes of logits and targets: classes on the axis of PyTorch, or on another."""

import torch
from torch import Tensor

from offby.nn import _values

DIM_HINT = "pass dim=-1 if the classes are on the last axis of logits"


def check_dim(dim: int) -> None:
    """Refuse what is no axis."""
    if not isinstance(dim, int) or isinstance(dim, bool):
        raise TypeError(
            f"dim must be the number of an axis, got {dim!r}; the classes are on axis "
            "1 as in PyTorch, or on the last one with dim=-1"
        )


def axis_of(logits: Tensor, dim: int) -> int:
    """Axis of the classes; of a single example, which has one axis, it is that one."""
    if logits.ndim == 1 and dim == 1:
        return 0
    if not -logits.ndim <= dim < logits.ndim:
        raise ValueError(
            f"logits must have an axis {dim} with the classes (dim={dim}), "
            f"got shape {tuple(logits.shape)}"
        )
    return dim % logits.ndim


def last(tensor: Tensor, axis: int) -> Tensor:
    """The tensor with that axis moved to the end."""
    return tensor if axis == tensor.ndim - 1 else tensor.movedim(axis, -1)


def check_pair(logits: Tensor, target: Tensor, dim: int, name: str = "target") -> int:
    """Refuse logits and a target that are no pair; give the axis of the classes.

    `name` is what the target is called in messages.
    """
    for which, given in (("logits", logits), (name, target)):
        if not isinstance(given, Tensor):
            raise TypeError(
                f"{which} must be a tensor, got {type(given).__name__}; "
                "torch.as_tensor makes one"
            )
    if not logits.is_floating_point():
        raise TypeError(
            f"logits must be floating, got dtype {logits.dtype}; "
            "pass the network's raw output, before any softmax or argmax"
        )
    axis = axis_of(logits, dim)
    if logits.shape[axis] == 0:
        raise ValueError(
            f"logits must have at least one class on axis {axis} (dim={dim}), "
            f"got shape {tuple(logits.shape)}; {DIM_HINT}"
        )
    if logits.device != target.device:
        raise RuntimeError(
            f"logits and {name} must be on one device, got {logits.device} and "
            f"{target.device}; move one with `.to`"
        )
    return axis


def rows_of(logits: Tensor, axis: int) -> torch.Size:
    """Shape of the logits without the classes."""
    return logits.shape[:axis] + logits.shape[axis + 1 :]


def check_class_target(logits: Tensor, target: Tensor, axis: int, dim: int) -> None:
    """Refuse a target whose shape or dtype no classes have."""
    rows, whole, got = rows_of(logits, axis), logits.shape, tuple(target.shape)
    if not target.is_floating_point():
        if target.shape == rows:
            return
        if target.shape == whole:
            advice = (
                "probabilities must be floating (`.float()`), and `.argmax(dim)` makes "
                "indices of one-hot rows"
            )
        else:
            advice = DIM_HINT if target.shape == whole[:-1] else "look at both shapes"
        raise ValueError(
            f"a target of integers must hold one class index for each row of logits, "
            f"shape {tuple(rows)} for logits of shape {tuple(whole)} with the classes "
            f"on axis {axis} (dim={dim}), got shape {got}; {advice}"
        )
    if target.shape != whole:
        raise ValueError(
            "a floating target holds probabilities and must have the shape of logits, "
            f"{tuple(whole)}, got shape {got}; class indices must be integers "
            "(`.long()`), and numbers go to the histogram losses"
        )
    if len(whole) == 1 and not _one_distribution(target):
        raise ValueError(
            f"a floating target on one axis, shape {got}, must be one distribution, "
            "not negative and of sum 1; a number for each row is no target of this "
            "loss: HistogramCRPSLoss(bins) takes numbers"
        )
    if whole[axis] == 1:
        raise ValueError(
            f"logits must have at least two classes, got shape {tuple(whole)} with one "
            f"on axis {axis} (dim={dim}), and all mass on one class is always right; "
            "to predict numbers, take a head with one output for each bin and "
            "HistogramCRPSLoss(bins)"
        )


def _one_distribution(target: Tensor) -> bool:
    """Whether a lone axis is a distribution and not a number for each of N rows."""
    if _values.transforming():  # under vmap it is one row of a batch
        return True
    return _values.readable(target) and _values.is_distribution(target)
