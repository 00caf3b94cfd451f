"""What each network of heads.py is trained on: losses, soft labels, one for batches."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from offby import losses, targets
from offby.losses import levels

Means = tuple[Tensor, Tensor]
Objective = Callable[[Tensor], Means]
"""Of the logits of all runs: mean loss of the rows to learn from, of those to stop."""


@dataclass(frozen=True)
class Task:
    """One set, and the rows each run learns from, stops on and is judged by."""

    inputs: Tensor
    """Runs x rows x features, standardized on the learning rows of each run."""
    index: Tensor
    learn: Tensor
    stop: Tensor
    judge: Tensor
    n_classes: int

    @property
    def labels(self) -> Tensor:
        """The class of each row, for each run."""
        return self.index.expand(len(self.inputs), -1)


def on(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Task], Objective]:
    """A loss of each row, of its class."""
    return lambda task: _by_rows(task, function, task.labels)


def soft(
    family: Callable[[Tensor, Task], Tensor],
) -> Callable[[Task], Objective]:
    """Cross-entropy to soft labels."""
    return lambda task: _by_rows(task, losses.cross_entropy, family(task.labels, task))


def by_frequency(labels: Tensor, task: Task) -> Tensor:
    """Soft labels by the counts of the learning rows of each run.

    A class that a run has no row of counts as one.
    """
    return torch.stack(
        [
            targets.by_frequency(
                of_run,
                of_run[rows].bincount(minlength=task.n_classes).clamp(min=1),
                1.0,
            )
            for of_run, rows in zip(labels, task.learn, strict=True)
        ]
    )


def weighted_kappa(task: Task) -> Objective:
    """The one loss that is a number for all rows of a run."""

    def means(logits: Tensor) -> Means:
        learn, stop = (
            torch.stack(
                [
                    losses.weighted_kappa(
                        of_run, task.index, sample_weight=rows.float()
                    )
                    for of_run, rows in zip(logits, mask, strict=True)
                ]
            )
            for mask in (task.learn, task.stop)
        )
        return learn, stop

    return means


def _by_rows(
    task: Task, function: Callable[[Tensor, Tensor], Tensor], target: Tensor
) -> Objective:
    def means(logits: Tensor) -> Means:
        rows = function(logits, target)
        learn, stop = (
            rows.where(mask, 0.0).sum(-1) / mask.sum(-1)
            for mask in (task.learn, task.stop)
        )
        return learn, stop

    return means


LOSSES: dict[str, Callable[[Task], Objective]] = {
    "ce": on(losses.cross_entropy),
    "emd1": on(losses.wasserstein),
    "emd2": on(losses.squared_emd),
    "cce": on(losses.cumulative_cross_entropy),
    "brier": on(losses.brier),
    "slace": on(losses.slace),
    "cdw-ce": on(losses.cdw_cross_entropy),
    "weighted kappa": weighted_kappa,
    "soft, exponential": soft(lambda y, task: targets.exponential(y, task.n_classes)),
    "soft, triangular": soft(
        lambda y, task: targets.triangular(y, task.n_classes, spill=0.05)
    ),
    "soft, binomial": soft(lambda y, task: targets.binomial(y, task.n_classes)),
    "soft, Poisson": soft(lambda y, task: targets.poisson(y, task.n_classes)),
    "soft, beta": soft(lambda y, task: targets.beta(y, task.n_classes)),
    "soft, geometric": soft(lambda y, task: targets.geometric(y, task.n_classes)),
    "soft, by frequency": soft(by_frequency),
}
LEVEL_LOSSES: dict[str, Callable[[Task], Objective]] = {
    "levels, cross-entropy": on(levels.cross_entropy),
    "levels, squared error": on(levels.squared_error),
}
"""Of K - 1 answers that may contradict each other: no other loss fits them."""
