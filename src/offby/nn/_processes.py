"""`mean_over_processes`: the mean that one process would have computed."""

import torch
from torch import Tensor, nn

from offby.nn._criterion import ClassCriterion
from offby.nn._mixed import MixedLoss
from offby.nn._number_criterion import NumberCriterion
from offby.nn._reduction import of_class, product
from offby.nn._shapes import axis_of, rows_of


def mean_over_processes(
    criterion: nn.Module,
    input: Tensor,
    target: Tensor,
    sample_weight: Tensor | None = None,
) -> Tensor:
    """Mean of a criterion over the rows of all processes of a distributed training.

    `DistributedDataParallel` averages the gradients of its processes. Where these have
    different numbers of rows that count, or rows of different weights, the average of
    their means is not the mean over all rows. This one is: every process divides by the
    weight of all rows, times the number of processes. Without distributed training, it
    is the mean of the batch.

    Every process must call it at the same time, as it waits for the others.

    Args:
        criterion: One of `offby.nn` with `reduction="sum"`.
        input: Logits of this process, as the criterion takes them.
        target: As the criterion takes it.
        sample_weight: One weight per row, or a mask.

    Raises:
        ValueError: If the criterion does not sum, or is a mix of terms that weigh the
            rows differently.

    >>> from offby.nn import CrossEntropyLoss
    >>> summed = CrossEntropyLoss(weight=[1.0, 3.0], reduction="sum")
    >>> target = torch.tensor([0, 1, -100])
    >>> mean_over_processes(summed, torch.zeros(3, 2), target)
    tensor(0.6931)
    """
    first = _that_weighs(criterion)
    if not isinstance(first, ClassCriterion | NumberCriterion):
        raise TypeError(
            f"criterion must be one of offby.nn, got {type(criterion).__name__}"
        )
    if first.reduction != "sum":
        raise ValueError(
            'criterion must have reduction="sum", since the division is made here, '
            f"got {first.reduction!r}"
        )
    loss = criterion(input, target, sample_weight)
    total = _weight_of_rows(first, input, target, sample_weight).to(loss.dtype).sum()
    processes = 1
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(total)
        processes = torch.distributed.get_world_size()
    return processes * loss / total.where(total != 0, torch.ones_like(total))


def _that_weighs(criterion: nn.Module) -> nn.Module:
    """The criterion itself; of a mix the term by which rows count."""
    if not isinstance(criterion, MixedLoss):
        return criterion
    parts = list(criterion.criteria)
    weights = [getattr(part, "weight", None) for part in parts]
    given = [weight for weight in weights if weight is not None]
    alike = all(torch.equal(weight, given[0]) for weight in given)
    if given and not (alike and len(given) == len(weights)):
        raise ValueError(
            "all terms of the mix must have the same class weights, since there is one "
            "number to divide by; give each of them the same ones, or none"
        )
    # Where classes and numbers are mixed, the target is numbers.
    numbers = [part for part in parts if isinstance(part, NumberCriterion)]
    return (numbers or parts)[0]


def _weight_of_rows(
    criterion: ClassCriterion | NumberCriterion,
    input: Tensor,
    target: Tensor,
    sample_weight: Tensor | None,
) -> Tensor:
    """What each row adds to the divisor of the mean."""
    weight = None if sample_weight is None else sample_weight.detach()
    if isinstance(criterion, NumberCriterion):
        kept = ~target.isnan() if criterion.ignore_nan else torch.ones_like(target)
        return torch.as_tensor(product(kept.float(), weight))
    if target.is_floating_point():
        rows = rows_of(input, axis_of(input, criterion.dim))
        ones = torch.ones(rows, device=input.device)
        return torch.as_tensor(product(ones, weight))
    kept = (target != criterion.ignore_index).float()
    of_classes = None
    if criterion.weight is not None:
        of_classes = of_class(criterion.weight, target.long())
    return torch.as_tensor(product(kept, of_classes, weight))
