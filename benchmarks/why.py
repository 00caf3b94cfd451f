"""What tells beforehand which loss wins: the study behind "Why on your data".

    python benchmarks/why.py [tell]

trains cross-entropy and three losses that feel distance on many small problems: drawn
ones, whose truth is known, and five public tables. Of each it takes what `compare` can
tell its user about the data, and what the losses gained over cross-entropy. Writes
docs/why.json, the tables of docs/why.md, and src/offby/comparison/why.json, from which
`compare` quotes. Takes about 13 minutes on one core; with "tell", only what is made of
the measurements is made again.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
import torch
from scipy import stats

from offby import datasets, tables
from offby.comparison.fits import Fit, fit_loss
from offby.comparison.networks import Design
from offby.comparison.noise.estimate import noise_share
from offby.comparison.problem import Fold, Problem
from offby.comparison.scoring import judge
from offby.comparison.why import factors
from offby.losses.registry import parse

LOSSES = ("emd2", "ce+emd2", "cce")
ROWS = (100, 300, 1000)
BINS = (10, 30, 100)
CLASSES = (5, 10)
NOISES = (0.1, 0.4, 1.0)
"""Of drawn targets, in standard deviations of what the inputs tell."""
FAMILIES = ("even", "growing", "skewed", "two peaks", "wild")
TEST = 1000
"""Rows to judge on, at most."""
DESIGN = Design("perceptron")
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


# What is measured


def measure(cells: Sequence[Cell]) -> list[dict]:
    """Factors and scores of each cell, averaged over those of one name."""
    at = [(cell.folds[0], seed) for seed, cell in enumerate(cells)]
    fits = {
        name: fit_loss(at, loss=parse(name), design=DESIGN, stop_on="score")
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
    share = noise_share(given, [replace(fits["ce"], fold=0)], DESIGN)
    known = factors(cell, judged["ce"]["far"][0], share.share)
    return {"factors": known, "scores": scores}


def _means(rows: list[dict]) -> dict:
    return {
        key: None
        if any(row[key] is None for row in rows)
        else float(np.mean([row[key] for row in rows]))
        for key in rows[0]
    }


# What it says


FACTORS = {
    "far": "far errors under ce",
    "rows": "rows per class or bin",
    "bins": "classes or bins",
    "imbalance": "rows of the largest class, in even shares",
    "noise": "rows that noise would move",
}
METRICS = {"classes": ("rps", "log_score"), "number": ("crps", "log_score")}
_DRAWS = 200


def gain(cell: dict, loss: str, metric: str) -> float:
    """How much better than ce: a share of its RPS or CRPS, or nats."""
    ce, other = cell["scores"]["ce"][metric], cell["scores"][loss][metric]
    if other is None:
        return -np.inf
    return ce - other if metric == "log_score" else 1 - other / ce


def summary(cells: Sequence[dict]) -> dict:
    """Per kind of target and factor: does it tell the gain, and what was it where."""
    found = []
    for kind, factor in product(METRICS, FACTORS):
        some = [cell for cell in cells if cell["kind"] == kind]
        values = np.array([cell["factors"][factor] for cell in some])
        if kind == "number" and factor == "imbalance":
            continue  # bins of equal count are never uneven, but for ties
        edges = [_short(edge) for edge in np.quantile(values, (1 / 3, 2 / 3))]
        sets = np.unique([cell["name"] for cell in some], return_inverse=True)[1]
        for loss, metric in product(LOSSES, METRICS[kind]):
            gains = np.array([gain(cell, loss, metric) for cell in some])
            rank, low, high = rank_correlation(values, gains, sets)
            found.append(
                {
                    "kind": kind,
                    "factor": factor,
                    "loss": loss,
                    "metric": metric,
                    "rank_correlation": [_short(v) for v in (rank, low, high)],
                    "edges": edges,
                    "bands": [
                        _band(gains[np.searchsorted(edges, values) == place])
                        for place in range(3)
                    ],
                }
            )
    count = {kind: sum(cell["kind"] == kind for cell in cells) for kind in METRICS}
    return {"problems": count, "found": found}


def rank_correlation(x, y, sets) -> tuple[float, float, float]:
    """Of Spearman, with its 95 % interval over sets drawn anew, whole."""
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(sets == place) for place in range(sets.max() + 1)]
    drawn = []
    for _ in range(_DRAWS):
        chosen = rng.integers(len(members), size=len(members))
        rows = np.concatenate([members[place] for place in chosen])
        drawn.append(_spearman(x[rows], y[rows]))
    return (_spearman(x, y), *map(float, np.quantile(drawn, (0.025, 0.975))))


def _spearman(x, y) -> float:
    return float(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])


def _band(gains: np.ndarray) -> dict:
    """Quartiles of the gains of some problems, and how many gained."""
    low, median, high = np.quantile(gains, (0.25, 0.5, 0.75), method="nearest")
    return {
        "problems": len(gains),
        "gained": int((gains > 0).sum()),
        "quartiles": [
            None if np.isinf(value) else _short(value) for value in (low, median, high)
        ],
    }


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def ranks_table(found: dict, kind: str, metric: str) -> str:
    """Rank correlations in Markdown; those that differ from zero in bold."""
    lines = [f"| factor | {' | '.join(LOSSES)} |", f"|---|{'---|' * len(LOSSES)}"]
    for factor, title in FACTORS.items():
        cells = []
        for loss in LOSSES:
            for each in _chosen(found, kind, factor, loss, metric):
                rank, low, high = each["rank_correlation"]
                text = f"{rank:+.2f}"
                text = f"**{text}**" if low * high > 0 else text
                cells.append(f"{text} ({low:+.2f} to {high:+.2f})")
        if cells:
            lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def bands_table(found: dict, kind: str, metric: str) -> str:
    """Median gain in each third of the problems, and the middle half."""
    heads = " | ".join(LOSSES)
    lines = [f"| factor | where | {heads} |", f"|---|---|{'---|' * len(LOSSES)}"]
    unit = 1 if metric == "log_score" else 100
    for factor, title in FACTORS.items():
        rows = [_chosen(found, kind, factor, loss, metric) for loss in LOSSES]
        if not rows[0]:
            continue
        low, high = rows[0][0]["edges"]
        places = (f"to {low:g}", f"{low:g} to {high:g}", f"over {high:g}")
        for place, where in enumerate(places):
            cells = []
            for (each,) in rows:
                band = each["bands"][place]
                q1, q2, q3 = (
                    "-∞" if q is None else f"{unit * q:+.2g}" for q in band["quartiles"]
                )
                gained = f"{band['gained']} of {band['problems']}"
                cells.append(f"{q2} ({q1} to {q3}), {gained}")
            lines.append(f"| {title} | {where} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _chosen(found: dict, kind: str, factor: str, loss: str, metric: str) -> list[dict]:
    wanted = (kind, factor, loss, metric)
    keys = ("kind", "factor", "loss", "metric")
    return [e for e in found["found"] if tuple(e[key] for key in keys) == wanted]


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
    OUT.write_text(json.dumps(_rounded(found), indent=1) + "\n")
    tell()


def tell() -> None:
    """Write and print what is made of the measurements."""
    found = summary(json.loads(OUT.read_text()))
    PACKAGED.write_text(json.dumps(found, indent=1) + "\n")
    for kind, metrics in METRICS.items():
        for metric in metrics:
            print(f"\n{kind}, {metric}\n")
            print(
                ranks_table(found, kind, metric),
                bands_table(found, kind, metric),
                sep="\n\n",
            )


def _rounded(value):
    """Five digits are more than anybody measured."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    if sys.argv[1:] == ["tell"]:
        tell()
    else:
        main()
