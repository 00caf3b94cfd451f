"""`compare`: every loss on the same folds and seeds, judged by every metric."""

import platform
import time as clock
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import sklearn
import torch

from offby.comparison import export as _predictions
from offby.comparison.arguments import (
    columns_by_row,
    metrics_of,
    named_losses,
    problem_of,
)
from offby.comparison.describe import data_of, not_tested, split_of
from offby.comparison.diagnostics import calibration, pushes, telling_rows
from offby.comparison.forecasts import forecasts
from offby.comparison.inference import differences
from offby.comparison.methods.jobs import (
    extra_jobs,
    loss_jobs,
    methods_of,
    reference_jobs,
)
from offby.comparison.networks import Settings
from offby.comparison.noise import study as _noise
from offby.comparison.problem import Fit, Problem
from offby.comparison.reliability import reliability
from offby.comparison.scheduler import Place, finish
from offby.comparison.scoring import judge
from offby.comparison.store import Store
from offby.comparison.verdicts import answers
from offby.comparison.why import reasons
from offby.results import (
    Comparison,
    Run,
    Score,
    Timing,
    Training,
)
from offby.tabular.forecasts import threads

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
    metric: str | None = None,
    weights=None,
    groups=None,
    time=None,
    extra: Mapping[str, Any] | None = None,
    noise: bool = False,
    target_noise: float | None = None,
    run_dir: str | Path | None = None,
    predictions: str | Path | None = None,
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
        metric: Key of the metric that matters most: it comes first everywhere.
        weights: Weight of each row, in training and in judging; equal by default.
        groups: Group of each row; the rows of one are never on both sides of a cut.
        time: When each row came, a number or a date; every cut learns from earlier rows
            than it judges, and the earliest are learned from only.
        extra: Estimators of your own by name, to judge beside: scikit-learn's `fit`,
            and `predict_proba`, `predict_dist` or else `predict`. They get the rows of
            `X` as they are.
        noise: Whether to ask what noise in bin edges, inputs and targets does to each
            loss; it takes about as many fits again.
        target_noise: Standard deviation of the noise in the target, where it is known;
            else near neighbors tell it. In the units of the target.
        run_dir: Where finished fits are kept. The same call then goes on from them
            after any kind of end, and one with more seeds or losses adds to them.
        predictions: A csv or parquet file to write every held-out prediction to.
        name: What to call the data.
        target: What to call the target.
        notes: What was done to the data before, for the report.
        command: How this was started, for the report.
        references: Whether to judge class frequencies and gradient boosting beside.
        settings: Size of the networks and rules of their training.
        n_jobs: Fits made at the same time (one loss on one fold), as joblib counts:
            None is one, unless a `joblib.parallel_config` says otherwise, and -1 as
            many as there are cores. The result is the same to the last bit, and on
            other machines of the same kind (backend "dask") too.
        progress: Called with fits done, fits in all, and a word on the current one.

    Returns:
        A `Comparison`: scores, differences with intervals, verdicts in words.

    Raises:
        ValueError: If the arguments do not fit each other or the data.
        RuntimeError: If a fit fails, or `run_dir` cannot be written to any more.
    """
    started = clock.perf_counter()
    named = named_losses(losses)
    metrics = metrics_of(kind, target, metric)
    if predictions is not None:
        _predictions.check(predictions)
    by_row = {"weight": weights, "groups": groups, "time": time}
    problem = problem_of(X, y, named, kind, positions, bins, strategy, folds, seed)
    problem = replace(problem, **columns_by_row(by_row, len(problem.y)))
    settings = settings or Settings()
    if target_noise is not None and not 0 <= target_noise < np.inf:
        raise ValueError(
            f"target_noise must be a standard deviation, 0 or more, got {target_noise}"
        )
    more = extra_jobs(problem, extra or {}, named, keyed=run_dir is not None)
    jobs = loss_jobs(problem, named, range(seeds), settings, stop_on)
    if references:
        jobs += reference_jobs(problem, range(seeds), settings)
    jobs += more
    refits = _noise.trials(problem) if noise else []
    jobs += _noise.jobs(refits, named, settings, stop_on)
    data = data_of(problem, X, name, target, labels, notes)
    fits = _finished(
        jobs,
        run_dir,
        data.sha256,
        n_jobs,
        progress or (lambda done, total, text: None),
    )
    methods = methods_of(named, jobs, refits)
    keys = {method.key for method in methods}
    scores = _scores(problem, {p: fit for p, fit in fits.items() if p[0] in keys})
    if predictions is not None:
        held_out = {place: fit for place, fit in fits.items() if place[0] in keys}
        _predictions.write(predictions, problem, held_out)
    by_loss = {
        str(loss): [fit for (key, *_), fit in fits.items() if key == str(loss)]
        for loss in named
    }
    with threads(None):
        pushed = [
            push
            for loss in named
            for push in pushes(problem.folds[0], loss, by_loss[str(loss)][0])
        ]
    sides = [(len(f.held_out.y), len(f.learned.y)) for f in problem.folds]
    overlap = float(np.mean([held_out / learned for held_out, learned in sides]))
    found = differences(
        methods, metrics, scores, overlap=overlap, seeds=seeds, rope=rope
    )
    said = answers(metrics, found, methods, scores)
    curves, share, turns = (), None, ()
    if noise:
        curves = _noise.curves(problem, named, metrics, refits, fits)
        turns = _noise.takeovers(curves, next(m for m in metrics if m.answers), rope)
        best = by_loss[said[0].best if said else str(named[0])]
        first = [fit for fit in best if fit.seed == 0]
        share = _noise.noise_share(problem, first, target_noise)
    why = reasons(problem, scores, by_loss, share)
    return Comparison(
        data=data,
        methods=methods,
        metrics=metrics,
        scores=scores,
        differences=found,
        verdicts=said,
        why=tuple(reason.sentence for reason in why),
        reasons=why,
        rows=telling_rows(problem, by_loss, data.labels),
        pushes=tuple(pushed),
        calibration=tuple(calibration(problem, k, f) for k, f in by_loss.items()),
        reliability=tuple(
            curve for k, f in by_loss.items() for curve in reliability(problem, k, f)
        ),
        training=tuple(_training(key, f) for key, f in by_loss.items()),
        run=Run(
            command=command,
            folds=folds,
            seeds=seeds,
            seed=seed,
            stop_on=stop_on,
            rope=rope,
            versions={
                "python": platform.python_version(),
                "torch": torch.__version__,
                "scikit-learn": sklearn.__version__,
                "numpy": np.__version__,
                "offby": version("offby"),
            },
            not_tested=not_tested(problem, noise),
            split=split_of(problem),
        ),
        forecasts=tuple(forecasts(problem, k, f) for k, f in by_loss.items()),
        noise_share=share,
        noise=curves,
        takeovers=turns,
        timing=Timing(
            seconds=clock.perf_counter() - started,
            fits={
                method.key: sum(
                    fit.seconds for (key, *_), fit in fits.items() if key == method.key
                )
                for method in methods
            },
        ),
    )


def _finished(jobs, run_dir, data: str, n_jobs, say: Progress) -> dict[Place, Fit]:
    """All fits, in the order of the jobs whatever the order they were made in."""
    total = len(jobs)
    say(0, total, f"{total} fits")
    store = None if run_dir is None else Store(run_dir, data)
    with nullcontext() if store is None else closing(store):
        if store and (others := store.others()):
            say(0, total, f"{others} fits of other data in {run_dir} are left alone")
        return finish(jobs, store, n_jobs=n_jobs, say=say)


def _scores(problem: Problem, fits: Mapping[Place, Fit]) -> tuple[Score, ...]:
    return tuple(
        Score(method, number, seed, metric, value, infinite)
        for (method, number, seed), fit in fits.items()
        for metric, (value, infinite) in judge(problem.folds[number], fit).items()
    )


def _training(key: str, fits: Sequence[Fit]) -> Training:
    curves = [fit.curve for fit in fits]
    longest = max(map(len, curves))
    alive = [[c[i] for c in curves if i < len(c)] for i in range(longest)]
    epochs = float(np.mean([fit.best_epoch for fit in fits]))
    return Training(key, epochs, tuple(float(np.mean(now)) for now in alive))
