"""Fits: the network of a loss on one fold, with one seed, and what it says."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from offby.comparison.config import StopOn
from offby.comparison.networks import Design
from offby.comparison.problem import Fold
from offby.losses.registry import NamedLoss
from offby.tabular.forecasts import rows_at_once
from offby.tabular.networks import NetworkBatch
from offby.tabular.trainer import TrainedRun

Tensors = dict[str, np.ndarray]
"""The weights of one network by name, with one run for first axis."""
Form = Literal["logits", "probs", "quantiles", "points"]


@dataclass(frozen=True, eq=False)
class Fit:
    """One trained network or reference, and what it says of the held-out rows."""

    fold: int
    seed: int
    form: Form
    outputs: np.ndarray
    """Held-out rows x classes, bins, levels or nothing, as `form` says."""
    seconds: float
    best_epoch: int = 0
    curve: tuple[float, ...] = ()
    tensors: Tensors = field(default_factory=dict)
    """The best weights; none of a reference."""
    earlier: tuple[Tensors, ...] = ()
    """Those at the start and in the middle of training, of one fit per loss."""

    @cached_property
    def probs(self) -> np.ndarray:
        """Predicted probabilities, rows x classes or bins."""
        if self.form == "probs":
            return self.outputs
        assert self.form == "logits", f"no probabilities in {self.form}"
        return torch.tensor(self.outputs).double().softmax(-1).numpy()


@dataclass(frozen=True, eq=False)
class Forecaster:
    """The network of a fold, which says what any weights of its shape forecast."""

    design: Design
    network: NetworkBatch

    @classmethod
    def of(cls, fold: Fold, design: Design) -> "Forecaster":
        """The network that is trained on this fold."""
        run = design.run(fold.data, 0)
        return cls(design, design.build([run]).eval().requires_grad_(False))

    def member_logits(self, tensors: Tensors, inputs: Tensor) -> Tensor:
        """What each member says of some rows: members x rows x classes."""
        own = {name: torch.tensor(part) for name, part in tensors.items()}
        return self.network.logits_of(own, inputs[None])[0]

    def logits(self, tensors: Tensors, inputs: Tensor) -> Tensor:
        """What the network of these weights says of some rows: rows x classes."""
        return self.design.pool(self.member_logits(tensors, inputs)[None])[0]

    @torch.no_grad()
    def probs(self, tensors: Tensors, inputs: np.ndarray) -> np.ndarray:
        """Probabilities of some rows: rows x classes."""
        parts = torch.from_numpy(inputs).split(rows_at_once(inputs.shape[1]))
        logits = torch.cat([self.logits(tensors, part) for part in parts])
        return logits.double().softmax(-1).numpy()


def fit_loss(
    places: Sequence[tuple[Fold, int]],
    *,
    loss: NamedLoss,
    design: Design,
    stop_on: StopOn,
) -> list[Fit]:
    """The networks of one loss, one for each fold and seed.

    They train as one batch where their shapes allow it; the company changes no bit of
    any.
    """
    begun = time.perf_counter()
    # The seeds of a fold share its rows.
    folds = {id(fold): fold for fold, _ in places}
    data = {key: fold.data for key, fold in folds.items()}
    runs = [
        design.run(
            data[id(fold)],
            fold.network_seed(seed),
            keep_snapshots=fold.number == seed == 0,
        )
        for fold, seed in places
    ]
    trained = design.fit(runs, loss, stop_on=stop_on)
    seconds = (time.perf_counter() - begun) / len(places)
    return [
        _fit(fold, seed, run, design, seconds)
        for (fold, seed), run in zip(places, trained, strict=True)
    ]


@torch.no_grad()
def outputs_of(
    trained: TrainedRun, fold: Fold, pool: Callable[[Tensor], Tensor]
) -> np.ndarray:
    """What a network says of the held-out rows, pooled over its members."""
    inputs = torch.from_numpy(fold.inputs(fold.test))
    parts = inputs.split(rows_at_once(inputs.shape[1]))
    return torch.cat([pool(trained.network(part[None]))[0] for part in parts]).numpy()


def _fit(fold: Fold, seed: int, run: TrainedRun, design: Design, seconds: float) -> Fit:
    return Fit(
        fold.number,
        seed,
        "logits",
        outputs_of(run, fold, design.pool),
        seconds,
        run.history.best_epoch,
        tuple(run.history.scores),
        _arrays(run.network.run_tensors()),
        _earlier(run),
    )


def _arrays(tensors: dict[str, Tensor]) -> Tensors:
    return {name: part.detach().numpy() for name, part in tensors.items()}


def _earlier(run: TrainedRun) -> tuple[Tensors, ...]:
    snapshots, half = run.history.snapshots, run.history.best_epoch / 2
    if not snapshots:
        return ()
    middle = min(snapshots, key=lambda epoch: abs(epoch - half))
    return _arrays(snapshots[0]), _arrays(snapshots[middle])
