"""How each column of the table was read."""

from collections.abc import Mapping

import narwhals as nw
import numpy as np

from offby.results import Column
from offby.tabular.encoders.frames import is_frame, is_moment, is_number
from offby.tabular.encoders.text import is_text


def columns_of(X, left_out: Mapping[str, str]) -> tuple[Column, ...]:
    """The columns that the models see, then those that they do not.

    Args:
        X: Rows x features: a NumPy array of numbers, or a pandas or polars frame.
        left_out: Why each column that is not in `X` was left out.
    """
    seen = [_of_series(each) for each in _series(X)]
    unseen = [Column(name, "", 0, 0, why) for name, why in left_out.items()]
    return (*seen, *unseen)


def _series(X) -> list[nw.Series]:
    if is_frame(X):
        return list(nw.from_native(X, eager_only=True).iter_columns())
    numbers = np.asarray(X)
    return [
        nw.new_series(f"column {place}", numbers[:, place], backend="polars")
        for place in range(numbers.shape[1])
    ]


def _of_series(column: nw.Series) -> Column:
    gaps = column.is_null()
    if column.dtype.is_float():
        gaps = gaps | column.is_nan()
    known = column.filter(~gaps)
    return Column(column.name, _kind(column), known.n_unique(), int(gaps.sum()))


def _kind(column: nw.Series) -> str:
    if is_number(column.dtype):
        return "numbers"
    if is_moment(column.dtype):
        return "dates"
    return "text" if is_text(column) else "words"
