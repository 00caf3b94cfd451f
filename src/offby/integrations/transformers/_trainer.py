"""A criterion as `Trainer(compute_loss_func=...)` wants it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from offby.nn import MixedLoss


def compute_loss_func(criterion: nn.Module, *, shift: bool) -> Callable[..., Tensor]:
    """The `compute_loss_func` of `transformers.Trainer` for a criterion.

    Trainer adds up the losses of the batches that it accumulates, and of all devices,
    and does not divide. A criterion with `reduction="mean"` is then too large by the
    number of accumulated batches, without a word: 4 steps give 4 times the gradient. So
    the criterion must sum, and the sum is divided here, by `num_items_in_batch`: the
    labels that are not -100 in all these batches.

    Args:
        criterion: One with `reduction="sum"`: `NumberTokenLoss`, or any of `offby.nn`,
            such as `SquaredEMDLoss(reduction="sum")` for a classifier.
        shift: Whether logits are one step ahead of the labels: True for causal models,
            False for classifiers and for models with an encoder and a decoder.

    Returns:
        A function (outputs, labels, num_items_in_batch) that gives the loss.

    Raises:
        ValueError: If the criterion does not sum.

    >>> from types import SimpleNamespace
    >>> from offby.nn import SquaredEMDLoss
    >>> function = compute_loss_func(SquaredEMDLoss(reduction="sum"), shift=False)
    >>> outputs = SimpleNamespace(logits=torch.zeros(2, 4))
    >>> function(outputs, torch.tensor([0, 1]), num_items_in_batch=8)
    tensor(0.1562)
    """
    reduction = _reduction(criterion)
    if reduction != "sum":
        raise ValueError(
            'criterion must have reduction="sum", since Trainer adds the losses of '
            f"accumulated batches and leaves the division to it, got {reduction!r}"
        )

    ignored = getattr(criterion, "ignore_index", -100)

    def function(
        outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Sum over the batch by the number of items of all accumulated batches."""
        logits = outputs["logits"] if isinstance(outputs, dict) else outputs.logits
        labels = labels.to(logits.device)
        if shift:
            # Not logits[:, :-1], which is no whole block of memory and would be copied.
            labels = torch.nn.functional.pad(labels[..., 1:], (0, 1), value=ignored)
        flat = logits.flatten(0, -2)
        probabilities = labels.is_floating_point() and labels.shape == logits.shape
        target = labels.flatten(0, -2) if probabilities else labels.flatten()
        total = criterion(flat, target)
        if num_items_in_batch is None:  # in evaluation by older releases
            num_items_in_batch = (target != ignored).sum().clamp(min=1)
        if isinstance(num_items_in_batch, Tensor):
            # DataParallel hands each device a copy with an axis of one number.
            num_items_in_batch = num_items_in_batch.to(total.device).flatten()[0]
        return total / num_items_in_batch

    return function


def _reduction(criterion: nn.Module) -> str | None:
    first = criterion
    if isinstance(criterion, MixedLoss):  # whose terms have the same
        first = criterion.criteria[0]
    return getattr(first, "reduction", None)
