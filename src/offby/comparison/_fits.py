"""The fits behind a comparison: the same rows, folds and seeds for every method."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.model_selection import KFold, StratifiedKFold
from torch import Tensor

from offby.bins import Bins
from offby.catalog import Entry, Labels, NamedLoss
from offby.features import encoder
from offby.grounds import Line
from offby.training import (
    Settings,
    Task,
    Trained,
    balanced_line,
    child_seed,
    train,
)

LEVELS = tuple((i + 1) / 20 for i in range(19))
"""Levels of the quantiles of the reference rows."""


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
    strategy: Literal["quantile", "uniform"]
    n_folds: int
    seed: int

    @cached_property
    def folds(self) -> list["Fold"]:
        """Training and held-out rows, encoded with what the training rows tell."""
        kind = StratifiedKFold if self.kind == "classes" else KFold
        cv = kind(self.n_folds, shuffle=True, random_state=self.seed)
        cuts = cv.split(np.zeros(len(self.y)), self.y)
        return [self._fold(learned, held_out) for learned, held_out in cuts]

    @cached_property
    def line(self) -> Line:
        """Where the classes lie, one for all folds."""
        return Line(list(self.positions))

    def _fold(self, learned: np.ndarray, held_out: np.ndarray) -> "Fold":
        encode = encoder(self.X).fit(_rows(self.X, learned))
        inputs = [
            np.nan_to_num(np.asarray(encode.transform(_rows(self.X, rows)), np.float32))
            for rows in (learned, held_out)
        ]
        bins = None if self.kind == "classes" else self.grid(self.y[learned])
        return Fold(self, learned, held_out, inputs[0], inputs[1], bins)

    def grid(self, values: np.ndarray) -> Bins:
        """Bins over the values."""
        return Bins.around(values, self.n_bins, self.strategy)


@dataclass(frozen=True, eq=False)
class Fold:
    """One cut of the data."""

    problem: Problem
    learned: np.ndarray
    held_out: np.ndarray
    inputs: np.ndarray
    held_out_inputs: np.ndarray
    bins: Bins | None

    @cached_property
    def line(self) -> Line:
        """Where the classes lie."""
        if self.bins is None:
            return self.problem.line
        y = torch.from_numpy(self.problem.y[self.learned])
        return balanced_line(self.bins, self.bins.index(y.double()))

    def labels(self, rows: np.ndarray) -> Labels:
        """What rows of the data are judged against."""
        y = torch.from_numpy(self.problem.y[rows])
        if self.bins is None:
            return Labels(y.long(), self.line)
        return Labels(self.bins.index(y.double()), self.line, y.double(), self.bins)

    def task(self, seed: int) -> Task:
        """What a network of this fold learns from."""
        labels = self.labels(self.learned)
        inputs = torch.from_numpy(self.inputs)
        return Task(inputs, labels.index, labels.value, self.line, self.bins, seed)


def _rows(X, rows: np.ndarray):
    if isinstance(X, np.ndarray):
        return X[rows]
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows.tolist()]


@dataclass(frozen=True, eq=False)
class Fit:
    """One trained network of a loss, and what it predicts for the held-out rows."""

    fold: int
    seed: int
    trained: Trained
    probs: np.ndarray


def fit_loss(
    problem: Problem,
    loss: NamedLoss,
    *,
    seeds: int,
    settings: Settings,
    stop_on: Literal["score", "own"],
) -> list[Fit]:
    """All networks of one loss: every fold with every seed."""
    places = [(fold, seed) for fold in range(problem.n_folds) for seed in range(seeds)]
    tasks = {
        (fold, seed): problem.folds[fold].task(child_seed(problem.seed, fold, seed))
        for fold, seed in places
    }
    # Folds may differ in columns (rare categories) and in bins (merged edges).
    alike = defaultdict(list)
    for place in places:
        task = tasks[place]
        alike[task.inputs.shape[1], task.line.n_classes].append(place)
    trained = {}
    for group in alike.values():
        nets = train([tasks[p] for p in group], loss, settings, stop_on=stop_on)
        trained.update(zip(group, nets, strict=True))
    return [
        Fit(
            fold,
            seed,
            trained[fold, seed],
            _predict(trained[fold, seed], problem, fold),
        )
        for fold, seed in places
    ]


@torch.no_grad()
def _predict(net: Trained, problem: Problem, fold: int) -> np.ndarray:
    inputs = torch.from_numpy(problem.folds[fold].held_out_inputs)
    return net.logits(inputs).double().softmax(-1).numpy()


def class_frequencies(fold: Fold) -> np.ndarray:
    """The same forecast for every row: how often each class or bin came in training."""
    index = fold.labels(fold.learned).index.numpy()
    share = np.bincount(index, minlength=fold.line.n_classes) / len(index)
    return np.tile(share, (len(fold.held_out), 1))


def boosted_classes(fold: Fold) -> np.ndarray:
    """Class probabilities of scikit-learn's gradient boosting, stopped early."""
    y = fold.problem.y[fold.learned]
    # It needs two rows of every class to cut off its inner split.
    stops: Any = bool(np.bincount(y)[np.unique(y)].min() >= 2)
    model = HistGradientBoostingClassifier(early_stopping=stops, random_state=0).fit(
        fold.inputs, y
    )
    probs = np.zeros((len(fold.held_out), fold.line.n_classes))
    probs[:, model.classes_] = model.predict_proba(fold.held_out_inputs)
    return probs


def boosted_quantiles(fold: Fold) -> np.ndarray:
    """19 quantiles of scikit-learn's gradient boosting, in order: rows x 19."""
    y = fold.problem.y[fold.learned]
    stops: Any = True
    columns = [
        HistGradientBoostingRegressor(
            loss="quantile", quantile=level, early_stopping=stops, random_state=0
        )
        .fit(fold.inputs, y)
        .predict(fold.held_out_inputs)
        for level in LEVELS
    ]
    return np.sort(np.stack(columns, -1), -1)


def pinball_rows(outputs: Tensor, labels: Labels) -> Tensor:
    """Mean pinball loss of 19 quantiles, in spreads of the training target."""
    assert labels.value is not None
    levels = outputs.new_tensor(LEVELS)
    short = labels.value[..., None].to(outputs) - outputs
    return torch.maximum(levels * short, (levels - 1) * short).mean(-1)


_PINBALL = NamedLoss(
    ((1.0, Entry("pinball", "pinball", "", True, "", "", pinball_rows)),)
)


def fit_quantiles(
    problem: Problem, *, seeds: int, settings: Settings
) -> dict[tuple[int, int], np.ndarray]:
    """The same network with 19 quantiles for outputs: fold, seed -> rows x 19."""
    found = {}
    for number, fold in enumerate(problem.folds):
        y = problem.y[fold.learned]
        mean, spread = y.mean(), y.std()
        value = torch.from_numpy((y - mean) / spread)
        tasks = [
            Task(
                torch.from_numpy(fold.inputs),
                torch.zeros(len(y), dtype=torch.int64),
                value,
                Line.regular(len(LEVELS)),
                None,
                child_seed(problem.seed, number, seed),
            )
            for seed in range(seeds)
        ]
        held_out = torch.from_numpy(fold.held_out_inputs)
        for seed, net in enumerate(train(tasks, _PINBALL, settings, stop_on="own")):
            outputs = net.logits(held_out).double().numpy()
            found[number, seed] = np.sort(outputs * spread + mean, -1)
    return found
