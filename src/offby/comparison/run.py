"""`compare`: every loss on the same folds and seeds, scored by every metric."""

import time as clock
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from offby.bins.names import Bounds, Strategy
from offby.comparison import export
from offby.comparison.arguments import metrics_of, problem_of
from offby.comparison.budget import Budget, Refit
from offby.comparison.columns import columns_of
from offby.comparison.config import (
    CompareConfig,
    Kind,
    Network,
    StopOn,
    TransformChoice,
)
from offby.comparison.contenders import contenders_of, without_boosting
from offby.comparison.describe import data_of
from offby.comparison.diagnosis import diagnosed
from offby.comparison.grounds import checked_ground, losses_on, notes_on
from offby.comparison.judgment import judged
from offby.comparison.networks import Design, Settings
from offby.comparison.outcome import comparison_of
from offby.comparison.own_losses import notes_on_own
from offby.comparison.progress import Watch
from offby.comparison.rounds import in_rounds, plan_of
from offby.comparison.scheduler import Progress, maker
from offby.comparison.target_scale import chosen_scales, sentence
from offby.grounds import Ground, Line
from offby.results import Comparison
from offby.results.phrases import listed

if TYPE_CHECKING:
    from offby.tabular.modules import Module

_DEFAULT = CompareConfig()
DEFAULT_LOSSES = tuple(_DEFAULT.losses)


def compare(
    X,
    y,
    *,
    losses: Sequence[Any] = DEFAULT_LOSSES,
    kind: Kind = _DEFAULT.kind,
    labels: Sequence[str] | None = None,
    positions: Sequence[float] | None = None,
    ground: Ground | None = None,
    bins: int = _DEFAULT.bins,
    strategy: Strategy = _DEFAULT.strategy,
    bounds: Bounds = _DEFAULT.bounds,
    transform: TransformChoice = _DEFAULT.transform,
    folds: int = _DEFAULT.folds,
    seeds: int = _DEFAULT.seeds,
    seed: int = _DEFAULT.seed,
    network: "Network | Module" = _DEFAULT.network,
    stop_on: StopOn = _DEFAULT.stop_on,
    rope: float = _DEFAULT.rope,
    metric: str | None = _DEFAULT.metric,
    weights=None,
    groups=None,
    time=None,
    unseen_groups: bool = _DEFAULT.unseen_groups,
    extra: Mapping[str, Any] | None = None,
    noise: bool = _DEFAULT.noise,
    target_noise: float | None = _DEFAULT.target_noise,
    run_dir: str | Path | None = None,
    predictions: str | Path | None = None,
    name: str = "",
    target: str = "",
    notes: Sequence[str] = (),
    left_out: Mapping[str, str] | None = None,
    command: str = "",
    references: bool | Sequence[str] = _DEFAULT.references,
    models: Sequence[str] | Literal["auto"] = _DEFAULT.models,
    all_fits: bool = _DEFAULT.all_fits,
    time_budget: float | str | None = _DEFAULT.time_budget,
    refit: bool = _DEFAULT.refit,
    settings: Settings | None = None,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Which loss does best on this data?

    Every loss trains the same network on the same folds with the same seeds, and is
    judged on held-out rows by every metric, beside scikit-learn's gradient boosting.
    Rows that are copies of each other in all inputs stay in the same fold, unless
    `time` cuts the folds.

    Args:
        X: Rows x features: a NumPy array of numbers, or a pandas or polars frame.
        y: Class codes 0 to K - 1 in their order, or numbers if `kind` is "number".
        losses: Short names, as `offby losses` lists them, or sums of them; or losses of
            your own: functions `(logits, target) -> one value per row`, or criteria of
            `offby.nn`. What is found by trying them is among the notes.
        kind: Whether `y` holds ordered classes or numbers to be cut into bins.
        labels: Name of each class; "0", "1", ... by default.
        positions: Where each class lies; 0, 1, ... by default.
        ground: How far apart the classes are, in their order, where they lie on no
            line: a `Circle`, a `Tree` or symmetric `Costs`. Losses, scores, best
            guesses and the noise of labels are then those of the ground. `cce` needs a
            line or a tree.
        bins: How many bins a number is cut into, on the training rows of each fold.
        strategy: How numbers are cut into bins, as in `Bins.around`.
        bounds: Numbers beyond which no mass lies, as in `Bins.around`; "auto" finds
            them on the training rows of each fold.
        transform: Scale of a number on which bins are made and distances measured:
            "none", "log", "yeo-johnson" or "quantile". "auto" chooses one for a skewed
            target, on held-out rows among the training rows of each fold.
        folds: Number of folds; each row is held out once.
        seeds: Networks per fold and loss, at most: after each seed, losses that are
            settled as worse for every use, and losses about which more seeds are not
            likely to settle anything, get no more.
        seed: Random seed of the folds, the initial weights and the order of rows.
        network: What every loss trains: the "ensemble" of the estimators (one bag for
            each fold and seed, with their encoder and their settings), a plain
            "perceptron", or a module of your own, as the estimators take it: a
            function `(n_features, n_classes)` that builds a `torch.nn.Module` from
            encoded features to logits, or such a module, if all folds are encoded to
            as many features; its weights are then the first ones of every fit. Modules
            are trained one after the other.
        stop_on: What ends a training: the RPS or CRPS of an inner split, the same for
            all losses, or the loss itself.
        rope: Differences within this share of the best score are practically none.
        metric: Key of the metric that matters most: it comes first everywhere.
        weights: Weight of each row, in training and in the scores; equal by default.
            Rows of weight 0 are left out.
        groups: Group of each row; the rows of one are never on both sides of a cut.
        time: When each row came, a number or a date. Every fold trains on earlier rows
            than it tests on; the earliest rows are training rows only. With `groups`
            besides, the later rows of all groups are tested.
        unseen_groups: With `time` and `groups`, test only on groups that have no
            training rows in the fold.
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
        left_out: Why each column that is not in `X` was left out, for the report.
        command: How this was started, for the report.
        references: Whether to judge class frequencies, a linear model (of up to 1,000
            rows of ordered classes), scikit-learn's gradient boosting and the network
            with 19 quantiles beside; or a list of those to judge: "frequencies",
            "linear", "boosting", "pinball".
        models: What learns by each loss beside the network: "auto" adds boosted trees,
            and the mean of both, if LightGBM is installed and there are references;
            ["network"] leaves them out.
        all_fits: Whether every loss gets every seed, whatever is settled before.
        time_budget: Seconds, or a text such as "2m": no seed after the first is begun
            that would not end in time, and references that would not are left out. The
            first seed of the losses is trained in any case.
        refit: Whether the time budget leaves room to train the best model on all rows
            afterwards, as `fit_best` does.
        settings: Size of the networks and rules of their training; those of the
            estimators by default.
        n_jobs: Fits made at the same time (one loss on one fold), as joblib counts:
            None is one, unless a `joblib.parallel_config` says otherwise, and -1 as
            many as there are cores. The result is the same to the last bit, and on
            other machines of the same kind (backend "dask") too.
        progress: Called with fits done, fits in all, and a word on the current one.

    Returns:
        A `Comparison`: scores, differences from the leader with intervals, verdicts
        in words. docs/verdict.md says how they are found.

    Raises:
        ValueError: If the arguments do not fit each other or the data.
        TypeError: If an argument is of a wrong type.
        RuntimeError: If a fit fails, or `run_dir` cannot be written to any more.
    """
    started = clock.perf_counter()
    config = CompareConfig(
        losses=losses_on(losses, ground),
        kind=kind,
        bins=bins,
        strategy=strategy,
        bounds=bounds,
        transform=transform,
        folds=folds,
        seeds=seeds,
        seed=seed,
        network=network,
        stop_on=stop_on,
        rope=rope,
        metric=metric,
        noise=noise,
        target_noise=target_noise,
        unseen_groups=unseen_groups,
        references=references,
        models=models,
        all_fits=all_fits,
        time_budget=time_budget,
        refit=refit,
    )
    ground = checked_ground(ground, positions, config)
    on_line = ground is None or isinstance(ground, Line)
    metrics = metrics_of(kind, target, metric, on_line=on_line)
    if predictions is not None:
        export.check(predictions)
    problem = problem_of(
        X,
        y,
        config,
        positions=positions,
        ground=ground,
        labels=labels,
        weights=weights,
        groups=groups,
        time=time,
    )
    problem, scales = chosen_scales(problem, transform, metrics[0].key, n_jobs)
    said = [without_boosting(config), sentence(scales, metrics[0].title)]
    said += notes_on(problem.ground, losses, config.losses)
    if any(not isinstance(given, str) for given in config.losses):
        said += notes_on_own(config.named_losses(), problem.folds[0].line)
    data = data_of(problem, name, target, labels, [*notes, *filter(None, said)])
    contenders = contenders_of(
        problem,
        config,
        Design(network, settings or Settings()),
        extra or {},
        keyed=run_dir is not None,
    )
    names = [str(loss) for loss in contenders.losses]
    again = Refit(tuple(names), len(problem.y), problem.n_folds) if refit else None
    budget = Budget(config.budget_seconds(), started, n_jobs, again)
    plan = plan_of(config)
    watch = Watch(metrics[0], names, n_jobs)
    with maker(run_dir, data.sha256, n_jobs, progress, watch) as make:
        found = in_rounds(problem, config, contenders, metrics, make, budget)
    if predictions is not None:
        scored = contenders.scored(found.fits)
        export.write(predictions, problem, scored, data.labels)
    if found.skipped:
        titles = [m.title for m in contenders.methods if m.key in found.skipped]
        no_room = f"The time budget left no room for {listed(titles)}."
        data = replace(data, notes=(*data.notes, no_room))
        contenders = contenders.without(found.skipped)
    if not found.has_refits:
        config = replace(config, noise=False)
    judgment = judged(found.board, config, contenders, metrics, problem.folds, plan)
    columns = columns_of(X, left_out or {})
    diagnosis = diagnosed(
        problem, config, contenders, judgment, data.labels, columns, found.fits
    )
    seconds = clock.perf_counter() - started
    return comparison_of(
        problem,
        config,
        command,
        data,
        columns,
        contenders,
        judgment,
        diagnosis,
        found,
        seconds,
    )
