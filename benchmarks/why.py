"""What tells beforehand which loss wins: the study behind "Why on your data".

    python benchmarks/why.py

trains cross-entropy and three losses that feel distance on many small problems: drawn
ones, whose truth is known, and five public tables. Of each it takes what `compare` can
tell its user about the data, and what the losses gained over cross-entropy. Writes
docs/why.json, the tables of docs/why.md, and src/offby/comparison/why.json, from which
`compare` quotes. Takes about 12 minutes on one core.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
import torch

from offby import datasets, tables
from offby.catalog import parse
from offby.comparison._fits import Fit, Fold, Problem, fit_loss
from offby.comparison._judge import judge
from offby.comparison._noise import noise_share
from offby.comparison._reasons import factors
from offby.training import Settings

LOSSES = ("emd2", "ce+emd2", "cce")
ROWS = (100, 300, 1000)
BINS = (10, 30, 100)
CLASSES = (5, 10)
NOISES = (0.1, 0.4, 1.0)
"""Of drawn targets, in standard deviations of what the inputs tell."""
FAMILIES = ("even", "growing", "skewed", "two peaks", "wild")
TEST = 1000
"""Rows to judge on, at most."""
HOME = Path(__file__).parents[1]
DATA = HOME / "docs" / "reports" / "data"
OUT = HOME / "docs" / "why.json"
PACKAGED = HOME / "src" / "offby" / "comparison" / "why.json"


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


# The problems


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
            batch.append(_cell(X, y, "number", n_bins, n, f"{family}, noise {noise:g}"))
        yield batch
    for n, n_classes in product(ROWS, CLASSES):
        batch = []
        for family, noise, cut in product(FAMILIES, NOISES, ("even", "uneven")):
            X, y = drawn(family, noise, n + TEST, 2)
            name = f"{family}, noise {noise:g}, {cut} classes"
            y = in_classes(y, n_classes, cut)
            batch.append(_cell(X, y, "classes", n_classes, n, name))
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
                    batch.append(_cell(*part, kind, n_bins, n, f"{name} {target}"))
                yield batch


def _target(column, kind: str) -> np.ndarray:
    if kind == "number":
        return column.to_numpy().astype(float)
    if column.name == "clarity":
        return np.array([ORDER.index(word) for word in column])
    values = column.to_numpy().clip(3, 20)
    return values - values.min()


def _cell(X, y, kind, n_bins: int, n: int, name: str) -> Cell:
    places = tuple(map(float, range(n_bins))) if kind == "classes" else ()
    return Cell(X, y, kind, places, n_bins, "quantile", 2, 0, name=name, n_learned=n)


# What is measured


def measure(cells: Sequence[Cell]) -> list[dict]:
    """Factors and scores of each cell, averaged over those of one name."""
    at = [(cell.folds[0], seed) for seed, cell in enumerate(cells)]
    fits = {
        name: fit_loss(at, loss=parse(name), settings=Settings(), stop_on="score")
        for name in ("ce", *LOSSES)
    }
    rows: dict[str, list[dict]] = {}
    for place, cell in enumerate(cells):
        rows.setdefault(cell.name, []).append(
            one(cell, {name: found[place] for name, found in fits.items()})
        )
    return [
        {
            "name": name,
            "kind": cells[0].kind,
            "rows": cells[0].n_learned,
            "factors": _means([row["factors"] for row in found]),
            "scores": {
                loss: _means([row["scores"][loss] for row in found]) for loss in fits
            },
        }
        for name, found in rows.items()
    ]


def one(cell: Cell, fits: dict[str, Fit]) -> dict:
    """Factors and scores of one cell."""
    judged = {name: judge(cell.folds[0], fit) for name, fit in fits.items()}
    scores = {
        name: {
            # Rows outside all bins are infinitely bad under every loss, and left out.
            key: value if infinite == judged["ce"][key][1] else None
            for key, (value, infinite) in found.items()
            if key in ("rps", "crps", "log_score")
        }
        for name, found in judged.items()
    }
    given = cell.as_given()
    # The fold of a cell is its first, whatever its number.
    share = noise_share(given, [replace(fits["ce"], fold=0)])
    known = factors(cell, judged["ce"]["far"][0], share.share)
    return {"factors": known, "scores": scores}


def _means(rows: list[dict]) -> dict:
    return {
        key: None
        if any(row[key] is None for row in rows)
        else float(np.mean([row[key] for row in rows]))
        for key in rows[0]
    }


def main() -> None:
    torch.set_num_threads(1)
    begun = time.process_time()
    found = []
    for source, batches in (("drawn", drawn_cells()), ("real", real_cells())):
        for batch in batches:
            found += [{"source": source, **row} for row in measure(batch)]
            print(
                f"{source} {batch[0].kind} {batch[0].n_learned} rows, "
                f"{batch[0].n_bins or len(batch[0].positions)} bins: "
                f"{time.process_time() - begun:.0f} s",
                flush=True,
            )
    OUT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
