"""Dates, times and durations of a table as numbers."""

from typing import Self

import narwhals as nw
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from offby.tabular.encoders.frames import is_empty, is_moment, numbers_of
from offby.tabular.encoders.numbers import PiecewiseLinear


class DateParts(TransformerMixin, BaseEstimator):
    """Columns of dates, times of dates, or durations as plain numbers.

    Of a date: days since 1970 (UTC), day of the year, day of the week, hour of the day.
    Of a duration: its days. A gap is NaN.
    """

    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Note which columns are durations."""
        columns = list(nw.from_native(X, eager_only=True).iter_columns())
        self.durations_ = [column.dtype == nw.Duration for column in columns]
        n_parts = [1 if is_duration else 4 for is_duration in self.durations_]
        self.column_of_ = np.repeat(np.arange(len(columns)), n_parts)
        return self

    def transform(self, X) -> np.ndarray:
        """Rows x parts."""
        check_is_fitted(self)
        columns = nw.from_native(X, eager_only=True).iter_columns()
        parts = [
            _parts_as_in_training(column, is_duration)
            for column, is_duration in zip(columns, self.durations_, strict=True)
        ]
        return np.concatenate(parts, 1)


class DateEncoder(DateParts):
    """The numbers of `DateParts`, by `PiecewiseLinear`."""

    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Find the knots of each part of each column."""
        super().fit(X)
        values = DateParts.transform(self, X)
        self.linear_ = PiecewiseLinear().fit(values, sample_weight=sample_weight)
        self.column_of_ = self.column_of_[self.linear_.column_of_]
        return self

    def transform(self, X) -> np.ndarray:
        """Rows x encoded parts, float32."""
        return self.linear_.transform(super().transform(X))


def _parts_as_in_training(column: nw.Series, is_duration: bool) -> np.ndarray:
    if is_empty(column):
        return np.full((len(column), 1 if is_duration else 4), np.nan)
    if not is_moment(column.dtype) or (column.dtype == nw.Duration) != is_duration:
        wanted = "durations" if is_duration else "dates"
        raise ValueError(
            f"column {column.name!r} must hold {wanted}, as in training, got "
            f"{column.dtype}; convert the column first"
        )
    return _parts(column)


def _parts(column: nw.Series) -> np.ndarray:
    """The column as numbers: rows x parts; gaps are NaN."""
    if column.dtype == nw.Duration:
        return numbers_of(column.dt.total_microseconds())[:, None] / 86_400e6
    if column.dtype == nw.Date:
        column = column.cast(nw.Datetime("us"))
    clock = column.dt
    return np.stack(
        [
            numbers_of(clock.timestamp("us")) / 86_400e6,
            numbers_of(clock.ordinal_day()),
            numbers_of(clock.weekday()),
            numbers_of(clock.hour()) + numbers_of(clock.minute()) / 60,
        ],
        1,
    )
