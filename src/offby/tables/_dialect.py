"""How a text file is written: its encoding, separators and first lines.

clevercsv finds the separator, charset-normalizer the encoding.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from offby.tables._options import ReadOptions

_SAMPLE = 1 << 18
"""Letters of a file that tell how the rest is written."""
_LINES = 200
"""Lines that do so: clevercsv takes time for each of them."""
_WESTERN = set(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüÿŒœŠšŽž"
    "€£¥§°²µ·¼½¾«»„–—…±×÷©®™¡¿º\u00a0\u2018\u2019\u201c\u201d"
)
"""Letters and signs that are usual in Western European texts."""
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "blank"}
_COMMA = re.compile(
    r"[-+]?(\d+|\d{1,3}([ .'’]\d{3})+),(\d{1,2}|\d{4,}|\d+[eE][-+]?\d+)\D{0,4}$"
)
_POINT = re.compile(r"[-+]?(\d+|\d{1,3}([ ,'’]\d{3})+)\.\d+([eE][-+]?\d+)?\D{0,4}$")
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
    try:
        # Western Europe writes in Windows-1252 and its part Latin-1. No statistics of a
        # few letters can tell more than that they are letters and signs of there.
        western = raw.decode("windows-1252")
    except UnicodeDecodeError:
        western = ""
    signs = {letter for letter in western if not letter.isascii()}
    if signs and signs <= _WESTERN:
        return "windows-1252"
    from charset_normalizer import from_bytes

    # Its guess is best on the lines that are not plain ASCII.
    special = [line for line in raw.splitlines() if not line.isascii()][:500]
    best = from_bytes(b"\n".join(special)).best()
    name = best.encoding.replace("_", "-") if best else "windows-1252"
    try:
        raw.decode(name)
    except (UnicodeDecodeError, LookupError):
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
    while skip < len(lines) - 1 and _is_no_header(lines[skip]):
        mark = re.match(r'"?sep=(.)"?\s*$', lines[skip], re.IGNORECASE)
        separator = separator or (mark[1] if mark else None)
        skip += 1
    lines = lines[skip : skip + _LINES]
    separator = separator or _separator_of(lines)
    quote = _quote_of(lines, separator)
    title = _title_lines(lines, separator, quote)
    found = Dialect(separator, quote, encoding=encoding, skip=skip + title)
    cells = _cells(lines[title:], separator, quote)
    return replace(found, decimal=options.decimal or _decimal(cells, separator))


def _is_no_header(line: str) -> bool:
    blank = not line.strip().strip(",;\t|")
    return blank or line.startswith(("#", "%")) or line.lower().strip('"')[:4] == "sep="


def _separator_of(lines: Sequence[str]) -> str:
    """What stands between the cells; a comma if every line is one cell."""
    plain = _only_even_split(lines)
    if plain:
        return plain
    import clevercsv

    sample = "\n".join(line for line in lines if line.strip())
    try:
        found = clevercsv.Detector().detect(sample, delimiters=list(_NAMES))
    except clevercsv.Error:
        found = None
    return (found and found.delimiter) or ","


def _quote_of(lines: Sequence[str], separator: str) -> str:
    """A single quote where the names of all columns, two or more, stand between two."""
    name = r"\s*'[^']+'\s*"
    header = f"{name}(?:{re.escape(separator)}{name})+"
    return "'" if lines and re.fullmatch(header, lines[0]) else '"'


def _only_even_split(lines: Sequence[str]) -> str:
    """The one mark that cuts all lines into as many cells, two or more; "" if not one.

    Where a second mark does so, too, or lines differ, a library that weighs what the
    cells look like decides; it takes seconds for a wide table.
    """
    lines = [line for line in lines if line.strip()]
    even = []
    for mark in _NAMES:
        lengths = {len(row) for row in csv.reader(lines, delimiter=mark)}
        if len(lengths) == 1 and lengths != {1}:
            even.append(mark)
        elif lengths != {1}:
            return ""
    return even[0] if len(even) == 1 and len(lines) > 1 else ""


def _title_lines(lines: Sequence[str], separator: str, quote: str) -> int:
    """Lines of a title above the header: one cell each, where the table has several."""
    rows = csv.reader(lines, delimiter=separator, quotechar=quote)
    lengths = [len(row) for row in rows]
    usual = max(set(lengths), key=lengths.count) if lengths else 1
    if usual == 1:
        return 0
    table = next(k for k, length in enumerate(lengths) if length == usual)
    above = lengths[:table]
    # A header with one name less stands right above the rows: it is no title.
    return table if all(length <= 1 for length in above) else 0


def _cells(lines: Sequence[str], separator: str, quote: str) -> list[str]:
    """The cells below the header."""
    rows = csv.reader(lines[1:], delimiter=separator, quotechar=quote)
    return [cell.strip() for row in rows for cell in row]


def _decimal(cells: Sequence[str], separator: str) -> str:
    """What stands before the decimals; 1,234 alone is a thousand and some."""
    commas = sum(bool(_COMMA.search(cell)) for cell in cells)
    points = sum(bool(_POINT.match(cell)) for cell in cells)
    threes = sum(bool(_THREE.match(cell)) for cell in cells)
    if separator == ";" and not points:
        # Where commas stood free for decimals, another mark separates the cells.
        commas += threes
    return "," if commas > points else "."


def _rows(lines: Sequence[str], dialect: Dialect):
    return csv.reader(
        lines,
        delimiter=dialect.separator,
        quotechar=dialect.quote,
        skipinitialspace=True,
    )


def header_of(text: str, dialect: Dialect) -> list[str]:
    """The names of the columns."""
    lines = text.splitlines()[dialect.skip :]
    rows = _rows(lines, dialect)
    return [name.strip() for name in next(rows, [])]


def check_lengths(text: str, dialect: Dialect, n_columns: int) -> None:
    """Refuse rows with more or fewer cells than the header.

    Raises:
        ValueError: With the number of the first such line.
    """
    lines = text.splitlines(keepends=True)[dialect.skip :]
    rows = _rows(lines, dialect)
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
