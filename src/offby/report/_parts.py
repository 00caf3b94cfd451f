"""What the page is made of: figures and tables, ready to be shown."""

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Table:
    """A table of plain text; the first column names the rows."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ()
    """Heads of the columns that hold words, and so start at the left."""


@dataclass(frozen=True)
class Figure:
    """A chart, the finding it shows, and the numbers behind it."""

    title: str
    svg: Markup
    table: Table
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """One score in the leaderboard."""

    text: str
    best: bool
    note: str


@dataclass(frozen=True)
class Line:
    """One method in the leaderboard."""

    name: str
    title: str
    swatch: Markup
    cells: tuple[Cell, ...]
