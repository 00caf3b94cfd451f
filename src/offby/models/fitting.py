"""From a table, or from a comparison, to a fitted model and what is known of it."""

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from offby.bins import Bounds, Strategy
from offby.comparison.arguments import problem_of
from offby.comparison.config import CompareConfig, TransformChoice
from offby.comparison.splits import cuts
from offby.comparison.target_scale import FEWEST_ROWS, best_scale, sentence
from offby.grounds import Ground, Line
from offby.losses.registry import parse
from offby.models.about import About, today, versions
from offby.models.kinds import MODELS
from offby.models.scores import finite, scores_of
from offby.tables import Problem, ReadOptions, with_dates
from offby.tabular.class_ground import ground_of
from offby.tabular.copies import groups_to_part

_PARTS = 5
"""One of so many parts of the rows is held out for the scores."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which model is trained, and how; None is the default of the estimator.

    Raises:
        ValueError: If there is no such model or loss.

    >>> Choice(model="forest")
    Traceback (most recent call last):
        ...
    ValueError: model must be one of network, boosting, both, got 'forest'
    """

    model: str = "network"
    loss: str = "ce+emd2"
    bins: int | None = None
    strategy: Strategy | None = None
    bounds: Bounds = "auto"
    transform: TransformChoice | None = None
    """ "auto" chooses a scale for a skewed target, on held-out rows."""
    calibration: Literal["temperature", "isotonic"] | None = None
    max_time: float | None = None
    seed: int = 0
    ground: Ground | None = None
    """How far apart classes are, in their order; None where their positions say it."""

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(
                f"model must be one of {', '.join(MODELS)}, got {self.model!r}"
            )
        parse(self.loss)

    def settings(self, kind: Literal["classes", "number"]) -> dict[str, Any]:
        """The settings of the estimator that were chosen.

        Raises:
            ValueError: If one of them has no meaning for this target or this model.
        """
        numbers = {
            "n_bins": self.bins,
            "strategy": self.strategy,
            "target_transform": self.transform,
        }
        chosen: dict[str, Any] = {
            name: value for name, value in numbers.items() if value is not None
        }
        if self.bounds != "auto":
            chosen["bounds"] = self.bounds
        if kind == "classes" and (parse(self.loss).needs_bins or "n_bins" in chosen):
            what = f"loss {self.loss}" if "n_bins" not in chosen else "number of bins"
            raise ValueError(
                f"the {what} needs a target of numbers, got classes; choose ce, emd2, "
                "cce or a sum of them"
            )
        if kind == "classes" and self.transform not in (None, "none", "auto"):
            raise ValueError(
                f"--transform {self.transform} needs a target of numbers, got classes; "
                "leave it out, or use --bins to read the target as a number"
            )
        check_bounds(kind, self.bounds)
        if kind == "number" and self.ground is not None:
            raise ValueError(
                "a ground needs a target of classes, got numbers, whose bins lie on a "
                "line; leave it out"
            )
        if kind == "classes":
            chosen = {} if self.ground is None else {"ground": self.ground}
        if chosen.get("target_transform") in ("none", "auto"):
            chosen["target_transform"] = None
        own = {"calibration": self.calibration, "max_time": self.max_time}
        for name, value in own.items():
            if value is None:
                continue
            if name not in MODELS[self.model].takes:
                flag = name.replace("_", "-")
                raise ValueError(
                    f"--{flag} is no setting of the model {self.model!r}; leave it out"
                )
            chosen[name] = value
        return chosen


def check_bounds(kind: Literal["classes", "number"], bounds: Bounds) -> None:
    """Refuse bounds of classes."""
    if kind == "classes" and bounds != "auto":
        asked = "none" if bounds is None else ",".join(str(end) for end in bounds)
        raise ValueError(
            f"--bounds {asked.lower()} needs a target of numbers, got classes; leave "
            "it out, or use --bins to read the target as a number"
        )


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted estimator, what is known of it, and how long it took."""

    estimator: Any
    about: About
    seconds: float
    scale: str = ""
    """Which scale was chosen for the target, and why; empty where none was sought."""


def fit_problem(
    problem: Problem,
    choice: Choice,
    *,
    data: str = "",
    target: str = "",
    command: str = "",
    options: ReadOptions | None = None,
    scores: Mapping[str, float] | None = None,
    scored_on: str = "",
    hold_out: bool = True,
    unseen_groups: bool = False,
) -> Fitted:
    """Train a model on all rows of a problem.

    Args:
        problem: What `offby.tables.prepare` returned.
        choice: Which model, and how it is trained.
        data: Name of the table.
        target: Name of the target.
        command: How this was started.
        options: How the table was read, for tables with new rows.
        scores: Scores on held-out rows that are known already.
        scored_on: Which rows these are.
        hold_out: Whether to find them otherwise, by a second model that is trained on
            four fifths of the rows.
        unseen_groups: With times and groups, score groups that were not trained on.

    Raises:
        ValueError: If a setting has no meaning for the target or the model.
    """
    X: Any = with_dates(problem.X, problem.columns)
    y = targets_of(problem)
    choice, scale = _with_scale(choice, problem, X)
    if problem.kind == "classes" and choice.ground is None:
        choice = replace(choice, ground=uneven_line(problem.positions))
    make = maker(problem.kind, choice, class_values(problem.labels, problem.positions))
    if scores is None and hold_out:
        scores, scored_on = _held_out_scores(
            problem, choice.seed, X, y, make, unseen_groups
        )
    begun = time.perf_counter()
    groups = groups_to_part(problem.groups, problem.weights)
    estimator = make().fit(X, y, sample_weight=problem.weights, groups=groups)
    options = options or ReadOptions()
    about = About(
        kind=problem.kind,
        model=choice.model,
        loss=choice.loss,
        columns=problem.columns,
        data=data,
        target=target,
        n_rows=len(y),
        labels=problem.labels,
        codes=problem.codes,
        unused=problem.unused,
        settings=_settings_in_words(choice, problem.kind),
        missing=options.missing,
        dates=options.dates,
        scores=finite(scores or {}),
        scored_on=scored_on,
        notes=(*problem.notes, *filter(None, [scale])),
        command=command,
        created=today(),
        versions=versions(),
    )
    return Fitted(estimator, about, time.perf_counter() - begun, scale)


def _with_scale(choice: Choice, problem: Problem, X: Any) -> tuple[Choice, str]:
    """The choice with a scale for the target where one is sought, and why this one."""
    if choice.transform != "auto":
        return choice, ""
    if problem.kind == "classes" or len(problem.y) < FEWEST_ROWS:
        return replace(choice, transform=None), ""
    config = CompareConfig(
        kind="number",
        seed=choice.seed,
        folds=2,
        bins=choice.bins or CompareConfig.bins,
        strategy=choice.strategy or CompareConfig.strategy,
        bounds=choice.bounds,
    )
    rows = problem_of(
        X,
        problem.y,
        config,
        weights=problem.weights,
        groups=problem.groups,
        time=problem.time,
    )
    found = best_scale(rows.whole, rows, "crps")
    return replace(choice, transform=found.transform), sentence([found], "CRPS")


def uneven_line(positions: Sequence[float]) -> Line | None:
    """Where the classes lie; None if they are at equal distances, as by default.

    >>> uneven_line([1, 2, 5])
    Line(3 classes from 1 to 5, gaps 1 to 3)
    """
    gaps = np.diff(positions)
    if len(gaps) < 2 or np.allclose(gaps, gaps[0], rtol=1e-9, atol=0):
        return None
    return Line(list(positions))


def _settings_in_words(choice: Choice, kind: Any) -> dict[str, Any]:
    """The settings as a model file says them."""
    chosen = choice.settings(kind) | {"seed": choice.seed}
    if choice.ground is not None:
        chosen["ground"] = repr(choice.ground)
    return chosen


def class_values(labels: Sequence[str], positions: Sequence[float]) -> np.ndarray:
    """The classes as an estimator takes them: numbers where they are numbers.

    >>> class_values(["3", "4.5"], [3.0, 4.5]).tolist(), class_values(["a"], [0.0])
    ([3.0, 4.5], array(['a'], dtype='<U1'))
    """
    places = np.asarray(positions, dtype=np.float64)
    try:
        same = np.array_equal(places, np.asarray(labels, dtype=np.float64))
    except ValueError:  # no numbers
        same = False
    if not same:
        return np.asarray(labels, dtype=str)
    whole = (places == places.round()).all()
    return places.astype(np.int64) if whole else places


def targets_of(problem: Problem) -> np.ndarray:
    """The target as the estimators take it."""
    if problem.kind == "number":
        return problem.y
    return class_values(problem.labels, problem.positions)[problem.y]


def maker(
    kind: Literal["classes", "number"], choice: Choice, categories: np.ndarray
) -> Any:
    """A function that makes the estimator of a choice, not fitted."""
    learning = {"loss": choice.loss, "random_state": choice.seed}
    settings, model = choice.settings(kind), MODELS[choice.model]
    if kind == "classes":
        settings["categories"] = categories.tolist()
    estimator = model.estimator(kind)
    if not model.mean_of:
        return lambda: estimator(**settings, **learning)
    parts = [MODELS[name].estimator(kind) for name in model.mean_of]
    return lambda: estimator([part(**learning) for part in parts], **settings)


def _held_out_scores(
    problem: Problem, seed: int, X: Any, y: np.ndarray, make: Any, unseen_groups: bool
) -> tuple[dict[str, float], str]:
    """Scores of a model that was trained on the other rows; which rows these are."""
    units = problem.groups if problem.groups is not None else problem.time
    parts = _PARTS if units is None else min(_PARTS, len(np.unique(units)) - 1)
    if problem.time is None and units is not None:
        parts = min(_PARTS, len(np.unique(units)))
    if parts < 2:
        return {}, ""
    with warnings.catch_warnings():
        # A class of fewer rows than parts is in training rows only: no news here.
        warnings.filterwarnings("ignore", "The least populated class")
        made = cuts(
            problem.y,
            problem.kind,
            n_folds=parts,
            seed=seed,
            groups=problem.groups,
            time=problem.time,
            unseen_groups=unseen_groups,
        )
    # By time, the last one learns from the most rows.
    train, test = made[-1]
    weights, groups = problem.weights, problem.groups
    weight = None if weights is None else weights[train]
    group = groups_to_part(None if groups is None else groups[train], weight)
    model = make().fit(X[train], y[train], sample_weight=weight, groups=group)
    scores = scores_of(
        model.predict_dist(X[test]),
        problem.y[test],
        None if weights is None else weights[test],
        ground=ground_of(model),
    )
    if problem.time is not None:
        return scores, f"the last {len(test):,} rows in time"
    how = "at random" if problem.groups is None else "by groups"
    return scores, f"{len(test):,} rows held out {how}"
