"""Cells of text as numbers, dates, truth values and gaps.

A column changes only as a whole: where one cell is neither a number nor a gap, the
column stays text, unless such cells are so few that they look like mistakes. Then the
user is asked.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from offby.tables._dates import as_dates
from offby.tables._options import CERTAIN, MISSING, ReadOptions
from offby.tables._phrases import row_count, some

if TYPE_CHECKING:
    import polars

_STRAY = 0.05
"""Share of different texts, or of rows, below which words among numbers are stray."""
_CURRENCY = (
    r"(?:US|AU?|CA?|NZ|HK|SG?|R|MX)?\$|[€£¥₹₩₽₺₴₪₫฿]|USD|EUR|GBP|CHF|JPY|CNY|INR|KRW|RUB"
    r"|BRL|MXN|TRY|ZAR|HUF|NZD|SGD|HKD|SEK|NOK|DKK|PLN|CZK|AUD|CAD|Rs\.?|Fr\.|kr\.?|zł"
    r"|Kč|Ft"
)
_DIGITS = r"(?:\d|[.,]\d)[\d.,'’ ]*(?:[eE][-+]?\d+)?"
_CELL = (
    rf"^(?P<before>[-+]?)\s*(?:{_CURRENCY})?\s*(?P<number>[-+]?{_DIGITS})\s*"
    rf"(?:%|{_CURRENCY})?\s*(?P<after>-?)$"
)
"""A sign stands before the currency, after it, or after everything."""
_UNIT = r"[^\d\s.,'’+-][^\d\s]{0,7}(?: [^\d\s]{1,8})?"
_WITH_UNIT = rf"^(?P<number>[-+]?{_DIGITS})\s*(?P<unit>{_UNIT})$"


def converted(
    frame: "polars.DataFrame",
    options: ReadOptions,
    text: Sequence[str] = (),
    *,
    trained: bool = False,
    decimals: Mapping[str, str] | None = None,
) -> tuple["polars.DataFrame", list[str]]:
    """The frame with its columns of text as what they hold, and notes for the user.

    Args:
        frame: Any frame; only its columns of text change.
        options: How numbers, dates and gaps are written.
        text: Columns that stay text.
        trained: Whether a model was trained on these columns, so that none of them can
            be dropped or become text.
        decimals: Decimal marks of columns that were known to differ from the table's.

    Raises:
        ValueError: If a column of numbers holds a few words, or dates in which day and
            month cannot be told apart.
    """
    import polars

    notes: list[str] = []
    gaps: dict[str, list[str]] = {}
    columns = []
    for column in frame.get_columns():
        if column.dtype == polars.String:
            keep = column.name in text
            mark = (decimals or {}).get(column.name, options.decimal or ".")
            column = _as_held(column, options, mark, keep, gaps, notes, trained)
        columns.append(column)
    for marker, places in gaps.items():
        notes.append(f'"{marker}" was read as missing: {some(places)}')
    return polars.DataFrame(columns), notes


def other_decimals(
    frame: "polars.DataFrame", held: "polars.DataFrame", options: ReadOptions
) -> dict[str, str]:
    """The decimal marks of the columns that are written with another than the table.

    Args:
        frame: The columns as they were read from the file.
        held: The same columns, `converted`.
        options: How the table is written.
    """
    import polars

    mark = options.decimal or "."
    found = {}
    for column in frame.get_columns():
        known = column.name in held.columns and held[column.name].dtype.is_numeric()
        if column.dtype == polars.String and known:
            texts = column.filter(held[column.name].is_not_null()).unique()
            if _numbers_with(texts.str.strip_chars(), mark)[0].is_null().any():
                found[column.name] = "." if mark == "," else ","
    return found


def _as_held(
    column, options: ReadOptions, mark: str, keep: bool, gaps, notes, trained: bool
) -> "polars.Series":
    # \x1a ended files of MS-DOS.
    plain = column.str.strip_chars().str.strip_chars_end("\x1a").replace("", None)
    known, rows = _counted(plain)
    certain = {*CERTAIN, *options.missing}
    if keep or not len(known):
        return _without(plain, certain, column.name, gaps)
    markers = {*MISSING, *options.missing}
    is_gap = known.is_in(list(markers))
    values, rows = known.filter(~is_gap), rows.filter(~is_gap)
    if not len(values):
        return _without(plain, markers, column.name, gaps)
    numbers, sample = _numbers(values, mark)
    bad = numbers.is_null()
    if not bad.any():
        if sample:
            notes.append(f"column {column.name} holds numbers written as {sample}")
        return _mapped(_without(plain, markers, column.name, gaps), values, numbers)
    if _looks_stray(bad, rows):
        _refuse_stray(column.name, plain, values.filter(bad).to_list(), trained)
    lower = values.str.to_lowercase()
    if lower.is_in(["true", "false"]).all():
        held = lower == "true"
        return _mapped(_without(plain, markers, column.name, gaps), values, held)
    dates = as_dates(values, column.name, options.dates)
    if dates is not None:
        return _mapped(_without(plain, markers, column.name, gaps), values, dates)
    return _without(plain, certain, column.name, gaps)


def _counted(plain) -> tuple["polars.Series", "polars.Series"]:
    """The different texts in the order in which they come, and the rows of each."""
    frame = plain.drop_nulls().alias("text").to_frame()
    counted = frame.group_by("text", maintain_order=True).len("rows")
    return counted["text"], counted["rows"]


def _mapped(plain, values, held) -> "polars.Series":
    """Each text as what it holds."""
    return plain.replace_strict(values, held, default=None, return_dtype=held.dtype)


def _without(plain, markers: set[str], name: str, gaps) -> "polars.Series":
    """The texts, those that stand for a gap as one; which, and how many, is noted."""
    texts, rows = _counted(plain.filter(plain.is_in(list(markers))))
    for marker, count in zip(texts, rows, strict=True):
        cells = "cell" if count == 1 else "cells"
        gaps.setdefault(marker, []).append(f"{count} {cells} of column {name}")
    if len(texts):
        plain = plain.set(plain.is_in(list(markers)), None)
    return plain


def _numbers(values, decimal: str) -> tuple["polars.Series", str]:
    """The numbers in the texts, and an example where they are written with signs.

    A column may be written with the other decimal mark than the rest of the table, as
    prices in a table of measurements. It is, where only so all its cells are numbers.
    """
    found, example = _numbers_with(values, decimal)
    if found.is_null().any():
        other = _numbers_with(values, "." if decimal == "," else ",")
        if not other[0].is_null().any():
            return other
    return found, example


def _numbers_with(values, decimal: str) -> tuple["polars.Series", str]:
    import polars

    direct = values.cast(polars.Float64, strict=False)
    if decimal == ",":
        # 1.234 is more than a thousand there.
        direct = direct.set(values.str.contains(".", literal=True), None)
    if not direct.is_null().any():
        whole = values.cast(polars.Int64, strict=False)
        return (direct if whole.is_null().any() else whole), ""
    bare = _bare(values)
    groups = "[.'’ ]" if decimal == "," else "[,'’ ]"
    mark = "," if decimal == "," else "[.]"
    grouped = bare.str.contains(
        # Thousands; or lakhs and crores, of which only the last group has three digits.
        rf"^[-+]?(\d{{1,3}}({groups}\d{{3}})+|\d{{1,2}}({groups}\d\d)+{groups}\d{{3}})"
        rf"({mark}\d*)?$"
    )
    bare = (
        polars.DataFrame({"bare": bare, "grouped": grouped})
        .select(
            polars.when("grouped")
            .then(polars.col("bare").str.replace_all(groups, ""))
            .otherwise("bare")
        )
        .to_series()
    )
    if decimal == ",":
        # A point that groups nothing is no mark of a file with decimal commas.
        bare = bare.str.replace(",", ".", literal=True)
    numbers = bare.cast(polars.Float64, strict=False)
    numbers = numbers.fill_null(direct)
    changed = direct.is_null() & numbers.is_not_null()
    texts, held = values.filter(changed), numbers.filter(changed)
    if not len(texts):
        return numbers, ""
    shown = repr(" ".join(texts[0].split()))
    return numbers, f"{shown}, which was read as {held[0]:.15g}"


def _bare(values) -> "polars.Series":
    """The number in each text with its sign in front; null where there is no number.

    Brackets around a number, and a minus behind it, make it negative in accounts; a
    line in place of decimals stands for none.
    """
    plain = values.str.replace_all("[\u00a0\u202f\u2009]", " ")
    plain = plain.str.replace_all("−", "-").str.replace(r"^\((.+)\)$", "-${1}")
    plain = plain.str.replace(r"(\d)[.,][-–—]+", "${1}")
    parts = plain.str.extract_groups(_CELL).struct
    bare = parts.field("number")
    minus = (parts.field("before") == "-") | (parts.field("after") == "-")
    signed = bare.str.contains("^[-+]")
    # Two signs are no number.
    bare = bare.set((minus & signed).fill_null(False), None)
    bare = bare.zip_with(~minus.fill_null(False), "-" + bare)
    if bare.is_null().any():
        unit = plain.str.extract_groups(_WITH_UNIT).struct
        found = unit.field("unit")
        if not found.is_null().any() and found.n_unique() == 1:
            bare = unit.field("number")
    return bare.str.strip_chars()


def _looks_stray(bad, rows) -> bool:
    """Whether the texts that are no numbers are a few words among many numbers."""
    n_words, n_values = int(bad.sum()), len(bad)
    if n_words == n_values:
        return False
    word_rows = int(rows.filter(bad).sum())
    few_words = n_words < _STRAY * n_values
    few_rows = word_rows < _STRAY * int(rows.sum())
    few_rows = few_rows and n_words <= 3 <= n_values - n_words
    return few_words or few_rows


def _refuse_stray(name: str, plain, words: list[str], trained: bool) -> None:
    is_word = plain.is_in(words).fill_null(False)
    places = [number + 1 for number in is_word.arg_true().to_list()]
    shown = ", ".join(f"{number:,}" for number in places[:5])
    more = f" and {len(places) - 5:,} more" if len(places) > 5 else ""
    texts = some([f'"{word}"' for word in words])
    which = "row" if len(places) == 1 else "rows"
    others = (
        "" if trained else f", --text {name} if the column is text, or --drop {name}"
    )
    raise ValueError(
        f"column {name!r} holds numbers except for {texts} in {row_count(len(places))} "
        f"({which} {shown}{more}); correct the file, or give --missing {words[0]!r} "
        f"where it means that a value is missing{others}"
    )
