"""New rows for a trained model: the columns of training, of the types of training."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from offby.tables._cells import converted
from offby.tables._columns import check_column
from offby.tables._phrases import column_list, row_count, some
from offby.tables._table import Table

if TYPE_CHECKING:
    import polars

ColumnKind = Literal["number", "text", "date"]

_MANY_WORDS = 200
"""A column with more different texts is free text: new ones are nothing to report."""
_FAR_OUT = 0.1
"""Share of rows outside of the range of training from which it is said."""


@dataclass(frozen=True)
class Column:
    """A column that a model was trained on: what new rows must hold there.

    Attributes:
        name: Its name.
        kind: Whether it held numbers, text, or dates.
        unit: Of dates, what the type of the column counts in, as "date" or "us".
        words: Its different texts, if they are few enough to be categories.
        low: Its smallest number; None for text and dates.
        high: Its largest number; None for text and dates.
        decimal: Its decimal mark, if it was written with another than the table.

    >>> Column("size", "number", low=1.0, high=9.0).kind
    'number'
    """

    name: str
    kind: ColumnKind
    unit: str = ""
    words: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None
    decimal: str = ""


@dataclass(frozen=True, eq=False)
class NewRows:
    """Rows to forecast, and what was said of them."""

    X: "polars.DataFrame"
    rest: "polars.DataFrame"
    """Columns that were asked for beside, as they stand in the file."""
    notes: tuple[str, ...]
    """What a reader should know, a sentence each."""
    y: "polars.Series | None" = None
    """The target, if it was asked for."""


def columns_of(
    read: "polars.DataFrame", X: "polars.DataFrame", decimals: Mapping[str, str]
) -> tuple[Column, ...]:
    """What the columns of `X` held when they were read, and their decimal marks."""
    return tuple(
        replace(_column(X[name], read[name].dtype), decimal=decimals.get(name, ""))
        for name in X.columns
    )


def with_dates(X: "polars.DataFrame", columns: Sequence[Column]) -> "polars.DataFrame":
    """The columns of dates as dates again, after they were numbers."""
    import polars

    return X.with_columns(
        X[column.name].cast(polars.Int64).cast(_dtype(column.unit))
        for column in columns
        if column.kind == "date"
    )


def new_rows(
    table: Table,
    columns: Sequence[Column],
    *,
    unused: Sequence[str] = (),
    target: str | None = None,
    beside: Sequence[str] = (),
) -> NewRows:
    """The columns that a model was trained on, out of a table with new rows.

    Args:
        table: What `scan` returned.
        columns: The columns of training.
        unused: Columns of the training table that the model does not see: no news.
        target: The column with the truth, if it is wanted.
        beside: Columns to read as they stand there, such as names of the rows.

    Raises:
        ValueError: If a column is missing, or holds another type than in training.
    """
    names = [column.name for column in columns]
    _check_all_there(table.columns, names)
    asked = [*beside, *([] if target is None else [target])]
    for name in asked:
        check_column(table.columns, name)
    notes = list(table.notes)
    extra = [n for n in table.columns if n not in {*names, *unused, *asked}]
    if extra:
        verb, them = ("was", "it") if len(extra) == 1 else ("were", "them")
        says = column_list(extra)
        notes.append(
            f"{says[0].upper()}{says[1:]} {verb} not in the training table, and the "
            f"model does not use {them}."
        )
    texts = [column.name for column in columns if column.kind == "text"]
    read = table.take(list(dict.fromkeys([*names, *asked])), None)
    frame, understood = converted(
        read.select(names),
        table.options,
        texts,
        trained=True,
        # A few new prices alone, as 1.234 €, do not tell their mark.
        decimals={each.name: each.decimal for each in columns if each.decimal},
    )
    notes += understood
    y = None
    if target is not None:
        truth, understood = converted(read.select(target), table.options, trained=True)
        y, notes = truth[target], [*notes, *understood]
    X = [_as_trained(frame[column.name], column, notes) for column in columns]
    import polars

    return NewRows(polars.DataFrame(X), read.select(beside), tuple(notes), y)


def _check_all_there(found: Sequence[str], names: Sequence[str]) -> None:
    missing = [name for name in names if name not in found]
    if not missing:
        return
    lower = {name.lower(): name for name in found if name not in names}
    guesses = []
    for name in missing:
        near = difflib.get_close_matches(name.lower(), lower, 1)
        if near:
            guesses.append(f"{lower[near[0]]!r} seems to be {name!r}")
    hint = f" ({', '.join(guesses[:3])}: rename it)" if guesses else ""
    raise ValueError(
        f"the table must have all {len(names)} columns that the model was trained on, "
        f"got none for {some([repr(name) for name in missing])}{hint}; add what is "
        "missing, empty where it is not known"
    )


def _column(values: "polars.Series", read: "polars.DataType") -> Column:
    import polars

    if values.dtype in (polars.String, polars.Categorical):
        words = (
            values.cast(polars.String)
            .drop_nulls()
            .unique(maintain_order=True)
            .to_list()
        )
        few = tuple(words) if len(words) <= _MANY_WORDS else None
        return Column(values.name, "text", words=few)
    if read.is_temporal() and read != polars.Time:
        return Column(values.name, "date", unit=_unit(read))
    low, high = (_number(end) for end in (values.min(), values.max()))
    return Column(values.name, "number", low=low, high=high)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _unit(dtype: Any) -> str:
    import polars

    if dtype == polars.Date:
        return "date"
    name = "duration " if dtype == polars.Duration else ""
    return f"{name}{dtype.time_unit}"


def _dtype(unit: str) -> Any:
    import polars

    if unit == "date":
        return polars.Date
    kind, _, each = unit.rpartition(" ")
    time_unit: Any = each
    return polars.Duration(time_unit) if kind else polars.Datetime(time_unit)


def _as_trained(values, column: Column, notes: list[str]) -> "polars.Series":
    """The column in the type of training."""
    import polars

    if values.null_count() == len(values):
        notes.append(f"Column {column.name} has no values in these rows.")
        target = polars.Float64 if column.kind == "number" else polars.String
        dtype = _dtype(column.unit) if column.kind == "date" else target
        return polars.Series(column.name, [None] * len(values), dtype=dtype)
    match column.kind:
        case "text":
            return _texts(values, column, notes)
        case "date":
            return _dates(values, column)
        case _:
            return _numbers(values, column, notes)


def _texts(values, column: Column, notes: list[str]) -> "polars.Series":
    import polars

    if values.dtype.is_float() and (values == values.round()).all():
        values = values.cast(polars.Int64)  # "5", as in a file of text, not "5.0"
    try:
        texts = values.cast(polars.String)
    except polars.exceptions.PolarsError as error:
        raise _of_another_type(values, column) from error
    if column.words is not None:
        new = texts.filter(texts.is_not_null() & ~texts.is_in(list(column.words)))
        if len(new):
            words = [repr(word) for word in new.unique(maintain_order=True).to_list()]
            what = "value" if len(words) == 1 else "different values"
            notes.append(
                f"Column {column.name} holds {len(words)} {what} in "
                f"{row_count(len(new))} that did not occur in training "
                f"({some(words)}); the model takes them as unknown."
            )
    return texts


def _dates(values, column: Column) -> "polars.Series":
    import polars

    dtype = _dtype(column.unit)
    is_duration = values.dtype == polars.Duration
    if not values.dtype.is_temporal() or is_duration != (dtype == polars.Duration):
        raise _of_another_type(values, column)
    if isinstance(values.dtype, polars.Datetime) and values.dtype.time_zone:
        values = values.dt.replace_time_zone(None)
    return values.cast(dtype)


def _numbers(values, column: Column, notes: list[str]) -> "polars.Series":
    import polars

    if values.dtype == polars.Time:
        values = values.to_physical()
    if not (values.dtype.is_numeric() or values.dtype == polars.Boolean):
        raise _of_another_type(values, column)
    numbers = values.cast(polars.Float64)
    infinite = int(numbers.is_infinite().sum())
    if infinite:
        notes.append(
            f"{row_count(infinite)} with an infinite value in column {column.name}: "
            "read as missing."
        )
    numbers = numbers.set(~numbers.is_finite().fill_null(False), None)
    if column.low is not None and column.high is not None:
        outside = ((numbers < column.low) | (numbers > column.high)).sum() or 0
        if outside > _FAR_OUT * len(numbers):
            notes.append(
                f"Column {column.name} lies outside of the numbers seen in training "
                f"({column.low:g} to {column.high:g}) in {row_count(outside)}; "
                "forecasts are less reliable there."
            )
    return numbers


_HELD = {"number": "numbers", "text": "text", "date": "dates"}


def _of_another_type(values, column: Column) -> ValueError:
    import polars

    example = next(value for value in values if value is not None)
    if values.dtype == polars.String:
        now = "text"
    elif values.dtype.is_temporal():
        now = "dates or times"
    elif values.dtype.is_numeric() or values.dtype == polars.Boolean:
        now = "numbers"
    else:
        now = str(values.dtype)
    hint = (
        "; give --missing TEXT where a text means that the value is missing, or "
        "correct the file"
        if now == "text"
        else "; correct the file"
    )
    return ValueError(
        f"column {column.name!r} must hold {_HELD[column.kind]}, as in training, got "
        f"{now} such as {str(example)!r}{hint}"
    )
