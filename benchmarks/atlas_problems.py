"""The problems of the atlas: parts of sets, their bins, and noise in their labels.

`DESIGN` says which problems there are: not every combination of rows, bins and noise,
but the same for every model and loss, so that the means of losses can be compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
import polars as pl
from boosted import read, sets_of
from why_problems import Cell

from offby.comparison.problem import Fold

KINDS = ("classes", "numbers")
MODELS = ("ensemble", "boosting", "perceptron")
TEST = 1_000
ALL = 0
"""As a number of rows: all that `boosted.read` gives, but for those to score."""
BEYOND = 2_500
"""All rows are a size of their own where they are at least so many."""


@dataclass(frozen=True)
class Question:
    """A problem of the atlas, of which there are some draws."""

    set: str
    kind: str
    rows: int
    bins: int
    """Of numbers; of classes how many there are."""
    noise: float
    edge_noise: float = 0.0

    def draws(self, X: pl.DataFrame, y: np.ndarray, model: str, n: int) -> list[Fold]:
        """Parts of the set, the same for every model and loss."""
        return [self._draw(X, y, model, seed) for seed in range(n)]

    def _draw(self, X: pl.DataFrame, y: np.ndarray, model: str, seed: int) -> Fold:
        rng = np.random.default_rng([seed, self.rows])
        chosen = rng.permutation(len(y))[: self.rows + TEST]
        y = y[chosen].copy()
        y[: self.rows] = self._noisy(y[: self.rows], y, rng)
        classes = self.kind == "classes"
        cell = Cell(
            X[chosen.tolist()],
            y.astype(int) if classes else y,
            "classes" if classes else "number",
            tuple(map(float, range(self.bins))) if classes else (),
            self.bins,
            "kmeans",
            2,
            0,
            encoding="plain" if model == "perceptron" else "table",
            name=f"{self.set} {seed}",
            n_learned=self.rows,
        )
        (fold,) = cell.folds
        return across_edges(fold, self.edge_noise, rng) if self.edge_noise else fold

    def _noisy(self, y: np.ndarray, every: np.ndarray, rng) -> np.ndarray:
        if self.kind == "numbers":
            return y + self.noise * every.std() * rng.normal(size=len(y))
        moved = rng.random(len(y)) < self.noise
        step = rng.choice([-1, 1], len(y))
        # At an end there is one neighbor only.
        step = np.where(y + step < 0, 1, np.where(y + step >= self.bins, -1, step))
        return y + moved * step


def across_edges(fold: Fold, share: float, rng: np.random.Generator) -> Fold:
    """Training numbers near an edge of their bin may lie on its other side."""
    assert fold.bins is not None
    edges = fold.bins.edges.double().numpy()
    y = crossed(fold.train.y, edges, share, rng.random(len(fold.train.y)))
    return replace(fold, train=replace(fold.train, y=y))


def crossed(
    y: np.ndarray, edges: np.ndarray, share: float, drawn: np.ndarray
) -> np.ndarray:
    """Numbers mirrored at their nearest inner edge, with the probability of a misread.

    At the edge the probability is one half, and falls evenly to zero at a distance of
    `share` bin widths, of the narrower of its two bins: as if everyone who sorts a
    number into a bin had the edge a little elsewhere. Up to a share of 0.5 no number
    passes another edge.

    >>> edges = np.array([0.0, 1.0, 2.0])
    >>> crossed(np.array([0.9, 0.9, 0.4]), edges, 0.5, np.array([0.39, 0.41, 0.0]))
    array([1.1, 0.9, 0.4])
    """
    inner, widths = edges[1:-1], np.diff(edges)
    if not len(inner):
        return y
    place = np.searchsorted((inner[1:] + inner[:-1]) / 2, y)
    edge = inner[place]
    reach = share * np.minimum(widths[:-1], widths[1:])[place]
    chance = (1 - np.abs(y - edge) / reach) / 2
    return np.where(drawn < chance, 2 * edge - y, y)


@dataclass(frozen=True)
class Part:
    """Some combinations: every one of its rows, bins and noises, on some sets."""

    kinds: tuple[str, ...] = KINDS
    rows: tuple[int, ...] = (500,)
    bins: tuple[int, ...] = (10,)
    noise: tuple[float, ...] = (0.0,)
    edge_noise: tuple[float, ...] = (0.0,)
    sets: tuple[str, ...] = ()
    """All, if none is named."""
    models: tuple[str, ...] = MODELS
    draws: int = 2

    def questions(self, kind: str, name: str, y: np.ndarray) -> Iterator[Question]:
        """The problems of a set that has enough rows for them."""
        classes = kind == "classes"
        sizes = [size for size in (self.n_rows(n, y) for n in self.rows) if size]
        bins = (len(np.unique(y)),) if classes else self.bins
        # Nobody knows how near a class is to an edge.
        edge_noise = (0.0,) if classes else self.edge_noise
        for chosen in product(sizes, bins, self.noise, edge_noise):
            yield Question(name, kind, *chosen)

    def n_rows(self, wanted: int, y: np.ndarray) -> int:
        """How many rows to learn from; 0 if the set has too few."""
        if wanted == ALL:
            return len(y) - TEST if len(y) - TEST >= BEYOND else 0
        return wanted if wanted + 200 <= len(y) else 0


NUMBERS = ("numbers",)
FIRST = ("abalone", "bikes", "california", "concrete", "diamonds")
"""Sets of numbers that have a part before the others have it."""
DESIGN = (
    Part(rows=(150, 500), bins=(10, 50), noise=(0.0, 0.3)),
    Part(("classes",), rows=(2_000,), draws=1),
    Part(NUMBERS, bins=(10,), edge_noise=(0.5,), sets=FIRST),
    Part(NUMBERS, rows=(2_000,), bins=(50,), draws=1, sets=FIRST),
    Part(NUMBERS, bins=(5, 30, 100), sets=FIRST),
    Part(("classes",), rows=(ALL,), draws=1),
    Part(NUMBERS, rows=(2_000,), bins=(50,), draws=1),
    Part(NUMBERS, bins=(10,), edge_noise=(0.5,)),
    Part(NUMBERS, bins=(5, 30, 100)),
    Part(NUMBERS, bins=(300,), sets=("abalone", "bikes", "concrete")),
    Part(NUMBERS, rows=(ALL,), bins=(50,), draws=1),
    Part(NUMBERS, rows=(2_000,), bins=(10,), draws=1),
)
"""What `atlas.py DATA` measures, in this order: a run may be stopped after any part."""


def asked(design: Sequence[Part], data: str) -> Iterator[tuple[Question, str, int]]:
    """Problems, models and draws; of one problem all models, then the next problem."""
    seen = set()
    for part in design:
        for kind in part.kinds:
            for name in sets_of(kind):
                if part.sets and name not in part.sets:
                    continue
                for question in part.questions(kind, name, table(kind, name, data)[1]):
                    # A part on all sets has some that an earlier one has had.
                    if question not in seen:
                        seen.add(question)
                        for model in part.models:
                            yield question, model, part.draws


@cache
def table(kind: str, name: str, data: str) -> tuple[pl.DataFrame, np.ndarray]:
    """Columns and target; classes as their places."""
    X, y = read(kind, name, data)
    return X, np.unique(y, return_inverse=True)[1] if kind == "classes" else y


def sized(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the atlas, in which "all" is one number of rows, though sets differ."""
    size = pl.when(pl.col("rows") < BEYOND).then("rows").otherwise(pl.lit(BEYOND))
    return rows.with_columns(size.alias("rows"))
