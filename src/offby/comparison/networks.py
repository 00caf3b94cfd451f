"""The networks that a comparison trains, for every fold and seed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pickle import PicklingError
from typing import Literal

import numpy as np
import torch
from joblib import hash as hash_of
from torch import Tensor

from offby.comparison.config import Network, StopOn
from offby.losses.registry import Labels, NamedLoss
from offby.tabular.building import (
    HIDDEN_LAYER_SIZES,
    build_network,
    build_regression,
    mean_outputs,
)
from offby.tabular.data import TrainingData
from offby.tabular.forecasts import mean_forecast
from offby.tabular.modules import Module
from offby.tabular.networks import MLP, NetworkBatch
from offby.tabular.runs import Run, TrainerSettings
from offby.tabular.splits import inner_split
from offby.tabular.trainer import TrainedRun, common_score, fit_runs

_PERCEPTRON = TrainerSettings(1e-3, 1e-3, n_iter_no_change=16)
"""A plain perceptron needs smaller steps than an ensemble, and more patience."""


@dataclass(frozen=True)
class Settings:
    """How a network is built and trained; None is what suits its kind."""

    hidden_layer_sizes: tuple[int, ...] = HIDDEN_LAYER_SIZES
    learning_rate_init: float | None = None
    weight_decay: float | None = None
    batch_size: int | Literal["auto"] = "auto"
    max_iter: int = TrainerSettings.max_iter
    n_iter_no_change: int | None = None
    validation_fraction: float = 0.15


@dataclass(frozen=True)
class Design:
    """Which network is trained for every loss, fold and seed, and how.

    An "ensemble" is one bag of the estimators, built and trained as theirs. A module
    is what their `module` is.
    """

    network: Network | Module = "ensemble"
    settings: Settings = Settings()

    @property
    def is_perceptron(self) -> bool:
        """Whether it is the plain perceptron, which takes plainer inputs."""
        return self.network == "perceptron"

    @property
    def module(self) -> Module | None:
        """The module of the user, if it is one."""
        return None if isinstance(self.network, str) else self.network

    @property
    def trainer(self) -> TrainerSettings:
        """Rules of the training: those of the estimators, if no others are set."""
        usual = _PERCEPTRON if self.is_perceptron else TrainerSettings()
        names = (
            "learning_rate_init",
            "weight_decay",
            "batch_size",
            "max_iter",
            "n_iter_no_change",
        )
        given = {name: getattr(self.settings, name) for name in names}
        return replace(usual, **{k: v for k, v in given.items() if v is not None})

    def run(self, data: TrainingData, seed: int, *, keep_snapshots=False) -> Run:
        """A run on the table, which draws its validation rows by the seed."""
        generator = torch.Generator().manual_seed(seed)
        train, validation = inner_split(
            len(data.index),
            self.settings.validation_fraction,
            generator,
            groups=data.groups,
            time=data.time,
        )
        return Run(data, train, validation, seed, keep_snapshots)

    def build(self, runs: Sequence[Run]) -> NetworkBatch:
        """The untrained networks of some runs."""
        hidden = self.settings.hidden_layer_sizes
        if not self.is_perceptron:
            return build_network(runs, module=self.module, hidden_layer_sizes=hidden)
        data = runs[0].data
        widths = [data.inputs.shape[1], *hidden, data.line.n_classes]
        return MLP(widths, [run.generator() for run in runs])

    def pool(self, logits: Tensor) -> Tensor:
        """The forecast of each run from the logits of its members."""
        return logits[:, 0] if self.is_perceptron else mean_forecast(logits)

    def fit_numbers(
        self, runs: Sequence[Run], loss: NamedLoss, start: Tensor
    ) -> list[TrainedRun]:
        """Train a network per run whose outputs are numbers, and stop by the loss.

        Args:
            runs: What to train on; `line` has a class for each output.
            loss: What the training minimizes.
            start: What an ensemble forecasts before training: runs x outputs.
        """

        def build(batch: Sequence[Run]) -> NetworkBatch:
            if self.is_perceptron:
                return self.build(batch)
            first = torch.stack([start[runs.index(run)] for run in batch])
            hidden = self.settings.hidden_layer_sizes
            return build_regression(batch, first, hidden_layer_sizes=hidden)

        return fit_runs(
            runs,
            build,
            loss,
            self.trainer,
            score=lambda labels, outputs: loss.rows(outputs, labels),
            pool=mean_outputs,
        )

    def fit(
        self, runs: Sequence[Run], loss: NamedLoss, *, stop_on: StopOn = "score"
    ) -> list[TrainedRun]:
        """Train a network per run.

        Args:
            runs: What to train on.
            loss: What the training minimizes.
            stop_on: What the validation rows are judged by: the common score (RPS or
                CRPS) or the loss itself.
        """

        def own_score(labels: Labels, logits: Tensor) -> Tensor:
            return loss.rows(logits, labels)

        # A module has no axis for runs, so one is trained after the other.
        batches = [list(runs)] if self.module is None else [[run] for run in runs]
        return [
            trained
            for batch in batches
            for trained in fit_runs(
                batch,
                self.build,
                loss,
                self.trainer,
                score=own_score if stop_on == "own" else common_score,
                pool=self.pool,
            )
        ]

    def text(self) -> str:
        """All that a fit depends on beside its rows, loss and seed, as text.

        Raises:
            ValueError: If the function that builds a module cannot be pickled.
        """
        module = self.module
        name = self.network if module is None else _text_of(module)
        hidden = self.settings.hidden_layer_sizes
        return f"{name} {hidden} {self.settings.validation_fraction} {self.trainer}"


def title_of(network: Network | Module) -> str:
    """What a reader of the result is told: "ensemble", "perceptron" or a module."""
    if isinstance(network, str):
        return network
    named = network if hasattr(network, "__name__") else type(network)
    return f"module {named.__name__}"


def _text_of(module: Module) -> str:
    """A hash of all that a module, or the function that builds it, is."""
    if isinstance(module, torch.nn.Module):
        kind = f"{type(module).__module__}.{type(module).__qualname__}"
        found = hashlib.sha256(f"{kind} {module}".encode())
        for name, part in module.state_dict().items():
            found.update(f"{name} {tuple(part.shape)} {part.dtype}".encode())
            found.update(np.ascontiguousarray(part.cpu().numpy()).tobytes())
        return found.hexdigest()
    try:
        return str(hash_of(module))
    except PicklingError as error:
        raise ValueError(
            "with a run directory, the function that builds the network must be one "
            f"that can be pickled, got {module!r}: {error}; define it in a module"
        ) from error
