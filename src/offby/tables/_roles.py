"""Columns with a role of their own: groups, times and weights."""

from contextlib import suppress

import numpy as np

from offby.tables._phrases import row_count


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
    """Weights: 0 or more; a row of weight 0 counts for nothing."""
    _refuse_gaps(column, "weights")
    if not column.dtype.is_numeric() or not (column >= 0).all():
        raise ValueError(
            f"weights {column.name!r} must be numbers of 0 or more, got "
            f"{next((v for v in column if not _is_weight(v)), None)!r}; correct them, "
            "or drop these rows"
        )
    weights = column.to_numpy().astype(np.float64)
    if not np.isfinite(weights).all() or not weights.any():
        raise ValueError(
            f"weights {column.name!r} must be finite and not all 0, got "
            f"{weights.min():g} to {weights.max():g}; correct them"
        )
    return weights


def _is_weight(value) -> bool:
    return isinstance(value, int | float) and value >= 0


def _refuse_gaps(column, what: str) -> None:
    missing = int(column.null_count())
    if column.dtype.is_float():
        missing += int(column.is_nan().sum())
    if missing:
        raise ValueError(
            f"{what} {column.name!r} must have no gaps, got {row_count(missing)} "
            "without a value; fill them or remove the rows"
        )
