"""Dates and times of a table as numbers: how late, and where in year, week and day."""

import narwhals as nw
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from offby.tabular.encoders.numbers import PiecewiseLinear, filled


class Dates(TransformerMixin, BaseEstimator):
    """Columns of dates, times of dates, or durations, by `PiecewiseLinear`.

    Of a date: days since 1970 (UTC), day of the year, day of the week, hour of the day.
    Of a duration: its days.
    """

    def fit(self, X, y=None) -> "Dates":
        """Find the knots of each part of each column."""
        columns = list(nw.from_native(X, eager_only=True).iter_columns())
        self.lengths_ = [column.dtype == nw.Duration for column in columns]
        parts = [_parts(column) for column in columns]
        self.linear_ = PiecewiseLinear().fit(np.concatenate(parts, 1))
        of_part = np.repeat(np.arange(len(parts)), [part.shape[1] for part in parts])
        self.column_of_ = of_part[self.linear_.column_of_]
        return self

    def transform(self, X) -> np.ndarray:
        """Rows x encoded parts, float32."""
        check_is_fitted(self)
        columns = list(nw.from_native(X, eager_only=True).iter_columns())
        for column, is_length in zip(columns, self.lengths_, strict=True):
            if (
                not is_moment(column.dtype)
                or (column.dtype == nw.Duration) != is_length
            ):
                wanted = "durations" if is_length else "dates"
                raise ValueError(
                    f"column {column.name!r} must hold {wanted}, as in training, got "
                    f"{column.dtype}"
                )
        return self.linear_.transform(np.concatenate([_parts(c) for c in columns], 1))


def is_moment(dtype) -> bool:
    """Whether a column of this type is for `Dates`."""
    return dtype == nw.Date or dtype == nw.Datetime or dtype == nw.Duration


def _parts(column: nw.Series) -> np.ndarray:
    """The column as numbers: rows x parts; gaps are NaN."""
    if column.dtype == nw.Duration:
        return filled(column.dt.total_microseconds())[:, None] / 86_400e6
    if column.dtype == nw.Date:
        column = column.cast(nw.Datetime("us"))
    clock = column.dt
    return np.stack(
        [
            filled(clock.timestamp("us")) / 86_400e6,
            filled(clock.ordinal_day()),
            filled(clock.weekday()),
            filled(clock.hour()) + filled(clock.minute()) / 60,
        ],
        1,
    )
