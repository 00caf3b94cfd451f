"""`compare`: every loss on the same folds and seeds, judged by every metric."""

import hashlib
import platform
import time as clock
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from pickle import PicklingError
from typing import Any, Literal

import numpy as np
import sklearn
import torch
from joblib import hash as hash_of
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from offby.catalog import NamedLoss, parse
from offby.comparison import _noise, _predictions
from offby.comparison._fits import Fit, Problem, fit_loss
from offby.comparison._forecasts import forecasts
from offby.comparison._judge import CLASS_METRICS, NUMBER_METRICS, judge
from offby.comparison._pictures import calibration, pushes, telling_rows
from offby.comparison._references import (
    boosted_classes,
    boosted_quantiles,
    class_frequencies,
    each,
    network_quantiles,
    user_estimator,
)
from offby.comparison._reliability import reliability
from offby.comparison._result import (
    Comparison,
    Data,
    Method,
    Metric,
    Run,
    Score,
    Timing,
    Training,
)
from offby.comparison._statistics import answers, differences
from offby.comparison._store import Store
from offby.comparison._work import Fitter, Job, Place, finish
from offby.learning import threads
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
    named = _named(losses)
    metrics = _metrics(kind, target, metric)
    if predictions is not None:
        _predictions.check(predictions)
    by_row = {"weight": weights, "groups": groups, "time": time}
    problem = _problem(X, y, named, kind, positions, bins, strategy, folds, seed)
    problem = replace(problem, **_checked(by_row, len(problem.y)))
    settings = settings or Settings()
    if target_noise is not None and not 0 <= target_noise < np.inf:
        raise ValueError(
            f"target_noise must be a standard deviation, 0 or more, got {target_noise}"
        )
    more = _extra_jobs(problem, extra or {}, named, keyed=run_dir is not None)
    jobs = _loss_jobs(problem, named, range(seeds), settings, stop_on)
    if references:
        jobs += _reference_jobs(problem, range(seeds), settings)
    jobs += more
    refits = _noise.trials(problem) if noise else []
    jobs += _noise.jobs(refits, named, settings, stop_on)
    data = _data(problem, X, name, target, labels, notes)
    fits = _finished(
        jobs,
        run_dir,
        data.sha256,
        n_jobs,
        progress or (lambda done, total, text: None),
    )
    methods = _methods(named, jobs, refits)
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
        turns = _noise.flips(curves, next(m for m in metrics if m.answers), rope)
        best = by_loss[said[0].best if said else str(named[0])]
        first = [fit for fit in best if fit.seed == 0]
        share = _noise.noise_share(problem, first, target_noise)
    return Comparison(
        data=data,
        methods=methods,
        metrics=metrics,
        scores=scores,
        differences=found,
        verdicts=said,
        why=_reasons(problem, scores, by_loss, share),
        rows=telling_rows(problem, by_loss),
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
            },
            not_tested=_not_tested(problem, noise),
            split=_split(problem),
        ),
        forecasts=tuple(forecasts(problem, k, f) for k, f in by_loss.items()),
        noise_share=share,
        noise=curves,
        flips=turns,
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


def _named(losses: Sequence[str]) -> list[NamedLoss]:
    named = [parse(text) for text in losses]
    names = [str(loss) for loss in named]
    if not names:
        raise ValueError("a comparison needs a loss, got none; name one or more")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"each loss must be named once, got {twice[0]} {names.count(twice[0])} "
            "times; remove the repeated one"
        )
    return named


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


def _checked(by_row: dict[str, Any], n_rows: int) -> dict[str, np.ndarray]:
    """Weights, groups and times as arrays, one entry per row."""
    found = {}
    for name, given in by_row.items():
        if given is None:
            continue
        column = np.asarray(given)
        if column.shape != (n_rows,):
            raise ValueError(
                f"{name} must have one entry for each of {n_rows} rows, got shape "
                f"{column.shape}; take them from the same table"
            )
        missing = column != column if column.dtype.kind in "fmM" else column == None  # noqa: E711
        if np.any(missing):
            raise ValueError(
                f"{name} must have no gaps, got {int(np.sum(missing))} rows without "
                "one; fill them or drop the rows"
            )
        found[name] = column
    if "weight" in found:
        weight = found["weight"] = found["weight"].astype(np.float64)
        if not np.isfinite(weight).all() or (weight <= 0).any():
            raise ValueError(
                f"weights must be positive and finite, got {weight.min():g} to "
                f"{weight.max():g}; drop rows that should not count"
            )
        # Of mean 1, so that a constant weight changes no bit of a loss.
        found["weight"] = weight / weight.mean()
    return found


def _loss_jobs(problem, named, seeds, settings, stop_on) -> list[Job]:
    found = []
    for loss in named:
        fit = partial(fit_loss, loss=loss, settings=settings, stop_on=stop_on)
        terms = [(factor, entry.name) for factor, entry in loss.terms]
        recipe = f"{terms} {settings} {stop_on}"
        found += _jobs(str(loss), problem, seeds, fit, recipe)
    return found


def _jobs(method: str, problem: Problem, seeds, fit: Fitter, recipe: str) -> list[Job]:
    return [
        Job(method, fold, seed, fit, recipe) for fold in problem.folds for seed in seeds
    ]


_TITLES = {
    "frequencies": "class frequencies, the same for every row",
    "boosting": "gradient boosting (scikit-learn)",
    "pinball": "the same network with 19 quantiles",
}


def _reference_jobs(problem: Problem, seeds, settings: Settings) -> list[Job]:
    """What the losses are measured against."""
    classes = problem.kind == "classes"
    trees = boosted_classes if classes else boosted_quantiles
    found = []
    for name, forecast in (("frequencies", class_frequencies), ("boosting", trees)):
        found += _jobs(name, problem, [0], partial(each, forecast=forecast), "")
    if not classes:
        nets = partial(network_quantiles, settings=settings)
        found += _jobs("pinball", problem, seeds, nets, str(settings))
    return found


def _extra_jobs(
    problem: Problem, extra: Mapping[str, Any], named, *, keyed: bool
) -> list[Job]:
    """The user's own estimators, on the rows as they came."""
    taken = {*_TITLES, *map(str, named)}
    found = []
    for name, estimator in extra.items():
        if name in taken:
            raise ValueError(
                f"an extra estimator needs a name of its own, got {name!r}, which is a "
                "loss or reference; call it otherwise"
            )
        if not hasattr(estimator, "fit") or not hasattr(estimator, "predict"):
            raise TypeError(
                f"an extra estimator must have fit and predict, got {name!r}, a "
                f"{type(estimator).__name__}; wrap it in a scikit-learn estimator"
            )
        weighs = problem.weight is not None
        if weighs and not has_fit_parameter(estimator, "sample_weight"):
            raise ValueError(
                f"with weights, an extra estimator must take sample_weight in fit, got "
                f"{name!r}, which does not; leave it out, or the weights"
            )
        recipe = _recipe(name, estimator, problem) if keyed else ""
        forecast = partial(user_estimator, name=name, estimator=estimator, X=problem.X)
        found += _jobs(name, problem, [0], partial(each, forecast=forecast), recipe)
    return found


def _recipe(name: str, estimator, problem: Problem) -> str:
    """What a fit of a user's estimator depends on."""
    try:
        itself = hash_of(clone(estimator))
    except PicklingError as error:
        raise ValueError(
            f"with a run directory, an extra estimator must be of a class that can be "
            f"pickled, got {name!r}: {error}; define the class in a module"
        ) from error
    # A fold knows its rows by their encoded form only, which may have lost what the
    # estimator uses.
    return f"{itself} {_hash(problem.X, problem.y)}"


def _finished(jobs, run_dir, data: str, n_jobs, say: Progress) -> dict[Place, Fit]:
    """All fits, in the order of the jobs whatever the order they were made in."""
    total = len(jobs)
    say(0, total, f"{total} fits")
    store = None if run_dir is None else Store(run_dir, data)
    with nullcontext() if store is None else closing(store):
        if store and (others := store.others()):
            say(0, total, f"{others} fits of other data in {run_dir} are left alone")
        return finish(jobs, store, n_jobs=n_jobs, say=say)


def _methods(named, jobs: Sequence[Job], refits) -> tuple[Method, ...]:
    titles = {str(loss): loss.title for loss in named}
    noisy = {trial.method(loss) for trial in refits for loss in named}
    keys = dict.fromkeys(job.method for job in jobs if job.method not in noisy)
    return tuple(
        Method(key, titles.get(key) or _TITLES.get(key, key), key not in titles)
        for key in keys
    )


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


def _metrics(kind: str, target: str, first: str | None) -> tuple[Metric, ...]:
    metrics = CLASS_METRICS if kind == "classes" else NUMBER_METRICS
    keys = [metric.key for metric in metrics]
    if first is not None and first not in keys:
        raise ValueError(
            f"the metric must be one of {', '.join(keys)} for "
            f"{'classes' if kind == 'classes' else 'a number'}, got {first!r}; name one"
        )
    unit = target or "target"
    return tuple(
        replace(
            metric,
            unit=unit if metric.unit == "target" else metric.unit,
            answers=metric.answers or metric.key == first,
        )
        for metric in sorted(metrics, key=lambda metric: metric.key != first)
    )


def _split(problem: Problem) -> str:
    if problem.groups is not None:
        return f"by groups, {len(np.unique(problem.groups))} of them"
    if problem.time is not None:
        return "by time: learned from earlier rows, judged on later ones"
    return "at random"


def _not_tested(problem: Problem, noise: bool) -> tuple[str, ...]:
    gaps = ["other networks than this one, and other settings of it"]
    if not noise:
        gaps.append("noise in bin edges, inputs and targets")
    if problem.groups is None and problem.time is None:
        gaps.append("rows that depend on each other (groups, time)")
    return tuple(gaps)


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
            grid.index(torch.tensor(problem.y)).numpy(), minlength=grid.n_bins
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


def _reasons(problem: Problem, scores, fits, noise) -> tuple[str, ...]:
    base = "ce" if "ce" in fits else next(iter(fits))
    far = [s.value for s in scores if s.method == base and s.metric == "far"]
    share = 100 * float(np.mean([value for value in far if value is not None]))
    what = (
        "two or more classes off"
        if problem.kind == "classes"
        else "off by more than the spread of the target"
    )
    rows = len(problem.y) / problem.folds[0].line.n_classes
    place = "class" if problem.kind == "classes" else "bin"
    reasons = [
        f"{share:.1f} % of the held-out predictions of {base} are {what}; "
        "where few are, a distance-aware loss has few wild misses to win back.",
        f"There are {rows:.0f} rows per {place} on average.",
    ]
    if problem.kind == "classes":
        most = np.bincount(problem.y).max() / len(problem.y)
        reasons.append(f"The largest class holds {100 * most:.0f} % of the rows.")
    if noise is not None:
        reasons.append(
            f"The noise of the target, {noise.spread:.3g}, would move "
            f"{100 * noise.share:.0f} % of the rows to another {place}."
        )
    return tuple(reasons)
