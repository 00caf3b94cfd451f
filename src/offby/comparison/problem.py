"""The data of a comparison, and their folds: the same rows for every method."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from offby.bins import Bins, Bounds, Strategy, Tails
from offby.comparison.config import Kind
from offby.comparison.hashing import hash_of_rows
from offby.comparison.splits import cuts
from offby.grounds import Ground
from offby.losses.registry import Labels
from offby.tabular.class_ground import class_ground
from offby.tabular.copies import can_keep_together, first_copies, united
from offby.tabular.data import TrainingData, balanced_line
from offby.tabular.encoders.frames import read_table
from offby.tabular.encoders.numbers import fitted_encoder
from offby.tabular.encoders.table import TableEncoder
from offby.tabular.splits import child_seed
from offby.tabular.target_grid import make_grid, on_scale_of
from offby.tabular.target_scales import Transform, fit_scale, to_scale
from offby.weighted import WeightedSample


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows on one side of a cut."""

    numbers: np.ndarray
    """Their places in the data, from 0."""
    X: Any
    """Their inputs as they came, in an array or a frame."""
    y: np.ndarray
    weight: np.ndarray | None
    groups: np.ndarray | None = None
    """Group of each row, as a whole number; copies of a row are in its group."""
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
    encoder: Any
    """What makes inputs of a network of the columns, fitted on the training rows."""
    transform: Transform | None = None
    """Scale on which losses measure distances between numbers, as in the estimators;
    `bins` are in the units of the target all the same."""
    scale: Any = None
    """This scale as it was fitted on the training rows."""
    ground: Ground | None = None
    """How far apart the classes are, where they lie on no line."""

    @cached_property
    def training_bins(self) -> Bins | None:
        """The bins on the scale on which networks are trained."""
        if self.bins is None or self.scale is None:
            return self.bins
        return on_scale_of(self.scale, self.bins)

    @cached_property
    def line(self) -> Ground:
        """Where the classes lie, in the unit in which networks are trained."""
        if self.bins is None or self.training_bins is None:
            n_classes = len(self.positions)
            return class_ground(self.ground or list(self.positions), n_classes)
        index = self.bins.index(torch.tensor(self.train.y).double())
        return balanced_line(self.training_bins, index, tensor(self.train.weight))

    def labels(self, rows: Rows) -> Labels:
        """What losses are measured against in rows of this fold."""
        y = torch.tensor(rows.y)
        if self.bins is None:
            return Labels(y.long(), self.line)
        index = self.bins.index(y.double())
        return Labels(index, self.line, self._on_scale(y.double()), self.training_bins)

    def _on_scale(self, y: Tensor) -> Tensor:
        """Numbers on the scale; those below its lower end, as 0 of log, lie there."""
        if self.scale is None or self.training_bins is None:
            return y
        with np.errstate(divide="ignore", invalid="ignore"):
            z = torch.from_numpy(to_scale(self.scale, y.numpy()))
        return torch.where(z.isfinite(), z, self.training_bins.edges[0])

    def inputs(self, rows: Rows) -> np.ndarray:
        """Rows of this fold as a network takes them."""
        return self.encoded(rows.X)

    def encoded(self, X: Any) -> np.ndarray:
        """Any rows as a network of this fold takes them: float32 without gaps."""
        return np.nan_to_num(np.asarray(self.encoder.transform(X), np.float32))

    @property
    def column_of_inputs(self) -> np.ndarray | None:
        """Column of `X` that each encoded input comes from; None if not known."""
        if not isinstance(self.encoder, TableEncoder):
            return None
        places = [np.asarray(each) for each in self.encoder.positions_.values()]
        return np.concatenate(places)[self.encoder.column_of_]

    # Not kept: encoded rows are many times as large, and a fold travels to workers.
    @property
    def data(self) -> TrainingData:
        """What the networks of this fold learn from."""
        labels = self.labels(self.train)
        return TrainingData(
            torch.from_numpy(self.inputs(self.train)),
            labels.index,
            labels.value,
            labels.line,
            labels.bins,
            tensor(self.train.weight),
            tensor(self.train.groups),
            tensor(self.train.time),
            tensor(getattr(self.encoder, "column_of_", None)),
        )

    def network_seed(self, seed: int) -> int:
        """Where all that is random in a network of this fold comes from."""
        return child_seed(self.seed, self.number, seed)

    @cached_property
    def digest(self) -> str:
        """A hash of everything a fit on this fold can depend on."""
        found = hashlib.sha256(f"{self.number} {self.seed} {self.positions}".encode())
        for rows in (self.train, self.test):
            found.update(hash_of_rows(rows.X, rows.y).encode())
            for name, part in vars(rows).items():
                if part is not None and name != "X":
                    found.update(f"{name} {part.shape} {part.dtype}".encode())
                    found.update(np.ascontiguousarray(part).tobytes())
        if self.bins is not None:
            found.update(self.bins.edges.numpy().tobytes())
            found.update(self.bins.tails.encode())
        if self.transform is not None:
            found.update(self.transform.encode())
        if self.ground is not None:
            found.update(repr(self.ground.to_dict()).encode())
        return found.hexdigest()

    def on_scale(self, transform: Transform | None, problem: "Problem") -> "Fold":
        """The same rows with bins that are made on a scale."""
        y, weight = self.train.y, self.train.weight
        scale = None if transform is None else fit_scale(transform, y, weight)
        bins = problem.grid(y, weight, scale)
        return replace(self, bins=bins, transform=transform, scale=scale)


@dataclass(frozen=True, eq=False)
class Problem:
    """The data, and how they are cut into folds."""

    X: object
    y: np.ndarray
    """Class codes 0 to K - 1, or numbers."""
    kind: Kind
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
    """Place of each row in the user's table, if rows of weight 0 were left out."""
    encoding: Literal["table", "plain"] = "table"
    """How networks get the columns: as the estimators' do, or standardized."""
    transforms: tuple[Transform | None, ...] = ()
    """Scale of the target in each fold; none at all by default."""
    ground: Ground | None = None
    """How far apart the classes are, where they lie on no line."""

    @cached_property
    def table(self) -> Any:
        """The inputs, columns of Python objects as the numbers or dates they hold."""
        if isinstance(self.X, np.ndarray) and self.X.dtype == object:
            return self.X.astype(np.float64)
        return read_table(self.X)

    @cached_property
    def copy_of(self) -> np.ndarray:
        """Of each row the first row with the very same inputs."""
        return first_copies(self.table)

    @property
    def n_copies(self) -> int:
        """Rows whose inputs are those of an earlier row."""
        return int((self.copy_of != np.arange(len(self.y))).sum())

    @cached_property
    def keeps_copies_together(self) -> bool:
        """Whether copies of a row are either training or test rows of a fold."""
        found = self.copy_of
        if self.groups is not None:
            found = united(self.groups, self.copy_of)
        return self.time is None and can_keep_together(found, self.n_folds)

    @cached_property
    def _kept_together(self) -> np.ndarray | None:
        """Group of each row for the folds and the validation rows, copies included."""
        if not self.n_copies or not self.keeps_copies_together:
            return _numbered(self.groups)
        if self.groups is None:
            return _numbered(self.copy_of)
        return united(self.groups, self.copy_of)

    def row_numbers(self, rows: np.ndarray) -> np.ndarray:
        """Places of some rows in the user's table."""
        return rows if self.numbers is None else self.numbers[rows]

    @cached_property
    def folds(self) -> list[Fold]:
        """Training and held-out rows of every cut."""
        if not any(self.transforms):
            return self._cut
        return [
            fold.on_scale(transform, self)
            for fold, transform in zip(self._cut, self.transforms, strict=True)
        ]

    def with_transforms(self, transforms: Sequence[Transform | None]) -> "Problem":
        """The same folds, with a scale of the target for each."""
        found = replace(self, transforms=tuple(transforms))
        # Neither what was read nor the cuts depend on scales, and both take time.
        kept = ("table", "copy_of", "_cut")
        found.__dict__.update({k: vars(self)[k] for k in kept if k in vars(self)})
        return found

    @cached_property
    def whole(self) -> Fold:
        """All rows as training rows, and again as test rows: for a last model."""
        every = np.arange(len(self.y))
        return self._fold(self.n_folds, every, every)

    @cached_property
    def _cut(self) -> list[Fold]:
        made = cuts(
            self.y,
            self.kind,
            n_folds=self.n_folds,
            seed=self.seed,
            groups=None if self.groups is None else self._kept_together,
            copy_of=self.copy_of if self.keeps_copies_together else None,
            time=self.time,
            unseen_groups=self.unseen_groups,
        )
        return [self._fold(number, *cut) for number, cut in enumerate(made)]

    def _fold(self, number: int, train: np.ndarray, test: np.ndarray) -> Fold:
        by_row = {
            "weight": self.weight,
            "groups": self._kept_together,
            "time": _numbered(self.time),
        }
        sides = [
            Rows(
                rows,
                rows_of(self.table, rows),
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
            encoder=self._encoder(sides[0]),
            ground=self.ground,
        )

    def _encoder(self, train: Rows):
        """An encoder of the columns, fitted on the training rows by their weights."""
        if self.encoding == "plain":
            return fitted_encoder(train.X, train.weight)
        return TableEncoder().fit(train.X, sample_weight=train.weight)

    def grid(
        self,
        values: np.ndarray,
        weight: np.ndarray | None = None,
        scale: Any = None,
        tails: Tails = "half-normal",
    ) -> Bins:
        """Bins over the values, made on a scale if there is one: as the estimators do.

        Raises:
            ValueError: If the values are all the same.
        """
        if np.min(values) == np.max(values):
            raise ValueError(
                "the training rows of every fold must have different targets, got "
                f"{values[0]:g} in all {len(values)} rows of one; use fewer folds, or "
                "another --time or --groups"
            )
        if scale is None:
            scale = fit_scale(None, values)
        return make_grid(
            scale, values, self.n_bins, self.strategy, tails, weight, self.bounds
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
