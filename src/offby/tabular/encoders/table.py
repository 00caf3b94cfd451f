"""The encoder of a whole table: each column by the kind of what it holds."""

from typing import ClassVar, Self

import narwhals as nw
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from offby.tabular.encoders.categories import CategoryCodes, CategoryEncoder
from offby.tabular.encoders.dates import DateEncoder, DateParts
from offby.tabular.encoders.frames import (
    is_empty,
    is_frame,
    is_moment,
    is_number,
)
from offby.tabular.encoders.numbers import PiecewiseLinear, PlainNumbers
from offby.tabular.encoders.text import TextEncoder, is_text, skrub_is_here
from offby.tabular.warned import warn_caller


class TableEncoder(BaseEstimator):
    """All columns of a table as numbers for a network.

    Numbers go through `PiecewiseLinear`, dates and durations through `DateEncoder`,
    strings of 40 or more different values through `TextEncoder` if skrub is installed,
    other text and categories through `CategoryEncoder`. Columns that hold nothing in
    training are left out.
    """

    encoders: ClassVar[dict[str, type]] = {
        "numbers": PiecewiseLinear,
        "dates": DateEncoder,
        "text": TextEncoder,
        "categories": CategoryEncoder,
    }
    dtype: ClassVar[type] = np.float32

    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Find the kind of each column, and fit the encoder of each kind."""
        self.positions_ = _positions(X, list(self.encoders))
        self.encoders_ = {
            kind: self.encoders[kind]().fit(
                _columns(X, positions), sample_weight=sample_weight
            )
            for kind, positions in self.positions_.items()
        }
        parts, first = [np.empty(0, dtype=int)], 0
        for kind, positions in self.positions_.items():
            parts.append(first + self.encoders_[kind].column_of_)
            first += len(positions)
        self.column_of_ = np.concatenate(parts)
        """Of each encoded value: the column it comes from, columns counted by kind."""
        return self

    def transform(self, X) -> np.ndarray:
        """Rows x encoded values."""
        check_is_fitted(self)
        parts = [
            self.encoders_[kind].transform(_columns(X, positions))
            for kind, positions in self.positions_.items()
        ]
        empty = np.empty((len(X), 0), dtype=self.dtype)
        return np.concatenate([empty, *parts], 1, dtype=self.dtype)


class TreeTableEncoder(TableEncoder):
    """All columns of a table as numbers for trees, which need no scale.

    As `TableEncoder`, but numbers stay as they are, gaps are NaN, and a column of
    categories is one column of codes.
    """

    encoders: ClassVar[dict[str, type]] = {
        "numbers": PlainNumbers,
        "dates": DateParts,
        "text": TextEncoder,
        "categories": CategoryCodes,
    }
    dtype: ClassVar[type] = np.float64

    def category_columns(self) -> list[int]:
        """The encoded columns that hold codes of categories: the last ones."""
        n_codes = len(self.positions_.get("categories", []))
        n_columns = len(self.column_of_)
        return list(range(n_columns - n_codes, n_columns))


def holds_only_numbers(X) -> bool:
    """Whether the table is an array, or a frame of numbers."""
    if not is_frame(X):
        return True
    schema = nw.from_native(X, eager_only=True).schema
    return all(is_number(dtype) for dtype in schema.values())


def _positions(X, kinds: list[str]) -> dict[str, list[int]]:
    """The columns of each kind, by position: names may be of any type."""
    if not is_frame(X):
        return {"numbers": list(range(X.shape[1]))}
    positions: dict[str, list[int]] = {kind: [] for kind in kinds}
    frame = nw.from_native(X, eager_only=True)
    for position, column in enumerate(frame.iter_columns()):
        if not is_empty(column):
            positions[_kind(column)].append(position)
    return {kind: some for kind, some in positions.items() if some}


def _columns(X, positions: list[int]):
    if not is_frame(X):
        return X[:, positions]
    return nw.from_native(X, eager_only=True)[:, positions].to_native()


def _kind(column: nw.Series) -> str:
    dtype = column.dtype
    if is_number(dtype):
        return "numbers"
    if is_moment(dtype):
        return "dates"
    if dtype.is_nested() or dtype == nw.Binary or dtype == nw.Time:
        raise ValueError(
            "columns must hold numbers, text, categories, dates or durations, but "
            f"column {column.name!r} is of type {dtype}; take it apart or drop it"
        )
    if dtype == nw.String:
        _warn_of_numbers(column)
    if not is_text(column):
        return "categories"
    if skrub_is_here():
        return "text"
    warn_caller(
        f"column {column.name!r} holds text, which is encoded with skrub; run "
        "pip install offby[text], or make the column categorical if it holds "
        "categories",
    )
    return "categories"


def _warn_of_numbers(column: nw.Series) -> None:
    """Say so if all strings of a column are numbers."""
    known = [value for value in column.unique().to_list() if isinstance(value, str)]
    try:
        [float(value) for value in known]
    except ValueError:
        return
    if len(known) > 1:
        warn_caller(
            f"column {column.name!r} holds numbers as text, such as {known[0]!r}, and "
            "is encoded as text; convert it to a numeric type if they are numbers",
        )
