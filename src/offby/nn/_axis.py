"""Where the classes are: the axis that PyTorch takes, or the one that is asked for."""

import torch
from torch import Tensor

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
