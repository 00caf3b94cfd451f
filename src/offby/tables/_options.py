"""How to read a file, where the file itself does not tell."""

from dataclasses import dataclass
from typing import Literal

DayOrder = Literal["day-first", "month-first"]

MISSING = (
    *("?", "-", "--", ".", "NA", "N/A", "n/a", "N.A.", "n.a.", "#N/A", "#NA", "<NA>"),
    *("#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?"),
    *("NaN", "nan", "NULL", "null", "None", "none", "missing", "unknown", "Unknown"),
)
"""Texts that stand for a missing value in a column of numbers or dates."""
CERTAIN = ("NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "NULL", "null")
"""Those that stand for a missing value in a column of text as well."""


@dataclass(frozen=True)
class ReadOptions:
    """What a user says of a file; everything that is None is found out.

    Attributes:
        missing: More texts that stand for a missing value, in every column.
        separator: What stands between the cells of a csv file.
        decimal: "." or ",": what stands before the decimals of a number.
        encoding: Name of the text encoding, such as "windows-1252".
        sheet: Name of the sheet of a spreadsheet; the first one by default.
        table: Name of the table of a database, if it has several.
        dates: Whether 03/04/2026 is the 3rd of April or the 4th of March.

    >>> ReadOptions(decimal=",").decimal
    ','
    """

    missing: tuple[str, ...] = ()
    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    table: str | None = None
    dates: DayOrder | None = None

    def __post_init__(self) -> None:
        if self.separator is not None and len(self.separator) != 1:
            raise ValueError(
                f"--separator must be one character, got {self.separator!r}; give ';', "
                "',', '|' or a tab ($'\\t')"
            )
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"--decimal must be . or , but got {self.decimal!r}")
        if self.dates not in (None, "day-first", "month-first"):
            raise ValueError(
                f"--dates must be day-first or month-first, got {self.dates!r}"
            )
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except LookupError as error:
                raise ValueError(
                    "--encoding must name a text encoding such as utf-8, windows-1252 "
                    f"or utf-16, got {self.encoding!r}"
                ) from error
