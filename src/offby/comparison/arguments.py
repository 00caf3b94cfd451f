"""The data that `compare` gets, checked and made arrays before the work."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from offby.bins.support import Support
from offby.comparison.config import CompareConfig
from offby.comparison.grounds import places_on
from offby.comparison.problem import Problem, rows_of
from offby.comparison.scoring import CLASS_METRICS, GROUND_METRICS, NUMBER_METRICS
from offby.grounds import Ground, Line
from offby.results import Metric
from offby.weighted import WeightedSample

LARGEST = 1e100
"""Largest size of a target: scores square it, and sum the squares over the rows."""


def problem_of(
    X: Any,
    y: Any,
    config: CompareConfig,
    *,
    positions: Sequence[float] | None = None,
    ground: Ground | None = None,
    labels: Sequence[str] | None = None,
    weights: Any = None,
    groups: Any = None,
    time: Any = None,
) -> Problem:
    """The rows that count, as arrays; rows of weight 0 are left out.

    Raises:
        ValueError: If the data do not fit each other or the settings.
    """
    y = np.asarray(y)
    if y.ndim != 1 or len(y) != len(X):
        raise ValueError(
            f"y must hold one target for each of the {len(X)} rows of X, got shape "
            f"{y.shape}; take both from the same table"
        )
    if config.unseen_groups and (groups is None or time is None):
        raise ValueError(
            "unseen_groups needs groups and time, because it tests on later rows of "
            "groups that were not trained on; give both"
        )
    by_row: dict[str, Any] = columns_by_row(
        {"weight": weights, "groups": groups, "time": time}, len(y)
    )
    numbers = None
    if "weight" in by_row and (by_row["weight"] == 0).any():
        numbers = np.flatnonzero(by_row["weight"])
        X, y = rows_of(X, numbers), y[numbers]
        by_row = {name: column[numbers] for name, column in by_row.items()}
    if "weight" in by_row:
        weight = by_row.pop("weight")
        # Equal weights change nothing, so they are none; others have mean 1.
        if np.ptp(weight):
            by_row["weight"] = weight / weight.mean()
    if len(y) < 2 * config.folds:
        raise ValueError(
            f"{config.folds} folds need at least {2 * config.folds} rows, got "
            f"{len(y)}; use fewer folds or more data"
        )
    if config.kind == "classes":
        y = _class_codes(y)
        if isinstance(ground, Line):
            positions, ground = ground.positions.tolist(), None
        if ground is None:
            places = _positions(y, positions, labels)
        else:
            places = places_on(ground, y, labels, config)
            _check_names(labels, len(places))
    else:
        y, places = _numbers(y, config.bins), ()
        # Of all rows: those beyond may be in one fold only.
        Support.of(WeightedSample.of(y), config.bounds)
    return Problem(
        X,
        y,
        config.kind,
        places,
        0 if config.kind == "classes" else config.bins,
        config.strategy,
        config.folds,
        config.seed,
        unseen_groups=config.unseen_groups,
        bounds=config.bounds,
        numbers=numbers,
        encoding="plain" if config.network == "perceptron" else "table",
        ground=ground,
        **by_row,
    )


def _class_codes(y: np.ndarray) -> np.ndarray:
    numeric = y.dtype.kind in "iufb" and bool(np.isfinite(y).all())
    wrong = y[(y < 0) | (y != np.floor(y))] if numeric else y[:1]
    if len(wrong):
        raise ValueError(
            f"y must hold class codes 0, 1, 2, ... in their order, got {wrong[0]!r}; "
            "number the classes from 0"
        )
    if len(np.unique(y)) < 2:
        raise ValueError(
            "y must hold at least two classes, got one; use another target or more data"
        )
    return y.astype(np.int64)


def _positions(y: np.ndarray, positions, labels) -> tuple[float, ...]:
    """Where each class lies; by default as many as there are labels or codes."""
    n_classes = int(y.max()) + 1
    if positions is None:
        places = tuple(map(float, range(max(n_classes, len(labels or ())))))
    else:
        places = tuple(map(float, positions))
    if len(places) < n_classes:
        raise ValueError(
            f"positions must have one number for each of {n_classes} classes, got "
            f"{len(places)}; give the missing ones"
        )
    if not np.isfinite(places).all() or (np.diff(places) <= 0).any():
        raise ValueError(
            f"positions must be finite and increase, got {places}; sort the classes "
            "by their position"
        )
    _check_names(labels, len(places))
    return places


def _check_names(labels: Sequence[str] | None, n_classes: int) -> None:
    if labels is not None and len(labels) != n_classes:
        raise ValueError(
            f"labels must have one name for each of {n_classes} classes, got "
            f"{len(labels)}; name every class once"
        )
    if labels is not None and len(set(labels)) < len(labels):
        raise ValueError(
            "labels must be different names, got some name twice; rename one of the "
            "classes"
        )


def _numbers(y: np.ndarray, n_bins: int) -> np.ndarray:
    try:
        y = y.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f'with kind="number" y must hold numbers, got {error}; convert them first'
        ) from error
    wrong = int((~np.isfinite(y)).sum())
    if wrong:
        raise ValueError(
            f"the target must be finite, got {wrong} rows that are not; drop them first"
        )
    if np.abs(y).max() > LARGEST:
        raise ValueError(
            f"the target must lie within -{LARGEST:g} and {LARGEST:g}, because scores "
            f"square it, got {y[np.abs(y).argmax()]:g}; use a larger unit"
        )
    if not np.ptp(y):
        raise ValueError(
            f"the target must hold different numbers, got {y[0]:g} in every row; use "
            "another target"
        )
    # The default is fine on a small table, too: there bins hold a row or less.
    if n_bins > max(len(y), CompareConfig.bins):
        raise ValueError(
            f"bins must be at most the number of rows, {len(y)}, got {n_bins}; most "
            "bins would have no row, so use fewer"
        )
    return y


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
        if not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
            raise ValueError(
                "weights must be 0 or more, finite, and positive in some row, got "
                f"{weight.min():g} to {weight.max():g}; use 0 for rows that do not "
                "count"
            )
    return found


def metrics_of(
    kind: str, target: str, first: str | None, *, on_line: bool = True
) -> tuple[Metric, ...]:
    """The metrics of this kind of target, the one that matters most first."""
    of_classes = CLASS_METRICS if on_line else GROUND_METRICS
    metrics = of_classes if kind == "classes" else NUMBER_METRICS
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
