"""Tables as users hand them in: frames of every library, columns of one type each."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any

import narwhals as nw
import numpy as np
from narwhals.exceptions import DuplicateError


def is_frame(X) -> bool:
    """Whether these are named columns."""
    return nw.dependencies.is_into_dataframe(X)


def is_number(dtype) -> bool:
    """Whether a column of this type holds numbers."""
    return dtype.is_numeric() or dtype == nw.Boolean


def is_moment(dtype) -> bool:
    """Whether a column of this type holds dates, times of dates or durations."""
    return dtype == nw.Date or dtype == nw.Datetime or dtype == nw.Duration


def read_table(X) -> Any:
    """The table, ready to be encoded; what is no frame stays as it is.

    Lazy frames are collected. Columns of Python objects become columns of numbers or
    dates where they hold those; columns that hold nothing become gaps.

    Raises:
        ValueError: If a frame has no rows, two columns of one name, or a column that
            mixes numbers and text.
    """
    if nw.dependencies.is_polars_lazyframe(X) or nw.dependencies.is_narwhals_lazyframe(
        X
    ):
        X = nw.from_native(X).collect()
    if not is_frame(X):
        return X
    try:
        frame = nw.from_native(X, eager_only=True)
        columns, names = list(frame.iter_columns()), frame.columns
    except DuplicateError as error:
        twice = str(error).partition("\n")[2] or str(error)
        raise ValueError(
            f"the columns of X must have different names, got {twice.strip(' -')}; "
            "rename or drop one of them"
        ) from error
    if len(frame) == 0:
        raise ValueError(
            f"X must have at least one row, got a frame of {len(columns)} columns and "
            "0 rows; check how it was filtered"
        )
    plain = [_plain(column) for column in columns]
    if all(new is old for new, old in zip(plain, columns, strict=True)):
        return frame.to_native()
    if frame.implementation.is_pandas_like():
        # By assignment: names of columns may be of any type there.
        native = frame.to_native().copy()
        for name, old, new in zip(names, columns, plain, strict=True):
            if new is not old:
                native[name] = new.to_numpy()
        return native
    changed = [new for new, old in zip(plain, columns, strict=True) if new is not old]
    return frame.with_columns(*changed).to_native()


def is_empty(column: nw.Series) -> bool:
    """Whether a column holds nothing but gaps."""
    gaps = column.is_null()
    if column.dtype.is_float():
        gaps = gaps | column.fill_null(float("nan")).is_nan()
    return bool(gaps.all())


def numbers_of(column: nw.Series) -> np.ndarray:
    """The numbers of a column; gaps, which each library marks its own way, as NaN.

    Raises:
        ValueError: If the column holds something else.
    """
    if is_empty(column):
        return np.full(len(column), np.nan)
    gaps = column.is_null().to_numpy()
    if not is_number(column.dtype):
        raise ValueError(
            f"column {column.name!r} must hold numbers, as in training, got "
            f"{_sample(column)} of type {column.dtype}; convert the column first"
        )
    numbers = column.cast(nw.Float64).to_numpy()
    return np.where(gaps, np.nan, numbers).astype(np.float64)


def objects_of(column: nw.Series) -> np.ndarray:
    """The values of a column as Python objects; gaps are None."""
    values = np.empty(len(column), dtype=object)
    values[:] = column.to_list()
    values[column.is_null().to_numpy()] = None
    if column.dtype.is_float() or column.dtype == nw.Object:
        values[[isinstance(v, float) and v != v for v in values]] = None
    return values


def rows_of(X, rows: slice | np.ndarray) -> Any:
    """Some rows of a frame or an array."""
    if not is_frame(X):
        return X[rows]
    return nw.from_native(X, eager_only=True)[rows].to_native()


def matrix_of(frame: nw.DataFrame) -> np.ndarray:
    """The numbers of all columns, rows x columns; gaps are NaN.

    Raises:
        ValueError: If a column holds something else.
    """
    if all(dtype.is_float() for dtype in frame.schema.values()):
        # At once: column by column, a table of 2,000 columns takes seconds each time.
        values = frame.to_numpy()
        if values.dtype.kind == "f":
            return values.astype(np.float64)
    return np.stack([numbers_of(column) for column in frame.iter_columns()], 1)


def _plain(column: nw.Series) -> nw.Series:
    """A column of Python objects as one of numbers or dates, if it holds those."""
    if is_empty(column):
        return column if is_number(column.dtype) else _gaps(column)
    if column.dtype != nw.Object:
        return column
    values = objects_of(column)
    known = [value for value in values if value is not None]
    if not known:
        return _gaps(column)
    if all(isinstance(value, Real | Decimal | np.bool_) for value in known):
        numbers = [np.nan if value is None else float(value) for value in values]
        return _made(column, np.array(numbers))
    if all(isinstance(value, date) for value in known):
        if any(getattr(value, "tzinfo", None) for value in known):
            return column
        moments = [value if value is None else _moment(value) for value in values]
        return _made(column, np.array(moments, dtype="datetime64[us]"))
    if all(isinstance(value, timedelta) for value in known):
        return _made(column, np.array(values, dtype="timedelta64[us]"))
    _check_one_kind(column, known)
    return column


def _check_one_kind(column: nw.Series, known: list) -> None:
    number = next((v for v in known if isinstance(v, Real | Decimal)), None)
    text = next((v for v in known if isinstance(v, str | bytes)), None)
    if number is not None and text is not None:
        raise ValueError(
            f"column {column.name!r} must hold numbers or text, got both, such as "
            f"{number!r} and {text!r}; make them one type, and unknown values None"
        )
    odd = next(
        (v for v in known if isinstance(v, list | dict | set | np.ndarray)), None
    )
    if odd is not None:
        raise ValueError(
            f"column {column.name!r} must hold a single value in each row, got a "
            f"{type(odd).__name__}; split it into columns or drop it"
        )


def _moment(value: date) -> datetime:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return datetime(value.year, value.month, value.day)


def _gaps(column: nw.Series) -> nw.Series:
    return _made(column, np.full(len(column), np.nan))


def _made(column: nw.Series, values: np.ndarray) -> nw.Series:
    return nw.new_series(column.name, values, backend=column.implementation)


def _sample(column: nw.Series) -> str:
    return repr(next(v for v in objects_of(column) if v is not None))
