"""What the values of a batch must be, where they can be read without waiting.

Shapes and dtypes are checked in `offby._checks`, always. Values are checked on the CPU,
and on another device only while the environment variable `OFFBY_DEBUG` is 1: to read
them there would stall the device.
"""

import os
import warnings

import torch
from torch import Tensor

from offby import kernels


def readable(tensor: Tensor) -> bool:
    """Whether the values of a tensor may be looked at here and now."""
    if torch.compiler.is_compiling() or type(tensor) is not Tensor:
        return False
    if tensor.is_meta or kernels.transformed() or torch._C._get_tracing_state():
        return False
    return tensor.is_cpu or debugging()


def transforming() -> bool:
    """Whether torch.func or a dispatch mode is at work; a compiler is not asked."""
    return not torch.compiler.is_compiling() and bool(kernels.transformed())


def debugging() -> bool:
    """Whether values are to be checked on every device and in every batch."""
    return os.environ.get("OFFBY_DEBUG", "") == "1"


def find_ignored(target: Tensor, ignore_index: int, n_classes: int) -> bool:
    """Whether rows are ignored; refuse an index that is neither a class nor ignored.

    One pass for the least and the largest index tells nearly always.

    Raises:
        IndexError: As `torch.nn.CrossEntropyLoss` does.
    """
    if target.numel() == 0:
        return False
    low, high = (int(end) for end in target.aminmax())
    if low >= 0 and high < n_classes:
        possible = low <= ignore_index <= high
        return possible and bool((target == ignore_index).any())
    ignored = target == ignore_index
    wrong = ~ignored & ((target < 0) | (target >= n_classes))
    if bool(wrong.any()):
        at = wrong.nonzero()[0].tolist()
        row = at[0] if len(at) == 1 else tuple(at)
        raise IndexError(
            f"target must hold the classes 0 to {n_classes - 1} or ignore_index = "
            f"{ignore_index}, got class {int(target[tuple(at)])} of {n_classes} "
            f"classes 0 to {n_classes - 1}, row {row if at else 0}; classes are "
            "counted from 0, so subtract 1 from those that begin at 1"
        )
    return True


def check_probabilities(target: Tensor) -> None:
    """Refuse rows that are negative or do not sum to 1; rows with NaN are let pass."""
    if target.numel() == 0:
        return
    low = target.amin()
    if bool(low < 0):
        raise ValueError(
            "a floating target must hold probabilities, 0 to 1, but one is "
            f"{low:g}; logits as a target go through `.softmax` first"
        )
    off = (target.detach().float().sum(-1) - 1).abs().nan_to_num()
    # Half precision rounds each of many probabilities by up to 0.4 %.
    most = 1e-3 if target.dtype.itemsize > 2 else 1e-2
    if bool((off > most).any()):
        at = int(off.argmax())
        total = float(target.detach().float().sum(-1).flatten()[at])
        raise ValueError(
            f"each row of a floating target must sum to 1, but row {at} sums to "
            f"{total:g}; divide it by its sum, or pass class indices as integers"
        )


def is_distribution(target: Tensor) -> bool:
    """Whether a lone axis is not negative and sums to 1."""
    return bool((target >= 0).all()) and bool((target.float().sum() - 1).abs() < 1e-2)


def check_row_weights(weight: Tensor) -> None:
    """Refuse weights of rows that are negative or NaN."""
    if weight.dtype == torch.bool or weight.numel() == 0:
        return
    low = weight.amin()
    if not bool(low >= 0):
        raise ValueError(
            "sample_weight must be numbers that are not negative, but one is "
            f"{low:g}; a row that must not count has weight 0"
        )


def warn_of_probabilities(logits: Tensor) -> None:
    """Warn if what was passed as logits looks like probabilities."""
    if logits.ndim < 2 or logits.shape[-1] < 2 or logits.shape[:-1].numel() < 2:
        return
    z = logits.detach().float()
    within = z.amin() >= 0
    if bool(within) and bool(((z.sum(-1) - 1).abs() < 1e-4).all()):
        warnings.warn(
            "the logits are positive and sum to 1 in every row, as probabilities do; "
            "pass the network's raw output, without a softmax at its end",
            UserWarning,
            stacklevel=2,
        )
