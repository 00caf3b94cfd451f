"""Categories of a table as numbers: a column for each."""

from collections.abc import Iterator
from typing import Any

import narwhals as nw
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from offby.tabular.encoders.frames import objects_of
from offby.tabular.warned import warn_caller

_RARE = 3
"""Categories of fewer rows than this (of less total weight) share a column."""


class CategoryEncoder(TransformerMixin, BaseEstimator):
    """Columns of strings or categories, one column per value.

    Values in fewer than 3 rows share one, as do values not seen in training; a gap is a
    value of its own. As scikit-learn's `OneHotEncoder`, but for frames of every kind,
    whose gaps cannot be sorted, and with weights.
    """

    def fit(self, X, y=None, sample_weight=None) -> "CategoryEncoder":
        """Find the values of each column."""
        self.categories_, self.has_rare_ = [], []
        for column in nw.from_native(X, eager_only=True).iter_columns():
            counts = _counts(objects_of(column), sample_weight)
            frequent = [value for value, n in counts.items() if n >= _RARE]
            self.categories_.append(_in_order(frequent))
            self.has_rare_.append(len(frequent) < len(counts))
        widths = [
            len(values) + rare
            for values, rare in zip(self.categories_, self.has_rare_, strict=True)
        ]
        self.column_of_ = np.repeat(np.arange(len(widths)), widths)
        return self

    def transform(self, X) -> np.ndarray:
        """Rows x values, float32; new values count as rare ones."""
        parts = []
        for codes, n, has_rare in self.codes(X):
            # Column n holds rare and new values. Without rare ones in training it is
            # left out: a new value is then none of those known.
            found = np.zeros((len(codes), n + 1), dtype=np.float32)
            found[np.arange(len(codes)), codes] = 1
            parts.append(found[:, : n + has_rare])
        return np.concatenate(parts, 1)

    def codes(self, X) -> Iterator[tuple[np.ndarray, int, bool]]:
        """Of each column: a code of each row, codes that are values, whether rarer."""
        check_is_fitted(self)
        columns = nw.from_native(X, eager_only=True).iter_columns()
        for column, values, has_rare in zip(
            columns, self.categories_, self.has_rare_, strict=True
        ):
            yield _codes(column, values, has_rare), len(values), has_rare


class CategoryCodes(CategoryEncoder):
    """Columns of strings or categories, a whole number for each value.

    As `CategoryEncoder`, for a learner that splits sets of categories itself. A new
    value is a gap, NaN, unless training had rare ones that it counts among.
    """

    def fit(self, X, y=None, sample_weight=None) -> "CategoryCodes":
        """Find the values of each column."""
        super().fit(X, sample_weight=sample_weight)
        self.column_of_ = np.arange(len(self.categories_))
        return self

    def transform(self, X) -> np.ndarray:
        """Rows x columns."""
        parts = [
            np.where((codes < n) | has_rare, codes.astype(float), np.nan)
            for codes, n, has_rare in self.codes(X)
        ]
        return np.stack(parts, 1)


def _counts(values: np.ndarray, sample_weight: np.ndarray | None) -> dict[Any, float]:
    weights = np.ones(len(values)) if sample_weight is None else sample_weight
    counts: dict[Any, float] = {}
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        counts[value] = counts.get(value, 0.0) + weight
    return counts


def _in_order(values: list) -> list:
    """Sorted, whatever the order of the rows; a gap comes last."""
    known = [value for value in values if value is not None]
    try:
        known = sorted(known)
    except TypeError:
        known = sorted(known, key=str)
    return known + [None] * (len(known) < len(values))


def _codes(column: nw.Series, categories: list, has_rare: bool) -> np.ndarray:
    """The place of each value among the categories; behind them rare and new ones."""
    place_of = {value: place for place, value in enumerate(categories)}
    n = len(categories)
    values = objects_of(column).tolist()
    places = np.array([place_of.get(value, n) for value in values], dtype=int)
    _warn_if_all_new(column.name, values, places == n, categories, has_rare)
    return places


def _warn_if_all_new(name, values, new: np.ndarray, categories, has_rare) -> None:
    if has_rare or len(new) < 2 or not new.all() or None in values:
        return
    kinds = {type(value) for value in values} & {type(value) for value in categories}
    if not kinds:
        warn_caller(
            f"column {name!r} holds none of the values that it held in training, but "
            f"values of another type, such as {values[0]!r}; the forecasts take them "
            "as unknown",
        )
