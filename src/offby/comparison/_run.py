"""`compare`: every loss on the same folds and seeds, judged by every metric."""

import hashlib
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import sklearn
import torch
from joblib import Parallel, delayed

from offby.catalog import NamedLoss, parse
from offby.comparison._fits import (
    Fit,
    Problem,
    boosted_classes,
    boosted_quantiles,
    class_frequencies,
    fit_loss,
    fit_quantiles,
)
from offby.comparison._judge import (
    CLASS_METRICS,
    NUMBER_METRICS,
    Judged,
    judge,
    judge_quantiles,
)
from offby.comparison._pictures import calibration, pushes, telling_rows
from offby.comparison._result import (
    Comparison,
    Data,
    Method,
    Metric,
    Run,
    Score,
    Training,
)
from offby.comparison._statistics import differences, sentences
from offby.training import Settings

DEFAULT_LOSSES = ("ce", "emd1", "emd2", "cce", "ce+emd2")
Progress = Callable[[int, int, str], None]


def compare(
    X,
    y,
    *,
    losses: Sequence[str] = DEFAULT_LOSSES,
    kind: Literal["classes", "number"] = "classes",
    labels: Sequence[str] | None = None,
    positions: Sequence[float] | None = None,
    bins: int = 50,
    strategy: Literal["quantile", "uniform"] = "quantile",
    folds: int = 5,
    seeds: int = 3,
    seed: int = 0,
    stop_on: Literal["score", "own"] = "score",
    rope: float = 0.01,
    name: str = "",
    target: str = "",
    notes: Sequence[str] = (),
    command: str = "",
    references: bool = True,
    settings: Settings | None = None,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Which loss does best on this data?

    Every loss trains the same network on the same folds with the same seeds, and is
    judged on held-out rows by every metric, beside scikit-learn's gradient boosting.

    Args:
        X: Rows x features: a NumPy array of numbers, or a pandas or polars frame.
        y: Class codes 0 to K - 1 in their order, or numbers if `kind` is "number".
        losses: Short names, as `offby losses` lists them, or sums of them.
        kind: Whether `y` holds ordered classes or numbers to be cut into bins.
        labels: Name of each class; "0", "1", ... by default.
        positions: Where each class lies; 0, 1, ... by default.
        bins: How many bins a number is cut into, on the training rows of each fold.
        strategy: Bins of equal count, or of equal width.
        folds: Number of folds; each row is held out once.
        seeds: Networks per fold and loss.
        seed: Where folds, first weights and orders of rows come from.
        stop_on: What ends a training: the RPS or CRPS of an inner split, the same for
            all losses, or the loss itself.
        rope: Differences within this share of the best score are practically none.
        name: What to call the data.
        target: What to call the target.
        notes: What was done to the data before, for the report.
        command: How this was started, for the report.
        references: Whether to judge class frequencies and gradient boosting beside.
        settings: Size of the networks and rules of their training.
        n_jobs: Losses trained at the same time, as joblib counts: None is one, unless a
            `joblib.parallel_config` says otherwise, and -1 as many as there are cores.
            The result is the same to the last bit.
        progress: Called with fits done, fits in all, and a word on the current one.

    Returns:
        A `Comparison`: scores, differences with intervals, verdicts in words.
    """
    started = time.perf_counter()
    named = [parse(text) for text in losses]
    problem = _problem(X, y, named, kind, positions, bins, strategy, folds, seed)
    settings = settings or Settings()
    ledger = _Ledger(
        progress or (lambda done, total, text: None), folds * seeds * len(named)
    )
    rules = {"seeds": seeds, "settings": settings}
    work = [
        delayed(_trained)(problem, loss, stop_on=stop_on, **rules) for loss in named
    ]
    if references:
        work.append(delayed(_references)(problem, **rules))
    ledger.say(f"{len(named)} losses x {folds} folds x {seeds} seeds")
    done = Parallel(n_jobs=n_jobs, return_as="generator")(work)
    fits: dict[str, list[Fit]] = {}
    for loss in named:
        fits[str(loss)], seconds = next(done)
        ledger.losses(problem, loss, fits[str(loss)], seconds)
    for reference in next(done, ()):
        ledger.reference(*reference)
    with _one_thread():
        pushed = [
            push
            for loss in named
            for push in pushes(problem.folds[0], loss, fits[str(loss)][0])
        ]
    metrics = _metrics(kind, target)
    found_differences = differences(
        ledger.methods, metrics, ledger.scores, n_folds=folds, rope=rope
    )
    return Comparison(
        data=_data(problem, X, name, target, labels, notes),
        methods=tuple(ledger.methods),
        metrics=metrics,
        scores=tuple(ledger.scores),
        differences=found_differences,
        verdicts=sentences(metrics, found_differences, ledger.methods, ledger.scores),
        why=_reasons(problem, ledger, fits),
        rows=telling_rows(problem, fits),
        pushes=tuple(pushed),
        calibration=tuple(calibration(problem, k, found) for k, found in fits.items()),
        training=tuple(ledger.training),
        run=Run(
            command=command,
            folds=folds,
            seeds=seeds,
            seed=seed,
            stop_on=stop_on,
            rope=rope,
            seconds=time.perf_counter() - started,
            versions={
                "python": platform.python_version(),
                "torch": torch.__version__,
                "scikit-learn": sklearn.__version__,
                "numpy": np.__version__,
            },
            not_tested=(
                "other networks than this one, and other settings of it",
                "noise in bin edges, inputs and targets",
                "rows that depend on each other (groups, time)",
            ),
        ),
    )


def _problem(X, y, named, kind, positions, bins, strategy, folds, seed) -> Problem:
    y = np.asarray(y)
    if len(y) < 2 * folds:
        raise ValueError(
            f"{folds} folds need at least {2 * folds} rows, got {len(y)}; "
            "use fewer folds or more data"
        )
    if folds < 2:
        raise ValueError(f"folds must be at least 2, got {folds}")
    if kind == "classes":
        for loss in named:
            if loss.needs_bins:
                raise ValueError(
                    f"the loss {loss} needs numbers, and the target holds classes; "
                    "drop it, or read the target as a number in bins"
                )
        y = y.astype(np.int64)
        n_classes = len(positions) if positions is not None else int(y.max()) + 1
        places = tuple(
            map(float, positions if positions is not None else range(n_classes))
        )
        return Problem(X, y, kind, places, 0, strategy, folds, seed)
    y = y.astype(np.float64)
    if not np.isfinite(y).all():
        raise ValueError(
            f"the target must be finite, got {int((~np.isfinite(y)).sum())} rows that "
            "are not; drop them first"
        )
    return Problem(X, y, kind, (), bins, strategy, folds, seed)


@dataclass
class _Ledger:
    """What has been found so far."""

    progress: Progress
    total: int
    done: int = 0
    methods: list[Method] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    training: list[Training] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.progress(self.done, self.total, text)

    def losses(
        self, problem, loss: NamedLoss, found: list[Fit], seconds: float
    ) -> None:
        key = str(loss)
        self.methods.append(Method(key, loss.title, reference=False))
        for fit in found:
            self._add(
                key, fit.fold, fit.seed, judge(problem.folds[fit.fold], fit.probs)
            )
        curves = [fit.trained.curve for fit in found]
        longest = max(map(len, curves))
        alive = [[c[i] for c in curves if i < len(c)] for i in range(longest)]
        epochs = float(np.mean([fit.trained.best_epoch for fit in found]))
        curve = tuple(float(np.mean(now)) for now in alive)
        self.training.append(Training(key, epochs, seconds, curve))
        self.done += len(found)
        self.say(key)

    def reference(
        self, key: str, title: str, judged: dict[tuple[int, int], Judged]
    ) -> None:
        self.methods.append(Method(key, title, reference=True))
        for (fold, seed), scores in judged.items():
            self._add(key, fold, seed, scores)

    def _add(self, key: str, fold: int, seed: int, judged: Judged) -> None:
        self.scores += [
            Score(key, fold, seed, metric, value, infinite)
            for metric, (value, infinite) in judged.items()
        ]


def _trained(problem: Problem, loss: NamedLoss, **rules) -> tuple[list[Fit], float]:
    """The networks of one loss, and the seconds they took."""
    begun = time.perf_counter()
    with _one_thread():
        found = fit_loss(problem, loss, **rules)
    return found, time.perf_counter() - begun


Reference = tuple[str, str, dict[tuple[int, int], Judged]]


def _references(problem: Problem, *, seeds: int, settings: Settings) -> list[Reference]:
    """Key, title and scores of what the losses are measured against."""
    folds = list(enumerate(problem.folds))
    prior = {(n, 0): judge(fold, class_frequencies(fold)) for n, fold in folds}
    always = ("frequencies", "class frequencies, the same for every row", prior)
    if problem.kind == "classes":
        trees = {(n, 0): judge(fold, boosted_classes(fold)) for n, fold in folds}
        return [always, ("boosting", "gradient boosting (scikit-learn)", trees)]
    trees = {(n, 0): judge_quantiles(f, boosted_quantiles(f)) for n, f in folds}
    with _one_thread():
        quantiles = fit_quantiles(problem, seeds=seeds, settings=settings)
    nets = {
        (n, seed): judge_quantiles(problem.folds[n], found)
        for (n, seed), found in quantiles.items()
    }
    return [
        always,
        ("boosting", "gradient boosting, 19 quantiles (scikit-learn)", trees),
        ("pinball", "the same network with 19 quantiles", nets),
    ]


def _metrics(kind: str, target: str) -> tuple[Metric, ...]:
    if kind == "classes":
        return CLASS_METRICS
    unit = target or "target"
    return tuple(
        replace(metric, unit=unit) if metric.unit == "target" else metric
        for metric in NUMBER_METRICS
    )


def _data(problem: Problem, X, name, target, labels, notes) -> Data:
    if problem.kind == "classes":
        n = len(problem.positions)
        counts = np.bincount(problem.y, minlength=n)
        names = tuple(labels) if labels is not None else tuple(map(str, range(n)))
        places, edges = problem.positions, ()
    else:
        grid = problem.grid(problem.y)
        inner = grid.edges.numpy()
        counts = np.bincount(
            grid.index(torch.from_numpy(problem.y)).numpy(), minlength=grid.n_bins
        )
        names = tuple(f"{a:.4g} to {b:.4g}" for a, b in pairwise(inner))
        places = tuple(map(float, grid.centers))
        edges = tuple(map(float, inner))
    return Data(
        name=name,
        n_rows=len(problem.y),
        n_features=X.shape[1],
        target=target,
        kind=problem.kind,
        labels=names,
        positions=tuple(places),
        edges=edges,
        counts=tuple(map(int, counts)),
        sha256=_hash(X, problem.y),
        notes=tuple(notes),
    )


def _hash(X, y: np.ndarray) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(y).tobytes())
    if isinstance(X, np.ndarray):
        digest.update(np.ascontiguousarray(X).tobytes())
    else:
        for column in X.columns:
            cells = "\x1f".join(map(str, X[column].to_list()))
            digest.update(f"{column}\x1e{cells}\x1d".encode())
    return digest.hexdigest()


def _reasons(problem: Problem, ledger: _Ledger, fits) -> tuple[str, ...]:
    base = "ce" if "ce" in fits else next(iter(fits))
    far = [s.value for s in ledger.scores if s.method == base and s.metric == "far"]
    share = 100 * float(np.mean([value for value in far if value is not None]))
    what = (
        "two or more classes off"
        if problem.kind == "classes"
        else "off by more than the spread of the target"
    )
    rows = len(problem.y) / problem.folds[0].line.n_classes
    place = "class" if problem.kind == "classes" else "bin"
    return (
        f"{share:.1f} % of the held-out predictions of {base} are {what}; "
        "where few are, a distance-aware loss has few wild misses to win back.",
        f"There are {rows:.0f} rows per {place} on average.",
    )


@contextmanager
def _one_thread():
    """Small matrices: a second thread costs more than it brings, and bits with it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
