"""`judge`: the answers of a comparison for any table of scores."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from offby.comparison.differences import Plan, pair_of
from offby.comparison.inference import (
    FoldScores,
    Interval,
    corrected_interval,
    verdict,
)
from offby.results import Difference, Metric, said

Per = Literal["row", "fold"]


@dataclass(frozen=True)
class Judged:
    """Which method scores best, and how the others compare with it.

    Printed, it is a table with the best method first.
    """

    best: str
    means: dict[str, float]
    """Mean score of each method, the best first."""
    differences: tuple[Difference, ...]
    """Each other method against the best one."""
    rope: float

    def __str__(self) -> str:
        answers = {d.method: said.answer(d) for d in self.differences}
        width = max(len("method"), *map(len, self.means))
        lines = [f"{'method':{width}}  {'score':>9}  compared with {self.best}"]
        lines += [
            f"{name:{width}}  {mean:9.4g}  {answers.get(name, 'best')}"
            for name, mean in self.means.items()
        ]
        open_ = [d for d in self.differences if d.verdict == "not settled"]
        if open_ and any(d.seeds_needed or d.rows_needed for d in open_):
            lines.append(said.what_settles(open_))
        return "\n".join(lines)


def judge(
    scores: Mapping[str, Any] | Any,
    *,
    lower_is_better: bool = True,
    per: Per = "row",
    folds=None,
    groups=None,
    weights=None,
    rope: float = 0.01,
    relative: bool = True,
) -> Judged:
    """Which method scores best, and which others are worse, equal or not settled.

    Each method is compared with the best one by its scores of the same rows. The answer
    holds for new rows and new training runs: the method, the formula and the study of
    how often it errs are in docs/verdict.md.

    Args:
        scores: The scores of each method by its name: a dict of arrays, or a pandas or
            polars frame with a column for each method. An array holds a score for each
            held-out row; or rows x seeds, if the method was trained several times.
            With `per="fold"` it holds a score for each fold, as `cross_validate` of
            scikit-learn gives in `test_score`.
        lower_is_better: Whether a lower score is a better one. The scorers of
            scikit-learn (`neg_log_loss`, `r2`) are higher where they are better.
        per: What a score is of. Scores of rows tell far more: from a few folds even
            large differences are often not settled.
        folds: The fold in which each row was held out; by default one held-out set.
        groups: Group of each row, where the rows of a group depend on each other.
        weights: Weight of each row; equal by default.
        rope: Differences within this share of the best score are practically none;
            without `relative`, those of this size.
        relative: Whether differences are shares of the best score. Say False for a
            score whose zero means nothing: log scores of numbers change with their
            unit, and an R² near 0 has no share. In nats, 0.01 is 1 % in probability.

    Returns:
        A `Judged`: plain data that print as a table.

    Raises:
        ValueError: If the scores are of different shapes, too few or not finite, or if
            another argument does not fit them.

    References:
        Smyth (2004), Linear models and empirical Bayes methods for assessing
        differential expression, doi:10.2202/1544-6115.1027. With `per="fold"`: Nadeau,
        Bengio (2003), doi:10.1023/A:1024068626366.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> good = rng.gamma(2.0, size=600)
    >>> scores = {
    ...     "one": good,
    ...     "same": good + 0.01 * rng.normal(size=600),
    ...     "bad": 1.2 * good + 0.1 * rng.normal(size=600),
    ... }
    >>> print(judge(scores, folds=np.arange(600) % 5))
    method      score  compared with one
    one         1.929  best
    same        1.929  practically equal (−0.1 to 0.1 %)
    bad         2.311  worse by 20 % (17 to 22 %)
    """
    arrays = _arrays(scores, per)
    size = len(next(iter(arrays.values())))
    _check_rope(rope, relative=relative)
    if per == "fold":
        given = {"folds": folds, "groups": groups, "weights": weights}
        extra = next((name for name, each in given.items() if each is not None), None)
        if extra:
            raise ValueError(
                f"{extra} must be left out where there is one score per fold, because "
                "they describe rows; give the scores of the rows, or leave them out"
            )
    split = _Rows(_column("folds", folds, size), _column("groups", groups, size), None)
    if weights is not None:
        split = replace(split, weights=_weights(weights, size))
    means = {name: split.mean(each) for name, each in arrays.items()}
    order = sorted(means, key=means.__getitem__, reverse=not lower_is_better)
    best, others = order[0], order[1:]
    against = _by_fold if per == "fold" else _by_row
    metric = Metric("score", "score", lower_is_better, "", "")
    scale = (abs(means[best]) or 1.0) if relative else 1.0
    differences = tuple(
        replace(
            against(metric, name, best, arrays, split, scale, rope),
            unit="%" if relative else "",
        )
        for name in others
    )
    return Judged(best, {name: means[name] for name in order}, differences, rope)


@dataclass(frozen=True, eq=False)
class _Rows:
    """What is known of the rows: all of the same length, or None."""

    folds: np.ndarray | None
    groups: np.ndarray | None
    weights: np.ndarray | None

    def places(self, n: int) -> list[np.ndarray]:
        if self.folds is None:
            return [np.arange(n)]
        return [np.flatnonzero(self.folds == each) for each in np.unique(self.folds)]

    def split(self, values: np.ndarray) -> list[FoldScores]:
        """Seeds x rows of each fold."""
        return [
            FoldScores(
                values[rows].T,
                None if self.weights is None else self.weights[rows],
                None if self.groups is None else self.groups[rows],
            )
            for rows in self.places(len(values))
        ]

    def mean(self, values: np.ndarray) -> float:
        """Over folds and seeds, as each fold counts the same."""
        by_fold = [
            np.average(f.values, axis=1, weights=f.weight) for f in self.split(values)
        ]
        return float(np.mean(by_fold))


def _by_row(
    metric: Metric, name: str, best: str, arrays, rows: _Rows, scale: float, rope: float
) -> Difference:
    sign = 1 if metric.lower_is_better else -1
    apart = rows.split(sign * (arrays[name] - arrays[best]))
    pair = pair_of(metric, name, best, apart, Plan(rope, 1), scale, len(arrays))
    return pair.record(rope)


def _by_fold(
    metric: Metric, name: str, best: str, arrays, rows: _Rows, scale: float, rope: float
) -> Difference:
    sign = 1 if metric.lower_is_better else -1
    apart = sign * (arrays[name] - arrays[best])[:, 0]
    at: Interval = corrected_interval(apart, len(arrays))
    low, high = sorted((sign * at.low, sign * at.high))
    return Difference(
        metric=metric.key,
        method=name,
        other=best,
        mean=sign * at.mean,
        low=low,
        high=high,
        relative=sign * at.mean / scale,
        wins=int((apart < 0).sum()),
        pairs=len(apart),
        verdict=verdict(at, scale, rope),
        worse_by=at.mean / scale,
        worse_by_low=at.low / scale,
        worse_by_high=at.high / scale,
    )


def _check_rope(rope: Any, *, relative: bool) -> None:
    known = isinstance(rope, int | float) and 0 <= rope < (1 if relative else math.inf)
    if not known:
        must, hint = (
            ("a share from 0 to below 1", "0.01 is 1 %")
            if relative
            else ("a finite number of 0 or more", "it is in the unit of the scores")
        )
        raise ValueError(f"rope must be {must}, got {rope!r}; {hint}")


def _arrays(scores: Any, per: str) -> dict[str, np.ndarray]:
    """Rows x seeds of each method."""
    if per not in ("row", "fold"):
        raise ValueError(f'per must be "row" or "fold", got {per!r}; use one of these')
    names = list(scores.columns if hasattr(scores, "columns") else scores)
    if len(names) < 2:
        raise ValueError(
            f"a judgment needs the scores of two methods or more, got {len(names)}; "
            "give a column or an entry for each method"
        )
    found = {}
    for name in names:
        values = np.asarray(scores[name], np.float64)
        found[str(name)] = values[:, None] if values.ndim == 1 else values
    first = next(iter(found.items()))
    for name, values in found.items():
        if values.ndim != 2 or values.shape != first[1].shape:
            raise ValueError(
                f"all methods must have scores of the same rows and seeds, got shape "
                f"{first[1].shape} for {first[0]} and {values.shape} for {name}; leave "
                "out rows that not all of them scored"
            )
        if not np.isfinite(values).all():
            where = int((~np.isfinite(values)).sum())
            raise ValueError(
                f"scores must be finite numbers, got {where} that are not for {name}; "
                "leave the method out (an infinite score is worse than any finite one)"
                " or the rows"
            )
    least = 3 if per == "row" else 2
    if len(first[1]) < least or (per == "fold" and first[1].shape[1] > 1):
        shape = f"{least} or more rows" if per == "row" else "one score for each fold"
        raise ValueError(
            f"each method needs {shape}, got shape {first[1].shape}; give more of them"
        )
    return found


def _column(name: str, given, size: int) -> np.ndarray | None:
    if given is None:
        return None
    values = np.asarray(given)
    if values.shape != (size,):
        raise ValueError(
            f"{name} must have an entry for each of {size} rows, got shape "
            f"{values.shape}; give one per row"
        )
    if name == "folds" and np.unique(values, return_counts=True)[1].min() < 2:
        raise ValueError(
            "each fold must have two rows or more, got one with a single row; use "
            "fewer folds"
        )
    return values


def _weights(given, size: int) -> np.ndarray:
    values = np.asarray(given, np.float64)
    if values.shape != (size,) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(
            f"weights must be a number above 0 for each of {size} rows, got shape "
            f"{values.shape}; leave out rows without weight"
        )
    return values
