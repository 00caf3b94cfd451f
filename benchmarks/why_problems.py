"""The problems of the study in benchmarks/why.py: drawn ones, and public tables."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np

from offby import datasets, tables
from offby.comparison.problem import Fold, Problem

ROWS = (100, 300, 1000)
BINS = (10, 30, 100)
CLASSES = (5, 10)
NOISES = (0.1, 0.4, 1.0)
"""Of drawn targets, in standard deviations of what the inputs tell."""
FAMILIES = ("even", "growing", "skewed", "two peaks", "wild")
TEST = 1000
"""Rows to judge on, at most."""
DATA = Path(__file__).parents[1] / "docs" / "reports" / "data"


@dataclass(frozen=True, eq=False)
class Cell(Problem):
    """One problem: the first rows are learned from, the others held out."""

    name: str = ""
    n_learned: int = 0

    @cached_property
    def folds(self) -> list[Fold]:
        """The one cut there is; its number says that no snapshots are wanted."""
        rows = np.arange(len(self.y))
        return [self._fold(1, rows[: self.n_learned], rows[self.n_learned :])]

    def as_given(self) -> "Cell":
        """As if there were no more rows than a user has: four learned, one held out."""
        n = min(len(self.y), round(1.25 * self.n_learned))
        return replace(self, X=self.X[:n], y=self.y[:n])


def drawn(family: str, noise: float, n_rows: int, seed: int):
    """Inputs and a number to predict: what they tell of it, and noise of one kind."""
    rng = np.random.default_rng([seed, n_rows, FAMILIES.index(family), int(10 * noise)])
    X = rng.normal(size=(n_rows, 5))
    told = (2 * X[:, 0] + 1.5 * np.sin(2 * X[:, 1]) + X[:, 2] * X[:, 3]) / 2.5
    spread = np.full(n_rows, noise)
    if family == "growing":
        spread *= np.exp(X[:, 4] - 0.5)
    y = told + spread * rng.normal(size=n_rows)
    if family == "skewed":
        y = np.exp(y)
    if family == "two peaks":
        y += 2 * (rng.random(n_rows) < 0.5)
    if family == "wild":
        y = np.where(rng.random(n_rows) < 0.1, rng.permutation(y), y)
    return X, y


def in_classes(y: np.ndarray, n_classes: int, cut: str) -> np.ndarray:
    """The number in classes of equal count, or of equal width and so uneven."""
    if cut == "even":
        inner = np.quantile(y, np.linspace(0, 1, n_classes + 1)[1:-1])
    else:
        inner = np.linspace(*np.quantile(y, (0.02, 0.98)), n_classes + 1)[1:-1]
    return np.searchsorted(inner, y)


def drawn_cells() -> Iterator[list[Cell]]:
    """Drawn problems, of one size and number of bins at a time."""
    for n, n_bins in product(ROWS, BINS):
        batch = []
        for family, noise in product(FAMILIES, NOISES):
            X, y = drawn(family, noise, n + TEST, 1)
            batch.append(
                cell_of(X, y, "number", n_bins, n, f"{family}, noise {noise:g}")
            )
        yield batch
    for n, n_classes in product(ROWS, CLASSES):
        batch = []
        for family, noise, cut in product(FAMILIES, NOISES, ("even", "uneven")):
            X, y = drawn(family, noise, n + TEST, 2)
            name = f"{family}, noise {noise:g}, {cut} classes"
            y = in_classes(y, n_classes, cut)
            batch.append(cell_of(X, y, "classes", n_classes, n, name))
        yield batch


TABLES = (
    ("concrete", "compressive_strength", ()),
    ("abalone", "rings", ()),
    ("bikes", "bikers", ("casual", "registered")),
    ("diamonds", "price", ("clarity",)),
    ("wine-red", "quality", ()),
    ("abalone", "rings", ()),
    ("diamonds", "clarity", ("price",)),
)
"""Table, target, columns left out: four numbers, then three sets of classes."""
ORDER = ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"]


def real_cells() -> Iterator[list[Cell]]:
    """Parts of public tables, of one size and number of bins at a time."""
    for place, (name, target, drop) in enumerate(TABLES):
        kind = "number" if place < 4 else "classes"
        path = DATA / f"{name}.csv.gz"
        frame = tables.read(path if path.exists() else str(datasets.load(name)))
        X, y = frame.drop(target, *drop), _target(frame[target], kind)
        n_classes = int(y.max()) + 1
        for n in ROWS:
            if n + 200 > len(y):
                continue
            for n_bins in BINS if kind == "number" else (n_classes,):
                batch = []
                for seed in range(2):
                    rng = np.random.default_rng([seed, n])
                    rows = rng.permutation(len(y))[: n + TEST]
                    part = X[rows.tolist()], y[rows]
                    batch.append(cell_of(*part, kind, n_bins, n, f"{name} {target}"))
                yield batch


def _target(column, kind: str) -> np.ndarray:
    if kind == "number":
        return column.to_numpy().astype(float)
    if column.name == "clarity":
        return np.array([ORDER.index(word) for word in column])
    values = column.to_numpy().clip(3, 20)
    return values - values.min()


def cell_of(X, y, kind, n_bins: int, n: int, name: str) -> Cell:
    places = tuple(map(float, range(n_bins))) if kind == "classes" else ()
    return Cell(
        X,
        y,
        kind,
        places,
        n_bins,
        "quantile",
        2,
        0,
        encoding="plain",
        name=name,
        n_learned=n,
    )
