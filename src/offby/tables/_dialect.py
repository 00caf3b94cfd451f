"""How a text file is written: its encoding, separators and first lines.

DuckDB's sniffer finds the separator and the first line of data, charset-normalizer the
encoding.
"""

import csv
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace

from offby.tables._options import ReadOptions

_SAMPLE = 1 << 18
"""Bytes of a file that tell how the rest is written."""
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "blank"}
_COMMA = re.compile(r"[-+]?(\d+|\d{1,3}([ .'’]\d{3})+),(\d{1,2}|\d{4,})\D{0,4}$")
_POINT = re.compile(r"[-+]?(\d+|\d{1,3}([ ,'’]\d{3})+)\.\d+\D{0,4}$")
_THREE = re.compile(r"\D{0,4}\d{1,3},\d{3}\D{0,4}$")


@dataclass(frozen=True)
class Dialect:
    """How a text file is written."""

    separator: str = ","
    quote: str = '"'
    decimal: str = "."
    encoding: str = "utf-8"
    skip: int = 0
    """Lines before the header: blank ones, comments, a title, or `sep=;`."""

    def sentence(self) -> str:
        """What was understood, for the user; empty for the usual csv file."""
        usual = Dialect()
        parts = []
        if self.separator != usual.separator:
            name = _NAMES.get(self.separator, repr(self.separator))
            parts.append(f"{name} between cells")
        if self.decimal != usual.decimal:
            parts.append("decimal comma")
        if self.encoding.replace("_", "-") not in ("utf-8", "ascii"):
            parts.append(f"encoding {self.encoding}")
        if self.skip:
            lines = "line" if self.skip == 1 else "lines"
            parts.append(f"{self.skip} {lines} before the header skipped")
        return f"Read as: {', '.join(parts)}." if parts else ""


def text_of(raw: bytes, encoding: str | None) -> tuple[str, str]:
    """The text in the bytes, and the name of its encoding.

    Raises:
        ValueError: If the bytes are no text in that encoding, or in any.
    """
    if encoding is not None:
        try:
            return raw.decode(encoding).removeprefix("\ufeff"), encoding
        except UnicodeError as error:
            raise ValueError(
                f"--encoding must be the one of the file, got {encoding!r}, which does "
                f"not fit it ({error}); leave it out to have it found"
            ) from error
    try:
        # A file in UTF-16 without a mark is valid UTF-8 full of zeros.
        if b"\0" not in raw[:4096]:
            return raw.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        pass
    found = _encoding_of(raw)
    return raw.decode(found).removeprefix("\ufeff"), found


def _encoding_of(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if b"\0" in raw[:4096]:
        even, odd = raw[:4096:2].count(0), raw[1:4096:2].count(0)
        return "utf-16-be" if even > odd else "utf-16-le"
    from charset_normalizer import from_bytes

    # Its guess is best on the lines that are not plain ASCII.
    special = [line for line in raw.splitlines() if not line.isascii()][:500]
    best = from_bytes(b"\n".join(special)).best()
    name = best.encoding.replace("_", "-") if best else "cp1252"
    # Western European texts are alike in these; Windows-1252 is the most common one and
    # differs from the others in signs such as the euro only.
    western = ("latin-1", "iso8859-1", "iso8859-15", "cp1250", "cp1254", "cp850")
    name = "windows-1252" if name in (*western, "cp1252") else name
    try:
        raw.decode(name)
    except UnicodeDecodeError:
        return "latin-1"
    return name


def dialect_of(text: str, suffix: str, encoding: str, options: ReadOptions) -> Dialect:
    """How the text of a table is written.

    Raises:
        ValueError: If it has no rows that can be told apart from the rest.
    """
    sample = text[:_SAMPLE]
    if len(text) > _SAMPLE:
        sample = sample[: sample.rfind("\n") + 1]
    lines = sample.splitlines()
    skip = 0
    separator = options.separator or ("\t" if suffix == "tsv" else None)
    while skip < len(lines) and _is_no_header(lines[skip]):
        mark = re.match(r'"?sep=(.)"?\s*$', lines[skip], re.IGNORECASE)
        separator = separator or (mark[1] if mark else None)
        skip += 1
    rest = "\n".join(lines[skip:]) + "\n"
    separator, title = _sniffed(rest, separator)
    found = Dialect(separator, encoding=encoding, skip=skip + title)
    cells = _cells(rest, found.separator)
    return replace(found, decimal=options.decimal or _decimal(cells, separator))


def _is_no_header(line: str) -> bool:
    blank = not line.strip().strip(",;\t|")
    return blank or line.startswith(("#", "%")) or line.lower().strip('"')[:4] == "sep="


def _sniffed(text: str, separator: str | None) -> tuple[str, int]:
    """The separator, and how many lines of a title stand before the header."""
    import duckdb

    given = ["delim = $delim"] if separator else []
    values = {"delim": separator} if separator else {}
    file, name = tempfile.mkstemp(suffix=".csv")
    try:
        with os.fdopen(file, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
        with duckdb.connect(config={"threads": 1}) as connection:
            for rules in ([], ["null_padding = true"], ["ignore_errors = true"]):
                arguments = ", ".join(["$file", *given, *rules])
                query = f"SELECT Delimiter, SkipRows FROM sniff_csv({arguments})"
                try:
                    row = connection.execute(query, {"file": name, **values}).fetchone()
                except duckdb.Error:
                    continue
                # A mark that the header lacks comes from a few odd rows further down.
                if row and row[0] in text.splitlines()[row[1]]:
                    mark, skip = row
                    break
            else:
                return separator or _most_common(text), 0
    finally:
        os.unlink(name)
    if separator is None and mark not in _NAMES:
        return _most_common(text), 0
    return separator or mark, _title_lines(text, skip, separator or mark)


def _title_lines(text: str, skip: int, separator: str) -> int:
    """Lines to skip, if those before the table hold no cells of it."""
    first = text.splitlines()[:skip]
    return 0 if any(separator in line for line in first[:1]) and skip == 1 else skip


def _most_common(text: str) -> str:
    first = text.splitlines()[:1]
    return max(",;\t|", key=lambda mark: first[0].count(mark) if first else 0)


def _cells(text: str, separator: str) -> Iterable[str]:
    rows = csv.reader(text.splitlines()[1:2000], delimiter=separator)
    return [cell.strip() for row in rows for cell in row]


def _decimal(cells: Iterable[str], separator: str) -> str:
    """What stands before the decimals; 1,234 alone is a thousand and some."""
    cells = list(cells)
    commas = sum(bool(_COMMA.search(cell)) for cell in cells)
    points = sum(bool(_POINT.match(cell)) for cell in cells)
    threes = sum(bool(_THREE.match(cell)) for cell in cells)
    if separator == ";" and not points:
        # Where commas stood free for decimals, another mark separates the cells.
        commas += threes
    return "," if commas > points else "."


def header_of(text: str, dialect: Dialect) -> list[str]:
    """The names of the columns."""
    lines = text.splitlines()[dialect.skip :]
    rows = csv.reader(lines, delimiter=dialect.separator, skipinitialspace=True)
    return [name.strip() for name in next(rows, [])]


def check_lengths(text: str, dialect: Dialect, n_columns: int) -> None:
    """Refuse rows with more or fewer cells than the header.

    Raises:
        ValueError: With the number of the first such line.
    """
    lines = text.splitlines(keepends=True)[dialect.skip :]
    rows = csv.reader(lines, delimiter=dialect.separator, skipinitialspace=True)
    wrong = []
    last = 0
    for row in rows:
        if row and len(row) != n_columns:
            wrong.append((rows.line_num + dialect.skip, row))
        last = rows.line_num + dialect.skip if row else last
    if not wrong:
        return
    number, row = wrong[0]
    start = dialect.separator.join(row)[:60]
    what = "cell" if len(row) == 1 else "cells"
    advice = "correct the line, or give --separator"
    below = wrong[-1][0] == last and len(wrong) <= 3
    if below and all(len(cells) < n_columns for _, cells in wrong):
        advice = "it looks like a remark below the table; remove it from the file"
    raise ValueError(
        f"every row must have {n_columns} cells as the header has, got {len(row)} "
        f"{what} in line {number} ({start!r}); {advice}"
    )
