"""The networks that a comparison trains: plain perceptrons, for every fold and seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from offby.losses.registry import NamedLoss
from offby.tabular.data import TrainingData
from offby.tabular.networks import MLP
from offby.tabular.runs import Run, TrainerSettings
from offby.tabular.splits import inner_split
from offby.tabular.trainer import TrainedRun, common_score, fit_runs

StopOn = Literal["score", "own"]


@dataclass(frozen=True)
class Settings:
    """How a network is built and trained."""

    hidden_layer_sizes: tuple[int, ...] = (128, 128)
    learning_rate_init: float = 1e-3
    weight_decay: float = 1e-3
    batch_size: int | Literal["auto"] = "auto"
    max_iter: int = 200
    n_iter_no_change: int = 16
    validation_fraction: float = 0.15

    def run(self, data: TrainingData, seed: int, *, keep_snapshots=False) -> Run:
        """A run on the table, which draws its validation rows by the seed."""
        generator = torch.Generator().manual_seed(seed)
        train, validation = inner_split(
            len(data.index),
            self.validation_fraction,
            generator,
            groups=data.groups,
            time=data.time,
        )
        return Run(data, train, validation, seed, keep_snapshots)


def fit_perceptrons(
    runs: Sequence[Run],
    loss: NamedLoss,
    settings: Settings,
    *,
    stop_on: StopOn = "score",
) -> list[TrainedRun]:
    """Train a plain perceptron per run.

    Args:
        runs: What to train on.
        loss: What the training minimizes.
        settings: Size of the networks and rules of the training.
        stop_on: What the validation rows are judged by: the common score (RPS or CRPS)
            or the loss itself.
    """

    def build(batch: Sequence[Run]) -> MLP:
        data = batch[0].data
        hidden = settings.hidden_layer_sizes
        widths = [data.inputs.shape[1], *hidden, data.line.n_classes]
        return MLP(widths, [run.generator() for run in batch])

    def own_score(labels, logits: Tensor) -> Tensor:
        return loss.rows(logits, labels)

    return fit_runs(
        runs,
        build,
        loss,
        TrainerSettings(
            learning_rate_init=settings.learning_rate_init,
            weight_decay=settings.weight_decay,
            batch_size=settings.batch_size,
            max_iter=settings.max_iter,
            n_iter_no_change=settings.n_iter_no_change,
        ),
        score=own_score if stop_on == "own" else common_score,
        pool=lambda outputs: outputs[:, 0],
    )
