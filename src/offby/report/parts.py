"""The parts of a section, ready to be shown: templates/blocks.html shows each kind."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from markupsafe import Markup


@dataclass(frozen=True)
class Table:
    """A table of plain text; the first column names the rows."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: tuple[str, ...] = ()
    """Heads of the columns that hold text, and so start at the left."""
    kind: ClassVar = "table"


@dataclass(frozen=True)
class Figure:
    """A chart, the finding it shows, and the numbers behind it."""

    title: str
    svg: Markup
    table: Table
    note: str = ""
    link: str = ""
    """Address of the explainer that opens on this figure's row, if there is one."""
    kind: ClassVar = "figure"


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str
    kind: ClassVar = "heading"


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of text, or of markup; less important ones are gray."""

    text: str
    soft: bool = False
    on_screen_only: bool = False
    """Whether it is of no use on paper."""
    kind: ClassVar = "paragraph"


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    sentences: Sequence[str]
    kind: ClassVar = "items"


@dataclass(frozen=True)
class Code:
    """Lines of Python."""

    text: str
    kind: ClassVar = "code"


Block = Table | Figure | Heading | Paragraph | Items | Code


@dataclass(frozen=True)
class Cell:
    """One score in the leaderboard."""

    text: str
    mark: str
    """What marks the best model, and those that are practically equal to it."""
    note: str


@dataclass(frozen=True)
class Line:
    """One method in the leaderboard."""

    name: str
    title: str
    swatch: Markup
    cells: tuple[Cell, ...]
    is_reference: bool = False


@dataclass(frozen=True)
class Board:
    """The leaderboard: its columns, and all methods with the best one first."""

    heads: Sequence[dict[str, str]] = field(default_factory=list)
    lines: Sequence[Line] = field(default_factory=list)
    card: Sequence[str] = ()
    """The answer at a glance, in sentences."""
    uses: Sequence[tuple[str, str, str]] = ()
    """For each use: what it is, the answer in a line, and all of it in sentences."""
    how: str = ""
    """The command or the line of Python that trains the best model on all rows."""
