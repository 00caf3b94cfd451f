"""The fits behind a comparison: the same rows, folds and seeds for every method."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from offby.bins import Bins, Bounds, Strategy
from offby.comparison.networks import Settings, StopOn, fit_perceptrons
from offby.comparison.splits import cuts
from offby.grounds import Line
from offby.losses.registry import Labels, NamedLoss
from offby.tabular.data import TrainingData, balanced_line
from offby.tabular.encoders.numbers import fitted_encoder
from offby.tabular.networks import MLP
from offby.tabular.splits import child_seed
from offby.tabular.trainer import TrainedRun
from offby.weighted import WeightedSample

Weights = tuple[np.ndarray, ...]
Form = Literal["logits", "probs", "quantiles", "points"]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows on one side of a cut, encoded with what the learned ones tell."""

    numbers: np.ndarray
    """Their places in the data, from 0."""
    inputs: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    groups: np.ndarray | None = None
    """Group of each row, as a whole number."""
    time: np.ndarray | None = None
    """When each row came: 0 for the first time there is, then 1, 2, ..."""

    def row_weights(self) -> np.ndarray:
        """The weight of each row; ones if there are none."""
        return np.ones(len(self.y)) if self.weight is None else self.weight


@dataclass(frozen=True, eq=False)
class Fold:
    """One cut of the data: all that a fit needs, wherever it runs."""

    number: int
    seed: int
    """Of the whole comparison."""
    train: Rows
    test: Rows
    positions: tuple[float, ...]
    """Of the classes; empty for numbers."""
    bins: Bins | None
    spread: float
    """Standard deviation of the target over all rows, for numbers."""

    @cached_property
    def line(self) -> Line:
        """Where the classes lie."""
        if self.bins is None:
            return Line(list(self.positions))
        y = torch.tensor(self.train.y)
        index = self.bins.index(y.double())
        return balanced_line(self.bins, index, tensor(self.train.weight))

    def labels(self, rows: Rows) -> Labels:
        """What rows of this fold are judged against."""
        y = torch.tensor(rows.y)
        if self.bins is None:
            return Labels(y.long(), self.line)
        return Labels(self.bins.index(y.double()), self.line, y.double(), self.bins)

    @cached_property
    def data(self) -> TrainingData:
        """What the networks of this fold learn from."""
        labels = self.labels(self.train)
        return TrainingData(
            torch.tensor(self.train.inputs),
            labels.index,
            labels.value,
            self.line,
            self.bins,
            tensor(self.train.weight),
            tensor(self.train.groups),
            tensor(self.train.time),
        )

    def network_seed(self, seed: int) -> int:
        """Where all that is random in a network of this fold comes from."""
        return child_seed(self.seed, self.number, seed)

    @cached_property
    def digest(self) -> str:
        """A hash of everything a fit on this fold can depend on."""
        found = hashlib.sha256(f"{self.number} {self.seed} {self.positions}".encode())
        for rows in (self.train, self.test):
            for name, part in vars(rows).items():
                if part is not None:
                    found.update(f"{name} {part.shape} {part.dtype}".encode())
                    found.update(np.ascontiguousarray(part).tobytes())
        if self.bins is not None:
            found.update(self.bins.edges.numpy().tobytes())
        return found.hexdigest()


@dataclass(frozen=True, eq=False)
class Problem:
    """The data, and how they are cut into folds."""

    X: object
    y: np.ndarray
    """Class codes 0 to K - 1, or numbers."""
    kind: Literal["classes", "number"]
    positions: tuple[float, ...]
    """Of the classes; empty for numbers."""
    n_bins: int
    strategy: Strategy
    n_folds: int
    seed: int
    weight: np.ndarray | None = None
    groups: np.ndarray | None = None
    time: np.ndarray | None = None
    unseen_groups: bool = False
    """Whether, with times, only rows of groups without training rows are tested."""
    bounds: Bounds = None
    """Numbers beyond which no mass lies, as in `Bins.around`."""
    numbers: np.ndarray | None = None
    """FitKey of each row in the user's table, if rows of weight 0 were left out."""

    def row_numbers(self, rows: np.ndarray) -> np.ndarray:
        """Places of some rows in the user's table."""
        return rows if self.numbers is None else self.numbers[rows]

    @cached_property
    def folds(self) -> list[Fold]:
        """Training and held-out rows of every cut."""
        made = cuts(
            self.y,
            self.kind,
            n_folds=self.n_folds,
            seed=self.seed,
            groups=self.groups,
            time=self.time,
            unseen_groups=self.unseen_groups,
        )
        return [self._fold(number, *cut) for number, cut in enumerate(made)]

    def _fold(self, number: int, train: np.ndarray, test: np.ndarray) -> Fold:
        encode = self.encoder_of(train)
        by_row = {
            "weight": self.weight,
            "groups": _numbered(self.groups),
            "time": _numbered(self.time),
        }
        sides = [
            Rows(
                rows,
                encoded(encode, rows_of(self.X, rows)),
                self.y[rows],
                **{k: None if v is None else v[rows] for k, v in by_row.items()},
            )
            for rows in (train, test)
        ]
        classes = self.kind == "classes"
        return Fold(
            number=number,
            seed=self.seed,
            train=sides[0],
            test=sides[1],
            positions=self.positions,
            bins=None if classes else self.grid(self.y[train], sides[0].weight),
            spread=0.0 if classes else WeightedSample.of(self.y, self.weight).std(),
        )

    def encoder_of(self, train: np.ndarray):
        """An encoder of the columns, fitted on the training rows by their weights."""
        weight = None if self.weight is None else self.weight[train]
        return fitted_encoder(rows_of(self.X, train), weight)

    def grid(self, values: np.ndarray, weight: np.ndarray | None = None) -> Bins:
        """Bins over the values.

        Raises:
            ValueError: If the values are all the same.
        """
        if np.min(values) == np.max(values):
            raise ValueError(
                "the training rows of every fold must have different targets, got "
                f"{values[0]:g} in all {len(values)} rows of one; use fewer folds, or "
                "another --time or --groups"
            )
        return Bins.around(
            values, self.n_bins, self.strategy, weights=weight, bounds=self.bounds
        )


def _numbered(column: np.ndarray | None) -> np.ndarray | None:
    """Each value by its place among the sorted ones."""
    return None if column is None else np.unique(column, return_inverse=True)[1]


def tensor(column: np.ndarray | None) -> Tensor | None:
    """A column of the data as a tensor, if there is one."""
    return None if column is None else torch.tensor(column)


def rows_of(X, rows: np.ndarray):
    """Some rows of an array or frame."""
    if isinstance(X, np.ndarray):
        return X[rows]
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows.tolist()]


def encoded(encode, X) -> np.ndarray:
    """Rows as numbers a network can take."""
    return np.nan_to_num(np.asarray(encode.transform(X), np.float32))


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
    weights: Weights = ()
    earlier: tuple[Weights, ...] = ()
    """Weights at the start and in the middle of training, of one fit per loss."""

    @cached_property
    def probs(self) -> np.ndarray:
        """Predicted probabilities, rows x classes or bins."""
        if self.form == "probs":
            return self.outputs
        assert self.form == "logits", f"no probabilities in {self.form}"
        return torch.tensor(self.outputs).double().softmax(-1).numpy()

    @torch.no_grad()
    def probs_of(self, inputs: np.ndarray) -> np.ndarray:
        """What the network says of other rows."""
        logits = logits_of(self.weights, torch.tensor(inputs))
        return logits.double().softmax(-1).numpy()


def logits_of(weights: Weights, inputs: Tensor) -> Tensor:
    """What the network of these weights says of some rows."""
    return MLP.of([torch.tensor(part) for part in weights])(inputs[None])[0, 0]


def fit_loss(
    places: Sequence[tuple[Fold, int]],
    *,
    loss: NamedLoss,
    settings: Settings,
    stop_on: StopOn,
) -> list[Fit]:
    """The networks of one loss, one for each fold and seed.

    All of them train as one batch; the company changes no bit of any.
    """
    begun = time.perf_counter()
    runs = [
        settings.run(
            fold.data,
            fold.network_seed(seed),
            keep_snapshots=fold.number == seed == 0,
        )
        for fold, seed in places
    ]
    trained = fit_perceptrons(runs, loss, settings, stop_on=stop_on)
    seconds = (time.perf_counter() - begun) / len(places)
    return [
        _fit(fold, seed, run, seconds)
        for (fold, seed), run in zip(places, trained, strict=True)
    ]


def _fit(fold: Fold, seed: int, run: TrainedRun, seconds: float) -> Fit:
    inputs = torch.tensor(fold.test.inputs)
    with torch.no_grad():
        outputs = run.network(inputs[None])[0, 0].numpy()
    return Fit(
        fold.number,
        seed,
        "logits",
        outputs,
        seconds,
        run.history.best_epoch,
        tuple(run.history.scores),
        _arrays(run.network.run_tensors()),
        _earlier(run),
    )


def _arrays(tensors: dict[str, Tensor]) -> Weights:
    return tuple(part.numpy() for part in MLP.weights_of(tensors))


def _earlier(run: TrainedRun) -> tuple[Weights, ...]:
    snapshots, half = run.history.snapshots, run.history.best_epoch / 2
    if not snapshots:
        return ()
    middle = min(snapshots, key=lambda epoch: abs(epoch - half))
    return _arrays(snapshots[0]), _arrays(snapshots[middle])
