"""Whether the numbers of a tensor can be read through a pointer."""

import torch
from torch import Tensor
from torch._C._functorch import (
    is_functorch_wrapped_tensor,
    is_legacy_batchedtensor,
)


def not_in_memory(tensor: Tensor) -> str:
    """Why the numbers of a tensor cannot be read through a pointer; empty if they can.

    A tensor subclass (a fake, masked or wrapped tensor) may have no memory behind it.
    """
    if type(tensor) is not Tensor and type(tensor) is not torch.nn.Parameter:
        return f"tensors must be plain, got {type(tensor).__name__}"
    if tensor.layout is not torch.strided or tensor.is_neg():
        return "tensors must be dense in memory"
    if is_functorch_wrapped_tensor(tensor) or is_legacy_batchedtensor(tensor):
        return "tensors must be plain, got one of a transform"
    return ""
