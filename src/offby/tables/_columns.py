"""The columns beside the target: what is learned from, and what a column is for."""

import difflib
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from offby.tables._phrases import column_list, row_count, some


def check_column(columns: Sequence[str], name: str) -> None:
    """Refuse the name of no column, with the one that was meant."""
    if name in columns:
        return
    lower = {column.lower(): column for column in columns}
    guess = difflib.get_close_matches(name.lower(), lower, 1)
    hint = f"did you mean {lower[guess[0]]!r}? " if guess else "take one of them. "
    raise ValueError(
        f"the column must be in the table, got {name!r}; {hint}Columns: {some(columns)}"
    )


def known_rows(frame, target: str, notes: list[str]):
    """The rows whose target is there; infinite ones are refused."""
    import polars

    column = frame[target]
    missing = column.is_null()
    if column.dtype.is_float():
        missing = missing | column.is_nan().fill_null(True)
        infinite = int(column.is_infinite().sum())
        if infinite:
            raise ValueError(
                f"target {target!r} must be finite, got {row_count(infinite)} with an "
                "infinite value; remove or correct them"
            )
    elif column.dtype == polars.Null:
        missing = polars.Series([True] * len(column))
    n_missing = int(missing.sum())
    if n_missing == frame.height:
        raise ValueError(
            f"target {target!r} must have values, got none in "
            f"{row_count(frame.height)}; name another column"
        )
    if n_missing:
        notes.append(f"{row_count(n_missing)} without a target dropped")
        frame = frame.filter(~missing)
    if frame.height == 1:
        raise ValueError(
            "a comparison needs many rows to train and to test on, got 1 row with a "
            "target; bring more data"
        )
    if frame[target].n_unique() == 1:
        raise ValueError(
            f"target {target!r} must vary, got {frame[target][0]!r} in all "
            f"{frame.height} rows; name another column"
        )
    return frame


def group_numbers(column) -> np.ndarray:
    """Groups as whole numbers."""
    _refuse_gaps(column, "groups")
    return np.unique(np.array(column.to_list()).astype(str), return_inverse=True)[1]


def times(column) -> np.ndarray:
    """When rows came, as numbers that only their order is taken from."""
    import polars

    _refuse_gaps(column, "time")
    if column.dtype == polars.String:
        with suppress(polars.exceptions.PolarsError):  # said below, in words
            column = column.str.to_datetime(time_unit="us")
    if column.dtype.is_temporal():
        return column.to_physical().to_numpy().astype(np.float64)
    if not column.dtype.is_numeric():
        raise ValueError(
            f"time {column.name!r} must hold numbers or dates as 2026-01-31, got "
            f"{column[0]!r}; turn it into one of them"
        )
    return column.to_numpy().astype(np.float64)


def weights_of(column) -> np.ndarray:
    """Weights, which must be positive."""
    _refuse_gaps(column, "weights")
    if not column.dtype.is_numeric() or not (column > 0).all():
        raise ValueError(
            f"weights {column.name!r} must be positive numbers, got "
            f"{next((v for v in column if not _positive(v)), None)!r}; drop rows that "
            "should not count"
        )
    return column.to_numpy().astype(np.float64)


def _positive(value) -> bool:
    return isinstance(value, int | float) and value > 0


def _refuse_gaps(column, what: str) -> None:
    missing = int(column.null_count())
    if column.dtype.is_float():
        missing += int(column.is_nan().sum())
    if missing:
        raise ValueError(
            f"{what} {column.name!r} must have no gaps, got {row_count(missing)} "
            "without a value; fill them or remove the rows"
        )


def note_copies(frame, notes: list[str]) -> None:
    """Warn of rows that come twice."""
    copies = frame.height - frame.n_unique()
    if copies:
        notes.append(
            f"{row_count(copies)} ({copies / frame.height:.0%}) copy an earlier row, "
            "so a row can be learned from and judged: all scores look better than they "
            "are"
        )


def features(frame, notes: list[str]):
    """Columns as numbers (floats) and text, without those that carry nothing."""
    import polars

    kept, empty, ids, strange, dates = [], [], [], [], []
    infinite = 0
    for column in frame.get_columns():
        dtype = column.dtype
        if dtype.is_temporal():
            dates.append(column.name)
            column = column.to_physical().cast(polars.Float64)
        elif dtype.is_numeric() or dtype == polars.Boolean:
            column = column.cast(polars.Float64)
            bad = int((~column.is_finite()).sum())
            if bad:
                infinite += int(column.is_infinite().sum())
                finite = column.is_finite()
                column = column.set(~finite.fill_null(False), None)
        elif dtype == polars.Null:
            empty.append(column.name)
            continue
        elif dtype in (polars.String, polars.Categorical, polars.Enum):
            column = column.cast(polars.String)
        else:
            strange.append(column.name)
            continue
        if column.null_count() == len(column):
            empty.append(column.name)
        elif column.dtype == polars.String and column.n_unique() == len(column):
            ids.append(column.name)
        else:
            kept.append(column)
    for names, what in (
        (empty, "dropped: no values"),
        (ids, "dropped: text that differs in every row, as names and ids do"),
        (strange, "dropped: neither numbers nor text"),
        (dates, "read as numbers: dates or times"),
    ):
        if names:
            notes.append(f"{column_list(names)} {what}")
    if infinite:
        notes.append(f"{infinite} infinite values outside the target read as missing")
    if not kept:
        raise ValueError(
            "the table must have columns to learn from beside the target, got none"
            + (f" ({'; '.join(notes)})" if notes else "")
            + "; drop fewer or add some"
        )
    return polars.DataFrame(kept)
