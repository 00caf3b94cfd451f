"""A table that need not fit in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from offby.tables._options import ReadOptions

if TYPE_CHECKING:
    import polars

FIRST = 1000
"""Rows that tell what the others are like."""

Take = Callable[[Sequence[str], np.ndarray | None], "polars.DataFrame"]


@dataclass(frozen=True, eq=False)
class Table:
    """A table that need not fit in memory."""

    source: str
    columns: tuple[str, ...]
    n_rows: int
    first: "polars.DataFrame"
    """The first rows: what the others are like."""
    take: Take
    """Some of the columns; of all rows, or of those with these numbers."""
    options: ReadOptions
    """How numbers, dates and gaps are written in its cells of text."""
    notes: tuple[str, ...] = ()
    """How the file was understood, a sentence each."""


def in_memory(
    frame: "polars.DataFrame",
    source: str = "DATA",
    options: ReadOptions | None = None,
    notes: Sequence[str] = (),
) -> Table:
    """A frame as a table."""

    def take(columns: Sequence[str], rows: np.ndarray | None) -> "polars.DataFrame":
        part = frame.select(columns)
        return part if rows is None else part[rows]

    names = tuple(frame.columns)
    options = options or ReadOptions()
    first = frame.head(FIRST)
    return Table(source, names, frame.height, first, take, options, tuple(notes))
