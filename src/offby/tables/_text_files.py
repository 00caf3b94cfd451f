"""Tables in text: csv and its kin, in every dialect and encoding."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from offby.tables._dialect import (
    Dialect,
    check_lengths,
    dialect_of,
    header_of,
    text_of,
)
from offby.tables._memory import check_unpacked
from offby.tables._options import ReadOptions
from offby.tables._table import Table, in_memory

if TYPE_CHECKING:
    import polars

_WHOLE = 1 << 28
"""Bytes of a file up to which it is read at once, and every row is checked."""

Scanned = Callable[["polars.LazyFrame", str, str, ReadOptions], Table]


def parsed(raw: bytes, suffix: str, source: str, options: ReadOptions) -> Table:
    """A table in bytes of text.

    Raises:
        ValueError: If rows have more or fewer cells than the header.
    """
    import polars

    text, encoding = text_of(raw, options.encoding)
    if not text.strip():
        return in_memory(polars.DataFrame(), source, options)
    dialect = dialect_of(text, suffix, encoding, options)
    header = header_of(text, dialect)
    check_lengths(text, dialect, len(header))
    names, notes = _names(header)
    lines = text.splitlines(keepends=True)[dialect.skip :]
    frame = polars.read_csv(
        BytesIO("".join(lines).encode()),
        new_columns=names,
        **_rules(dialect),
    )
    frame = frame.with_columns(polars.all().str.strip_chars())
    frame = frame.filter(~polars.all_horizontal(polars.all().is_null()))
    said = [dialect.sentence()] if dialect.sentence() else []
    options = replace(options, decimal=dialect.decimal)
    return in_memory(frame, source, options, [*said, *notes])


def scanned(
    file: Path, suffix: str, source: str, options: ReadOptions, scan: Scanned
) -> Table:
    """A table in a file of text; a very large one is not read at once.

    Raises:
        ValueError: If rows have more or fewer cells than the header.
    """
    if file.stat().st_size <= _WHOLE:
        return parsed(file.read_bytes(), suffix, source, options)
    import polars

    with file.open("rb") as opened:
        head = opened.read(1 << 20)
    text, encoding = text_of(head[: head.rfind(b"\n") + 1], options.encoding)
    dialect = dialect_of(text, suffix, encoding, options)
    if encoding != "utf-8" or dialect.skip:
        check_unpacked(file)
        return parsed(file.read_bytes(), suffix, source, options)
    names, notes = _names(header_of(text, dialect))
    lazy = polars.scan_csv(file, new_columns=names, **_rules(dialect))
    found = scan(lazy, suffix, source, replace(options, decimal=dialect.decimal))
    said = [dialect.sentence()] if dialect.sentence() else []
    return replace(found, notes=(*said, *notes))


def _rules(dialect: Dialect) -> dict:
    return {
        "separator": dialect.separator,
        "quote_char": dialect.quote,
        "infer_schema": False,
        "null_values": [""],
    }


def _names(header: Sequence[str]) -> tuple[list[str], list[str]]:
    """A name of its own for each column."""
    counts = Counter(header)
    seen: Counter[str] = Counter()
    names = []
    for name in header:
        seen[name] += 1
        again = f" ({seen[name]})" if seen[name] > 1 else ""
        names.append(f"{name or 'unnamed'}{again}")
    twice = [name for name, count in counts.items() if count > 1 and name]
    notes = [
        f"{counts[name]} columns are called {name}; the later ones are read as "
        f"{name} (2) and so on."
        for name in twice
    ]
    return names, notes
