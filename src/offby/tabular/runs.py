"""Runs: what is trained, by what settings, and how it went."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from offby.tabular.data import TrainingData
from offby.tabular.splits import child_seed


@dataclass(frozen=True)
class TrainerSettings:
    """How networks are trained."""

    learning_rate_init: float = 0.01
    weight_decay: float = 1e-2
    batch_size: int | Literal["auto"] = "auto"
    max_iter: int = 200
    n_iter_no_change: int = 6
    max_time: float | None = None
    """Seconds after which no further epoch begins."""

    def __post_init__(self) -> None:
        least = {
            "learning_rate_init": 0,
            "weight_decay": 0,
            "max_iter": 0,
            "n_iter_no_change": 1,
            "batch_size": 1,
            "max_time": 0,
        }
        for name, bound in least.items():
            value = getattr(self, name)
            if value not in (None, "auto") and not value >= bound:
                raise ValueError(f"{name} must be at least {bound}, got {value}")


@dataclass(frozen=True, eq=False)
class Run:
    """One network to train: its rows, and the seed of its weights and batches."""

    data: TrainingData
    train: Tensor
    validation: Tensor
    seed: int
    keep_snapshots: bool = False

    def generator(self, purpose: int = 0) -> torch.Generator:
        """A stream of random numbers of its own: 0 for weights, 1 rows, 2 dropout."""
        return torch.Generator().manual_seed(child_seed(self.seed, purpose))


@dataclass(eq=False)
class History:
    """How a run went."""

    scores: list[float] = field(default_factory=list)
    """Validation score before training and after each epoch."""
    best_epoch: int = 0
    best_score: float = math.inf
    snapshots: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    """Weights at epoch 0, 1, 2, 4, 8, ..., where they were asked for."""

    def record_epoch(self, score: float) -> bool:
        """Note the score of one more epoch; whether it is the best so far."""
        self.scores.append(score)
        if not score < self.best_score:
            return False
        self.best_score, self.best_epoch = score, len(self.scores) - 1
        return True

    def has_stalled(self, patience: int) -> bool:
        """Whether so many epochs have passed since the best one."""
        return len(self.scores) - 1 - self.best_epoch >= patience


def mean_score(histories: Sequence[History], epoch: int) -> float:
    """Mean validation score of the runs; one that stopped counts with its best."""
    scores = [
        each.scores[epoch] if epoch < len(each.scores) else each.best_score
        for each in histories
    ]
    return sum(scores) / len(scores)


def mean_scores(histories: Sequence[History]) -> list[float]:
    """Mean validation score of the runs at each epoch."""
    return [
        mean_score(histories, epoch)
        for epoch in range(max(len(each.scores) for each in histories))
    ]


def batch_shape(runs: Sequence[Run], settings: TrainerSettings) -> tuple[int, int]:
    """Rows in a step and steps in an epoch, the same for all runs."""
    n_rows = min(len(run.train) for run in runs)
    size = batch_size(n_rows, settings.batch_size)
    return size, max(1, round(n_rows / size))


def batch_size(n_rows: int, wanted: int | Literal["auto"]) -> int:
    """Rows in a step: about 24 steps an epoch, in batches large enough to be quick.

    Below 128 rows a step takes hardly less time; above 512, it pays no more.
    """
    if wanted != "auto":
        return min(wanted, n_rows)
    return min(n_rows, max(128, min(512, 2 ** round(math.log2(max(n_rows, 1) / 24)))))
