"""Tables in files, read as far as they are needed."""

import difflib
import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from offby.tables import _memory

if TYPE_CHECKING:
    import polars

FORMATS = ("csv", "tsv", "parquet", "arrow", "feather", "ndjson", "jsonl")

_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
_FIRST = 1000
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


def read(path: str | Path) -> "polars.DataFrame":
    """The table in a file, or a packaged data set by its name.

    Args:
        path: A csv, tsv, parquet, arrow, feather, ndjson or jsonl file, also with .gz
            behind; or a name such as `wine-red` where no file is called that.

    Raises:
        ValueError: If there is no such file, or it is not what its name says.
        RuntimeError: If polars is missing.
    """
    table = scan(path)
    return table.take(table.columns, None)


def scan(path: str | Path) -> Table:
    """What is to be known of a table without reading all of it; see `read`.

    Packed files and streams of Arrow are read whole, the others by the columns and rows
    that are taken.
    """
    polars = _polars()
    file = _file(path)
    suffixes = [suffix.lower().lstrip(".") for suffix in file.suffixes]
    zipped = suffixes[-1:] == ["gz"]
    suffix = "".join(suffixes[:-1][-1:] if zipped else suffixes[-1:])
    if suffix not in FORMATS:
        raise ValueError(
            f"the data must be a file of {', '.join(FORMATS)} (or .gz of it), got "
            f"{file.name!r}; save the table as CSV"
        )
    with _sentences(str(path), suffix):
        if zipped:
            _memory.check_unpacked(file)
            frame = _parsed(gzip.decompress(file.read_bytes()), suffix)
            found = in_memory(frame, str(path))
        elif suffix in ("csv", "tsv"):
            found = _scanned_csv(file, suffix, str(path))
        elif suffix == "parquet":
            found = _scanned(polars.scan_parquet(file), suffix, str(path))
        elif suffix in ("ndjson", "jsonl"):
            lazy = polars.scan_ndjson(file, infer_schema_length=None)
            found = _scanned(lazy, suffix, str(path))
        elif _begins(file, b"ARROW1"):
            found = _scanned(polars.scan_ipc(file), suffix, str(path))
        else:
            found = in_memory(polars.read_ipc_stream(file), str(path))
    if not found.n_rows:
        raise ValueError(
            f"the data must have rows, got {str(path)!r} with none; check the file"
        )
    return found


def in_memory(frame: "polars.DataFrame", source: str = "DATA") -> Table:
    """A frame as a table."""

    def take(columns: Sequence[str], rows: np.ndarray | None) -> "polars.DataFrame":
        part = frame.select(columns)
        return part if rows is None else part[rows]

    return Table(source, tuple(frame.columns), frame.height, frame.head(_FIRST), take)


def _scanned(lazy: "polars.LazyFrame", suffix: str, source: str) -> Table:
    """A file whose columns and groups of rows can be read one by one."""
    names = tuple(lazy.collect_schema().names())

    def take(columns: Sequence[str], rows: np.ndarray | None) -> "polars.DataFrame":
        with _sentences(source, suffix):
            if rows is None:
                return lazy.select(columns).collect()
            return _rows_of(lazy, columns, rows)

    first = lazy.head(_FIRST).collect()
    return Table(source, names, _count(lazy), first, take)


def _scanned_csv(file: Path, suffix: str, source: str) -> Table:
    """Text, whose types are known only where all that is taken has been seen."""
    polars = _polars()
    with file.open("rb") as opened:
        mark = _separator(opened.readline(), suffix)
    parse = partial(_read_csv, separator=mark)
    text = polars.scan_csv(file, separator=mark, infer_schema=False)
    names = tuple(text.collect_schema().names())

    def take(columns: Sequence[str], rows: np.ndarray | None) -> "polars.DataFrame":
        with _sentences(source, suffix):
            if rows is None:
                return parse(file, columns=list(columns))
            part = _rows_of(text, columns, rows)
            return _read_csv(part.write_csv().encode(), separator=",")

    first = parse(file, n_rows=_FIRST)
    return Table(source, names, _count(text), first, take)


def _rows_of(lazy: "polars.LazyFrame", columns: Sequence[str], rows: np.ndarray):
    """Some rows, in the order of the table; the others are forgotten as they pass."""
    import polars

    number = max(columns, key=len) + "'"  # the name of no column
    chosen = polars.Series(np.sort(rows), dtype=polars.get_index_type())
    numbered = lazy.select(columns).with_row_index(number)
    found = numbered.filter(polars.col(number).is_in(chosen.implode()))
    return found.drop(number).collect(engine="streaming")


def _count(lazy: "polars.LazyFrame") -> int:
    import polars

    return lazy.select(polars.len()).collect(engine="streaming").item()


def _polars():
    try:
        import polars
    except ImportError as error:
        raise RuntimeError(
            'reading tables needs polars; run pip install "offby[compare]"'
        ) from error
    return polars


def _file(path: str | Path) -> Path:
    from offby import datasets

    file = Path(path)
    if file.is_dir():
        raise ValueError(
            f"the data must be a file, got the folder {str(path)!r}; name a file in it"
        )
    if file.exists():
        return file
    if str(path) in datasets.names():
        return datasets.load(str(path))
    near = [entry.name for entry in file.parent.glob("*")] + datasets.names()
    guess = difflib.get_close_matches(file.name, near, 1)
    hint = f"did you mean {guess[0]!r}?" if guess else "check the path"
    raise ValueError(
        f"the data must be a file or a packaged set ({', '.join(datasets.names())}), "
        f"got {str(path)!r}, which is neither; {hint}"
    )


@contextmanager
def _sentences(source: str, suffix: str) -> Iterator[None]:
    """What goes wrong in a file, in words."""
    polars = _polars()
    try:
        yield
    except PermissionError as error:
        raise ValueError(
            f"the data must be a readable file, got {source!r}: {error.strerror}; "
            "check its permissions"
        ) from error
    # Both gzip and polars raise OSError, too, for bytes that make no sense to them.
    except (polars.exceptions.PolarsError, OSError, EOFError, zlib.error) as error:
        reason = (str(error).strip() or "it ends too early").splitlines()[0]
        raise ValueError(
            f"the data must be valid {suffix}, got {source!r}: {reason}; check that "
            "the file is whole and its name fits its format"
        ) from error


def _begins(file: Path, mark: bytes) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(mark)) == mark


def _parsed(raw: bytes, suffix: str) -> "polars.DataFrame":
    polars = _polars()
    match suffix:
        case "csv" | "tsv":
            header = raw.split(b"\n", 1)[0]
            return _read_csv(raw, separator=_separator(header, suffix))
        case "parquet":
            return polars.read_parquet(BytesIO(raw))
        case "arrow" | "feather":
            if raw.startswith(b"ARROW1"):
                return polars.read_ipc(BytesIO(raw))
            return polars.read_ipc_stream(BytesIO(raw))
        case _:
            return polars.read_ndjson(BytesIO(raw), infer_schema_length=None)


def _read_csv(source: Path | bytes, **rules) -> "polars.DataFrame":
    return _polars().read_csv(
        source, infer_schema_length=None, null_values=_MISSING, **rules
    )


def _separator(header: bytes, suffix: str) -> str:
    if suffix == "tsv":
        return "\t"
    # Files from spreadsheets in half of Europe are called csv and use ";".
    return max((b",", b";", b"\t"), key=header.count).decode()
