"""Numbers that a user gives to a forecast: one for each row, from arrays or frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike

from offby._checks import no_numbers, on_host

BACKENDS = ("pandas", "polars", "pyarrow")
"""Libraries of data frames that a forecast can be made into."""


@dataclass(frozen=True, eq=False)
class Given:
    """What a user gave, as an array, and the series that it came as."""

    values: np.ndarray
    series: Any = None
    """A series of narwhals, if a series or a frame of one column came."""

    def like(self, result: np.ndarray, name: str) -> Any:
        """A result for each row: a series, with the index, if a series was given."""
        if self.series is None or np.shape(result) != (len(self.series),):
            return result
        library: Any = self.series.implementation
        made = nw.new_series(name, np.asarray(result), backend=library).to_native()
        return _with_index(made, nw.maybe_get_index(self.series))


def given(
    name: str,
    values: ArrayLike,
    batch: tuple[int, ...],
    index: Any = None,
    *,
    levels: bool = False,
) -> Given:
    """Numbers that broadcast against a batch of forecasts.

    Args:
        name: What the numbers are, for messages.
        values: An array, a tensor, or a series or a frame of one column of any library.
        batch: Shape of the batch.
        index: Of the forecasts, if they know the index of the frame they come from.
        levels: Whether these are probabilities, which never are a column of a table.

    Raises:
        ValueError: If the numbers do not fit the batch, or are a column of an array
            where they would be taken for all pairs of rows and numbers, or if a series
            has another index than the forecasts.
    """
    series = _series_of(name, values)
    if series is None:
        found = on_host(values)
    else:
        found = series.to_numpy()
        _check_index(name, nw.maybe_get_index(series), index)
    is_column = len(batch) == 1 and found.shape == (*batch, 1) and batch[0] > 1
    if is_column and not levels:
        raise ValueError(
            f"{name} must hold one number for each of {batch[0]} forecasts, got the "
            f"shape {found.shape} of a single column, which would give every pair of a "
            f"forecast and a number; use {name}.reshape(-1), or forecast[:, None] if "
            "all pairs are meant (forecasts x numbers)"
        )
    try:
        np.broadcast_shapes(found.shape, batch)
    except ValueError as error:
        end = ", or forecast.quantiles(levels)" if levels else ""
        raise ValueError(
            f"{name} must hold a single number, one for each of {_count(batch)}, or "
            f"several for each in the axes in front, got shape {found.shape}; for "
            f"several for each use forecast[..., None]{end}"
        ) from error
    return Given(found, series)


def check_numbers(name: str, values: np.ndarray) -> None:
    """Refuse strings, which NumPy would read as numbers, and None for a number.

    None among other objects is a missing number, as in a column with gaps.
    """
    if values.dtype.kind in "biuf":
        return
    if values.dtype.kind == "O" and values.ndim:
        if not any(isinstance(each, str) for each in values.flat):
            return
    elif values.dtype.kind == "O" and isinstance(values.item(), Number):
        return
    raise TypeError(no_numbers(name, values.tolist()))


def index_of(rows: Any) -> Any:
    """The index of a frame that has one, else None."""
    if type(rows).__module__.partition(".")[0] in ("numpy", "builtins", "torch"):
        return None
    if not nw.dependencies.is_into_dataframe(rows):
        return None
    return nw.maybe_get_index(nw.from_native(rows, eager_only=True))


def frame(columns: dict[str, np.ndarray], backend: str, index: Any) -> Any:
    """A data frame of a library; of pandas with the index."""
    if backend not in BACKENDS:
        raise ValueError(
            f"backend must be one of {', '.join(map(repr, BACKENDS))}, got {backend!r}"
        )
    library: Any = backend
    made = nw.from_dict(columns, backend=library).to_native()
    return (
        _with_index(made, index) if nw.dependencies.is_pandas_dataframe(made) else made
    )


def _series_of(name: str, values: Any) -> nw.Series | None:
    """The series, if it is one or a frame of one column."""
    if isinstance(values, np.ndarray | np.generic | float | int | list | tuple):
        return None
    if nw.dependencies.is_into_series(values):
        return nw.from_native(values, series_only=True)
    if not nw.dependencies.is_into_dataframe(values):
        return None
    columns: Sequence[nw.Series] = list(
        nw.from_native(values, eager_only=True).iter_columns()
    )
    if len(columns) != 1:
        raise ValueError(
            f"{name} must be numbers or a single column, got a frame of "
            f"{len(columns)} columns; choose one of them"
        )
    return columns[0]


def _with_index(made: Any, index: Any) -> Any:
    return made if index is None else made.set_axis(index, axis=0)


def _check_index(name: str, index: Any, of_forecasts: Any) -> None:
    if index is None or of_forecasts is None or index.equals(of_forecasts):
        return
    raise ValueError(
        f"{name} must have the index of the forecasts, which come from a frame, got "
        f"another one; use {name}.loc[forecast.row_index] for the same order, or "
        f"{name}.to_numpy() if the rows match as they are"
    )


def _count(batch: tuple[int, ...]) -> str:
    return f"{batch[0]} forecasts" if len(batch) == 1 else f"a batch of shape {batch}"


def checked_row_index(row_index: Any, batch: tuple[int, ...]) -> Any:
    """The index of as many rows as there are forecasts.

    Raises:
        ValueError: If it has another length.
    """
    if row_index is None or (len(batch) == 1 and len(row_index) == batch[0]):
        return row_index
    raise ValueError(
        f"row_index must name each of {_count(batch)}, got {len(row_index)} names"
    )


def chosen_row_index(row_index: Any, place: np.ndarray) -> Any:
    """The index of the chosen rows; none of a single one or of several axes."""
    if row_index is None or np.ndim(place) != 1:
        return None
    return row_index[place]
