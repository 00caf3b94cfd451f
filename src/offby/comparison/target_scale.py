"""The scale of a skewed target: chosen on held-out rows among the training rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed

from offby.comparison.config import TransformChoice
from offby.comparison.fits import fit_loss
from offby.comparison.networks import Design, Settings
from offby.comparison.problem import Fold, Problem, Rows, rows_of, tensor
from offby.comparison.scoring import row_scores
from offby.losses.registry import parse
from offby.results.phrases import listed
from offby.tabular.forecasts import threads
from offby.tabular.splits import child_seed, inner_split
from offby.tabular.target_scales import Transform
from offby.weighted import WeightedSample

SKEWED = 1.0
"""Size of the skewness from which other scales than the target's own are tried."""
_VERY_SKEWED = 3.0
FEWEST_ROWS = 100
"""With fewer training rows no scale can be told from another."""
_MOST_ROWS = 1_200
_HELD_OUT = 1 / 3
_LOSS = "ce+emd2"
"""The loss of the trial fits: one part feels the scale of distances, one does not."""
_TRIAL = Settings(max_iter=20)


@dataclass(frozen=True)
class ScaleChoice:
    """The scale of the target for one set of training rows, and why."""

    transform: Transform | None
    skewness: float
    scores: dict[str, float]
    """Score of each scale that was tried on held-out training rows; lower is better."""

    @property
    def gain(self) -> float:
        """Share of the score that the scale saves on held-out training rows."""
        if self.transform is None or not self.scores["none"]:
            return 0.0
        return 1 - self.scores[self.transform] / self.scores["none"]


def chosen_scales(
    problem: Problem,
    transform: TransformChoice,
    metric: str,
    n_jobs: int | None,
) -> tuple[Problem, list[ScaleChoice]]:
    """The problem with a scale for each fold, and how each was chosen.

    Args:
        problem: The data and their folds; classes have no scale.
        transform: A scale for all folds, or "auto".
        metric: What the trials are judged by.
        n_jobs: Folds that are looked at at the same time.

    Raises:
        ValueError: If the scale cannot take the numbers.
    """
    if problem.kind == "classes" or transform == "none":
        return problem, []
    if transform != "auto":
        _check_log(transform, problem.y)
        same: list[Transform | None] = [transform] * problem.n_folds
        return problem.with_transforms(same), []
    # Workers are started only where there is something to try, and get what they need.
    tries = any(_candidates(fold.train) for fold in problem.folds)
    pool: Any = Parallel(n_jobs=n_jobs if tries else 1)
    by_row = ("X", "weight", "groups", "time", "numbers")
    bare = replace(problem, y=problem.y[:0], **dict.fromkeys(by_row))
    found = pool(delayed(best_scale)(fold, bare, metric) for fold in problem.folds)
    return problem.with_transforms([each.transform for each in found]), found


def best_scale(fold: Fold, problem: Problem, metric: str) -> ScaleChoice:
    """The scale that does best on a third of the fold's training rows.

    The target's own scale is left only for one that is better by more than two standard
    errors of the difference. The held-out rows of the fold are not looked at.
    """
    train = fold.train
    found = skewness(train.y, train.weight)
    tried = _candidates(train)
    if not tried:
        return ScaleChoice(None, found, {})
    inner = _inner(fold)
    trials = [inner.on_scale(each, problem) for each in (None, *tried)]
    network = "perceptron" if problem.encoding == "plain" else "ensemble"
    # As one batch, which takes less time and changes no bit.
    with threads(None):
        fits = fit_loss(
            [(trial, 0) for trial in trials],
            loss=parse(_LOSS),
            design=Design(network, _TRIAL),
            stop_on="score",
        )
    rows = [
        row_scores(trial, fit)[metric] for trial, fit in zip(trials, fits, strict=True)
    ]
    weight = inner.test.weight
    means = [float(np.average(each, weights=weight)) for each in rows]
    names = ["none", *map(str, tried)]
    best = int(np.argmin(means))
    chosen = None
    # Infinite scores tell nothing: log scores are, of one number beyond the bins.
    if best and np.isfinite((means[0], means[best])).all():
        gain = rows[0] - rows[best]
        error = WeightedSample.of(gain, weight).std() / np.sqrt(len(gain))
        if means[0] - means[best] > 2 * error:
            chosen = tried[best - 1]
    return ScaleChoice(chosen, found, dict(zip(names, means, strict=True)))


def skewness(values: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Third standardized moment: 0 if symmetric, 2 for exponential numbers.

    >>> round(skewness(np.array([0.0, 0.0, 0.0, 1.0])), 3)
    1.155
    """
    mean = np.average(values, weights=weight)
    off = (values - mean) / (np.abs(values - mean).max() or 1.0)
    variance = np.average(off**2, weights=weight)
    third = np.average(off**3, weights=weight)
    return float(third / variance**1.5) if variance else 0.0


def sentence(choices: Sequence[ScaleChoice], title: str) -> str:
    """What was chosen, and why, for the reader.

    Args:
        choices: Of each fold.
        title: What the trials were judged by.
    """
    if not any(each.scores for each in choices):
        return ""  # Nobody asks about the scale of a target that is not skewed.
    size = float(np.median([each.skewness for each in choices]))
    begin = f"The target is skewed (skewness {size:.1f}), so "
    trials = "on held-out training rows"
    names = Counter(each.transform or "none" for each in choices)
    if set(names) == {"none"}:
        return (
            f"{begin}other scales were tried {trials}, but none was clearly better "
            f"than the target's own by {title}."
        )
    used = [each for each in choices if each.transform]
    gains = sorted(100 * each.gain for each in used)
    by = f"{gains[0]:.0f}" if len(gains) == 1 else f"{gains[0]:.0f} to {gains[-1]:.0f}"
    if len(names) == 1:
        which = f"the scale {used[0].transform} was chosen"
    else:
        parts = [f"{name} in {n}" for name, n in names.most_common()]
        which = f"a scale was chosen for each of {len(choices)} folds ({listed(parts)})"
    return (
        f"{begin}{which}: {trials} its {title} was {by}\N{NO-BREAK SPACE}% lower than "
        "on the target's own scale."
    )


def _candidates(train: Rows) -> list[Transform]:
    """Scales worth a trial; none if the target is not skewed, or rows are few."""
    found = skewness(train.y, train.weight)
    if len(train.y) < FEWEST_ROWS or abs(found) < SKEWED:
        return []
    power: Transform = "log" if train.y.min() > 0 else "yeo-johnson"
    # Ranks pay where a few numbers are far larger than all others; trials cost time.
    return [power, "quantile"] if abs(found) > _VERY_SKEWED else [power]


def _inner(fold: Fold) -> Fold:
    """Some of the training rows, cut into rows to learn from and rows to judge by."""
    train = fold.train
    generator = torch.Generator().manual_seed(child_seed(fold.seed, fold.number, 105))
    kept = np.arange(len(train.y))
    if len(kept) > _MOST_ROWS:
        drawn = torch.randperm(len(kept), generator=generator)[:_MOST_ROWS]
        kept = np.sort(drawn.numpy())
    rows = _some(train, kept)
    learned, judged = inner_split(
        len(rows.y),
        _HELD_OUT,
        generator,
        groups=tensor(rows.groups),
        time=tensor(rows.time),
    )
    sides = [_some(rows, part.sort().values.numpy()) for part in (learned, judged)]
    return replace(fold, train=sides[0], test=sides[1])


def _some(rows: Rows, which: np.ndarray) -> Rows:
    by_row = ("numbers", "y", "weight", "groups", "time")
    parts = {name: getattr(rows, name) for name in by_row}
    kept = {k: None if v is None else v[which] for k, v in parts.items()}
    return replace(rows, X=rows_of(rows.X, which), **kept)


def _check_log(transform: str, y: np.ndarray) -> None:
    if transform == "log" and y.min() <= 0:
        raise ValueError(
            f"the scale log needs positive targets, got {y.min():g}; use yeo-johnson "
            "or quantile, or auto"
        )
