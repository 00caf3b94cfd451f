"""What `compare` is asked, checked before the work."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from offby.comparison.problem import Problem
from offby.comparison.scoring import CLASS_METRICS, NUMBER_METRICS
from offby.losses.registry import NamedLoss, parse
from offby.results import Metric


def named_losses(losses: Sequence[str]) -> list[NamedLoss]:
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


def problem_of(X, y, named, kind, positions, bins, strategy, folds, seed) -> Problem:
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


def columns_by_row(by_row: dict[str, Any], n_rows: int) -> dict[str, np.ndarray]:
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


def metrics_of(kind: str, target: str, first: str | None) -> tuple[Metric, ...]:
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
