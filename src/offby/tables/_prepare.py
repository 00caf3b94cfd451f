"""What a table and its target ask to be learned."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from offby.tables._cells import converted, other_decimals
from offby.tables._classes import class_names, classes, kind_of, merged
from offby.tables._columns import (
    check_column,
    features,
    known_rows,
    warn_of_leaks,
)
from offby.tables._new_rows import Column, columns_of
from offby.tables._phrases import row_count
from offby.tables._roles import group_numbers, times, weights_of
from offby.tables._table import Table, in_memory

if TYPE_CHECKING:
    import polars


_LEAST = 20
"""Fewer rows tell nothing about a loss: a fold would judge it on a handful."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What there is to learn: the columns, and the target as classes or as numbers."""

    X: "polars.DataFrame"
    y: np.ndarray
    """Codes of the classes from 0, or the numbers themselves."""
    kind: Literal["classes", "number"]
    labels: tuple[str, ...]
    """Names of the classes in order; empty for numbers."""
    positions: tuple[float, ...]
    """Values of the classes if they have any, else 0, 1, ...; empty for numbers."""
    notes: tuple[str, ...]
    """What was dropped, merged or read in a way of two, a sentence each."""
    groups: np.ndarray | None = None
    """Group of each row, a whole number."""
    time: np.ndarray | None = None
    """When each row came."""
    weights: np.ndarray | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Why each column that is not in `X` is not: "is the same in all rows"."""
    columns: tuple[Column, ...] = ()
    """What each column of `X` held, for whoever forecasts new rows."""
    unused: tuple[str, ...] = ()
    """Columns of the table that are not learned from; the target is none of them."""
    codes: dict[str, int] = field(default_factory=dict)
    """Class of each text or number of the target; empty for numbers."""


def prepare(
    table: "polars.DataFrame | Table",
    target: str,
    *,
    order: Sequence[str] = (),
    drop: Sequence[str] = (),
    kind: Literal["auto", "classes", "number"] = "auto",
    folds: int = 5,
    min_class: int | None = None,
    groups: str | None = None,
    time: str | None = None,
    weights: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    text: Sequence[str] = (),
    source: str = "DATA",
    command: str = "compare",
) -> Problem:
    """The columns to learn from and the target to learn, checked and cleaned.

    An integer target with at most 20 different values is ordered classes; so are other
    numbers that repeat as much. Text needs `order`. Everything else is a number.

    Args:
        table: A frame, or a table in a file (`scan`), of which no more is read than is
            needed.
        target: Its column to predict.
        order: The classes, lowest first.
        drop: Columns to leave out.
        kind: `"number"` to cut an integer target into bins all the same.
        folds: Number of folds that the rows must be enough for.
        min_class: A class with fewer rows joins its nearest neighbor; `folds` by
            default.
        groups: Column of the group of each row, which is not learned from.
        time: Column that says when each row came, which is not learned from.
        weights: Column of the weight of each row, which is not learned from.
        sample: Take this many rows at random, where there are more.
        seed: Where their choice comes from.
        text: Columns that stay text even if they look like numbers or dates.
        source: The file, for the command that a message suggests.
        command: Which command of offby that is.

    Raises:
        ValueError: If nothing can be learned from the table as asked.
    """
    if not isinstance(table, Table):
        table = in_memory(table)
    notes = list(table.notes)
    roles = {"--groups": groups, "--time": time, "--weights": weights}
    named = {flag: name for flag, name in roles.items() if name is not None}
    _check_names(table.columns, target, drop, named, text)
    kept = [name for name in table.columns if name not in drop]
    frame = table.take(kept, _sampled(table.n_rows, sample, seed, notes))
    # Groups are names, also where most of them are numbers.
    as_text = [*text, *([groups] if groups else [])]
    read = frame
    frame, understood = converted(frame, table.options, as_text)
    decimals = other_decimals(read, frame, table.options)
    notes += understood
    frame = known_rows(frame, target, notes)
    for flag, name in named.items():
        use = "weigh" if flag == "--weights" else "split"
        notes.append(
            f"Column {name} was used to {use} the rows, so the models did not see it."
        )
    frame = _without_weightless(frame, weights, notes)
    others: dict[str, Any] = {
        "groups": None if groups is None else group_numbers(frame[groups]),
        "time": None if time is None else times(frame[time]),
        "weights": None if weights is None else weights_of(frame[weights]),
    }
    left_out = dict.fromkeys(drop, "was dropped by --drop")
    left_out |= {name: f"is what {flag} names" for flag, name in named.items()}
    X = features(frame.drop(target, *named.values()), notes, left_out)
    others |= {
        "left_out": left_out,
        "columns": columns_of(frame, X, decimals),
        "unused": tuple(n for n in table.columns if n not in X.columns and n != target),
    }
    column = frame[target]
    kind = kind_of(column, kind, order, notes)
    warn_of_leaks(X, column, notes)
    if kind == "number":
        values = column.cast(float).to_numpy().astype(float)
        if len(values) < 2 * folds:
            raise ValueError(
                f"{folds} folds need at least {2 * folds} rows, got {len(values)}; use "
                "fewer --folds or more data"
            )
        _check_enough(len(values))
        return Problem(X, values, "number", (), (), tuple(notes), **others)
    words, labels, positions = classes(column, order, source, notes, command)
    codes, labels, positions = merged(
        words, labels, positions, folds, min_class or folds, notes
    )
    _check_enough(len(codes))
    return Problem(
        X,
        codes,
        "classes",
        labels,
        positions,
        tuple(notes),
        **others,
        codes=dict(zip(words, codes.tolist(), strict=True)),
    )


def target_names(table: Table, target: str) -> list[str]:
    """The different values of a target as names of classes, as they come in the table.

    Raises:
        ValueError: If there is no such column.
    """
    check_column(table.columns, target)
    frame, _ = converted(table.take([target], None), table.options, [])
    return list(dict.fromkeys(class_names(known_rows(frame, target, [])[target])))


def _check_enough(n_rows: int) -> None:
    if n_rows < _LEAST:
        raise ValueError(
            f"a comparison needs at least {_LEAST} rows with a target, got "
            f"{row_count(n_rows)}; bring more data"
        )


def _without_weightless(frame, weights: str | None, notes: list[str]):
    """The rows that count: one of weight 0 must change nothing."""
    if weights is None:
        return frame
    counts = weights_of(frame[weights]) > 0
    if not counts.all():
        notes.append(f"{row_count(int((~counts).sum()))} of weight 0 left out.")
    return frame.filter(counts)


def _check_names(columns: Sequence[str], target: str, drop, named, text) -> None:
    """Refuse names of no column, and columns of two uses."""
    for name in (target, *drop, *named.values(), *text):
        check_column(columns, name)
    if f"{target} (2)" in columns:
        raise ValueError(
            f"the target must be one column, got several that are called {target!r}; "
            "rename them in the file"
        )
    for flag, name in named.items():
        if name == target or name in drop or list(named.values()).count(name) > 1:
            raise ValueError(
                f"{flag} must name a column with no other use, got {name!r}; name "
                "another"
            )
    if target in drop:
        raise ValueError(
            f"the target must stay in the table, got {target!r} among the columns to "
            "drop; take it out of --drop"
        )


def _sampled(
    n_rows: int, sample: int | None, seed: int, notes: list[str]
) -> np.ndarray | None:
    """Numbers of the rows to take; None for all of them."""
    if sample is None or sample >= n_rows:
        return None
    notes.append(f"{sample:,} of {n_rows:,} rows were taken at random.")
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n_rows, sample, replace=False, shuffle=False))


def split_list(text: str) -> tuple[str, ...]:
    """The items of a comma-separated list; one with a comma stands in double quotes.

    >>> split_list('low, "so, so",high')
    ('low', 'so, so', 'high')
    """
    items = next(csv.reader([text], skipinitialspace=True), [])
    return tuple(item.strip() for item in items if item.strip())
