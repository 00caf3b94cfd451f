"""Noise added to bin edges, inputs and labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import narwhals as nw
import numpy as np
import torch

from offby.comparison.config import StopOn
from offby.comparison.methods.jobs import fitter
from offby.comparison.networks import Design
from offby.comparison.problem import Fold, Problem
from offby.comparison.scheduler import Job
from offby.grounds import neighbors
from offby.losses.registry import NamedLoss
from offby.tabular.encoders.numbers import columns
from offby.tabular.splits import child_seed

EDGES = (0.1, 0.25, 0.5)
"""Noise of the bin edges, as shares of the bin width."""
COUNTS = (0.5, 2.0)
"""Other numbers of bins, as factors."""
INPUTS = (0.1, 0.25, 0.5, 1.0)
"""Noise of the numeric inputs, as shares of their standard deviation."""
TARGETS = (0.1, 0.3)
"""Shares of the training labels that are moved."""
FOLDS = 3
"""Refits are made on this many folds, with the first seed."""


@dataclass(frozen=True, eq=False)
class Perturbation:
    """One kind and strength of noise: the folds as it leaves them."""

    kind: str
    level: float
    folds: tuple[Fold, ...]

    def method(self, loss: NamedLoss) -> str:
        """A name for the fits of a loss under this noise."""
        return f"{loss} under {self.kind} {self.level:g}"


def perturbations(problem: Problem) -> list[Perturbation]:
    """Every noise that asks for fits of its own."""
    folds = problem.folds[:FOLDS]
    made = []
    if problem.kind == "number":
        made += [
            Perturbation(
                "edges", level, tuple(_jittered(fold, level) for fold in folds)
            )
            for level in EDGES
        ]
        made += [
            Perturbation(
                "counts", factor, tuple(_regrid(problem, f, factor) for f in folds)
            )
            for factor in COUNTS
        ]
        other = "uniform" if problem.strategy == "quantile" else "quantile"
        moved = replace(problem, strategy=other)
        made.append(
            Perturbation("strategy", 1.0, tuple(_regrid(moved, f, 1.0) for f in folds))
        )
    for level in TARGETS:
        for kind, move in (
            ("neighbor", moved_to_neighbor),
            ("random", moved_at_random),
        ):
            made.append(
                Perturbation(kind, level, tuple(move(fold, level) for fold in folds))
            )
    return made


def jobs(
    found: Sequence[Perturbation],
    losses: Sequence[NamedLoss],
    design: Design,
    stop_on: StopOn,
    *,
    keyed: bool,
) -> list[Job]:
    """The refits: every loss under every noise."""
    fits = [(loss, *fitter(loss, design, stop_on, keyed=keyed)) for loss in losses]
    return [
        Job(perturbation.method(loss), fold, 0, fit, recipe)
        for loss, fit, recipe in fits
        for perturbation in found
        for fold in perturbation.folds
    ]


def _jittered(fold: Fold, level: float) -> Fold:
    assert fold.bins is not None
    generator = torch.Generator().manual_seed(child_seed(fold.seed, fold.number, 101))
    return replace(fold, bins=fold.bins.jitter(level, generator))


def _regrid(problem: Problem, fold: Fold, factor: float) -> Fold:
    n_bins = max(2, round(factor * problem.n_bins))
    grid = replace(problem, n_bins=n_bins).grid(
        fold.train.y, fold.train.weight, fold.scale
    )
    return replace(fold, bins=grid)


def moved_to_neighbor(fold: Fold, share: float) -> Fold:
    """A share of the training labels moved to the next class or bin."""
    rng = np.random.default_rng(child_seed(fold.seed, fold.number, 102))
    y = fold.train.y.copy()
    chosen = rng.random(len(y)) < share
    if fold.ground is not None:
        # Any of the neighbors, each as likely.
        near = neighbors(fold.ground).numpy()[y]
        drawn = (near * rng.uniform(1, 2, near.shape)).argmax(-1)
        y[chosen] = drawn[chosen]
        return replace(fold, train=replace(fold.train, y=y))
    step = rng.choice([-1, 1], len(y))
    index = fold.labels(fold.train).index.numpy()
    first, last = 0, fold.line.n_classes - 1
    if fold.bins is not None:  # Nothing moves into a tail, which is far wider.
        first, last = first + fold.bins.lower_tail, last - fold.bins.upper_tail
    # At the ends there is one neighbor only.
    turns = (index + step < first) | (index + step > last)
    moved = np.clip(np.where(turns, -step, step) + index, first, last)
    if fold.bins is None:
        y[chosen] = moved[chosen]
    else:
        low, wide = fold.bins.edges.numpy()[:-1], fold.bins.widths.numpy()
        y[chosen] = (low[moved] + rng.random(len(y)) * wide[moved])[chosen]
    return replace(fold, train=replace(fold.train, y=y))


def moved_at_random(fold: Fold, share: float) -> Fold:
    """A share of the training labels drawn from all training labels."""
    rng = np.random.default_rng(child_seed(fold.seed, fold.number, 103))
    y = fold.train.y
    chosen = rng.random(len(y)) < share
    drawn = np.where(chosen, rng.choice(y, len(y)), y)
    return replace(fold, train=replace(fold.train, y=drawn))


def noisy_inputs(fold: Fold, level: float) -> np.ndarray:
    """The held-out rows with normal noise on their numeric columns, encoded.

    Columns of two values are switches, and stay as they are.
    """
    rng = np.random.default_rng(child_seed(fold.seed, fold.number, 104))
    learned, held_out = fold.train.X, fold.test.X
    if isinstance(held_out, np.ndarray):
        wide = np.array([_spread(column) for column in learned.T])
        noise = rng.normal(size=held_out.shape)
        return fold.encoded(held_out + level * wide * noise)
    numbers, _ = columns(learned)
    frame = nw.from_native(held_out, eager_only=True)
    known = nw.from_native(learned, eager_only=True)
    changed = []
    for name in numbers:
        noise = rng.normal(size=len(frame))
        wide = _spread(known[name].cast(nw.Float64).to_numpy())
        values = frame[name].cast(nw.Float64).to_numpy() + level * wide * noise
        changed.append(
            nw.new_series(
                name, values, nw.Float64, backend=nw.get_native_namespace(frame)
            )
        )
    return fold.encoded(frame.with_columns(*changed).to_native())


def _spread(column: np.ndarray) -> float:
    known = column[~np.isnan(column.astype(np.float64))]
    return float(np.std(known)) if len(np.unique(known)) > 2 else 0.0


def unchanged_level(kind: str) -> float:
    """The level at which nothing is changed."""
    return 1.0 if kind == "counts" else 0.0
