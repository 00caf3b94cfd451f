"""Targets as users hand them in: series, categoricals, frames of one column."""

from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any

import narwhals as nw
import numpy as np

_MOMENTS = (date, time, timedelta, np.datetime64, np.timedelta64)


def read_target(y) -> tuple[Any, list | None]:
    """The target, and the order of its classes if it is an ordered categorical.

    A frame of one column becomes that column, intervals become their text, Decimals
    become floats. All else stays as it is, to be checked by scikit-learn.

    Raises:
        ValueError: If some rows have no target.
    """
    y = _one_column(y)
    order = _order(y)
    if order is None and not _holds_objects(y):
        return y, None
    values = np.asarray(y, dtype=object)
    missing = np.array([_is_missing(value) for value in values.ravel()], dtype=bool)
    if missing.any():
        raise ValueError(
            f"Input y contains NaN: {missing.sum()} of {len(missing)} rows have no "
            "target; drop these rows first"
        )
    known = values.ravel().tolist()
    if order is not None:
        names = [_name(value) for value in order]
        return np.asarray([_name(value) for value in known]), names
    if any(_is_interval(value) for value in known):
        return np.asarray([_name(value) for value in known]), None
    if any(isinstance(value, Decimal) for value in known) and all(
        isinstance(value, Real | Decimal) for value in known
    ):
        return values.astype(np.float64), None
    return y, None


def check_numeric_target(y) -> None:
    """Refuse targets that are dates or text."""
    kind = np.asarray(y).dtype.kind
    # Frames hand out text, and lists dates, as objects.
    held = {type(value) for value in np.asarray(y).flat} if kind == "O" else set()
    if kind in "mM" or any(issubclass(each, _MOMENTS) for each in held):
        raise ValueError(
            "y must hold numbers, got dates or times; turn them into a number first, "
            "such as days since a start"
        )
    if kind in "US" or any(issubclass(each, str | bytes) for each in held):
        raise ValueError(
            "y must hold numbers, got text; for ordered classes use an "
            "OrdinalClassifier"
        )


def _one_column(y) -> Any:
    if nw.dependencies.is_polars_lazyframe(y):
        y = y.collect()
    if not nw.dependencies.is_into_dataframe(y):
        return y
    frame = nw.from_native(y, eager_only=True)
    if len(frame.columns) != 1:
        raise ValueError(
            f"y must be one column, got a frame of {len(frame.columns)}: "
            f"{frame.columns[:5]}; choose one of them"
        )
    return frame[:, 0].to_native()


def _order(y) -> list | None:
    """The categories of an ordered categorical; None of any other target."""
    dtype = getattr(y, "dtype", None)
    if getattr(dtype, "ordered", False) and hasattr(dtype, "categories"):  # pandas
        return list(dtype.categories)  # pyright: ignore
    if not nw.dependencies.is_into_series(y):
        return None
    dtype = nw.from_native(y, series_only=True).dtype
    return list(dtype.categories) if isinstance(dtype, nw.Enum) else None


def _holds_objects(y) -> bool:
    if nw.dependencies.is_into_series(y):
        dtype = nw.from_native(y, series_only=True).dtype
        return not (dtype.is_numeric() or dtype == nw.Boolean) or bool(
            nw.from_native(y, series_only=True).is_null().any()
        )
    if isinstance(y, np.ndarray):
        return y.dtype == object
    return isinstance(y, list | tuple) and np.asarray(y, dtype=object).ndim == 1


def _is_missing(value) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def _is_interval(value) -> bool:
    return all(hasattr(value, name) for name in ("left", "right", "closed"))


def _name(value) -> Any:
    return str(value) if _is_interval(value) else value
