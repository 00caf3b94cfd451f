"""How hard a criterion pushes on the logits of an untrained network."""

import torch
from torch import Tensor

from offby.nn._criterion import Criterion


def first_push(criterion: Criterion, target: Tensor, n_classes: int) -> float:
    """Size of the first push of a criterion: how it moves logits that are all equal.

    The push on a row is minus the slope of its loss in the logits, as
    `offby.anatomy(...).pushes` has it; its size is the root of the sum of its squares,
    here as a mean over the rows. A learning rate that suits one loss suits another
    whose first push is as large; so factors in inverse proportion to it make the terms
    of a mix count alike when training begins (`MixedLoss(..., balance="push")`).

    Args:
        criterion: Any criterion of `offby.nn`.
        target: Class indices of any shape, or numbers for a histogram criterion; or
            probabilities, the classes on the last axis.
        n_classes: How many outputs the network has.

    >>> from offby.nn import CrossEntropyLoss, SquaredEMDLoss
    >>> y = torch.arange(61)
    >>> round(first_push(CrossEntropyLoss(), y, 61), 2)
    0.99
    >>> round(first_push(SquaredEMDLoss(), y, 61), 2)
    1.54
    """
    if target.is_floating_point() and hasattr(criterion, "weight"):
        rows = target.shape[:-1]
    else:
        rows = target.shape
    logits = torch.zeros(*rows, n_classes, device=target.device, requires_grad=True)
    with torch.enable_grad():
        loss = criterion.per_row(logits, target)
        (slope,) = torch.autograd.grad(loss.sum(), logits)
    return float(slope.norm(dim=-1).mean())
