"""Tables in files, read as far as they are needed."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from offby.tables import _databases, _sheets, _statistics_files, _text_files
from offby.tables._cells import converted
from offby.tables._options import ReadOptions
from offby.tables._packed import PACKED, unpacked
from offby.tables._sources import local_file
from offby.tables._table import FIRST, Table, in_memory

if TYPE_CHECKING:
    import polars

TEXT = ("csv", "tsv", "txt", "dat", "data")
COLUMNAR = ("parquet", "arrow", "feather", "ndjson", "jsonl")
SHEETS = ("xlsx", "xls", "xlsm", "xlsb", "ods")
STATISTICS = ("sav", "zsav", "por", "dta", "sas7bdat", "xpt")
DATABASES = ("sqlite", "sqlite3", "db", "duckdb", "ddb")
FORMATS = (*TEXT, *COLUMNAR, *SHEETS, *STATISTICS, *DATABASES)


def read(path: str | Path, options: ReadOptions | None = None) -> "polars.DataFrame":
    """The table in a file, or a packaged data set by its name.

    Args:
        path: A file of text (csv, tsv), parquet, arrow, feather, ndjson, jsonl, a
            spreadsheet (xlsx, xls, ods), a file of SPSS, Stata or SAS, a database
            (sqlite, duckdb), any of the first two kinds packed (.gz, .bz2, .xz, or a
            .zip archive with one table in it); an address that begins with https://;
            "-" for standard input; or a name such as `wine-red` where no file is
            called that.
        options: How it is written, where the file itself does not tell.

    Raises:
        ValueError: If there is no such file, or it is not what its name says.
        RuntimeError: If a package that reads this kind of file is missing.
    """
    table = scan(path, options)
    return converted(table.take(table.columns, None), table.options)[0]


def scan(path: str | Path, options: ReadOptions | None = None) -> Table:
    """What is to be known of a table without reading all of it; see `read`.

    Packed files, streams of Arrow, and text in other encodings than UTF-8 are read
    whole, the others by the columns and rows that are taken. Cells of text are text:
    `prepare` finds numbers, dates and gaps in the columns that it needs.
    """
    options = options or ReadOptions()
    source = str(path)
    file, notes = local_file(source)
    suffixes = [suffix.lower().lstrip(".") for suffix in file.suffixes]
    suffix = "".join(suffixes[-1:])
    raw = None
    if suffix in PACKED:
        with _sentences(source, "".join(suffixes[-2:-1]) or suffix):
            raw, suffix = unpacked(file, file.stem, suffix)
    if suffix not in FORMATS:
        raise ValueError(
            f"the data must be a file of {', '.join(FORMATS)} (or csv, parquet and "
            f"their like with .{', .'.join(PACKED)}), got {file.name!r}; save the "
            "table as CSV"
        )
    with _sentences(source, suffix):
        found = _found(file, suffix, raw, source, options)
    if not found.n_rows:
        raise ValueError(
            f"the data must have rows, got {source!r} with none; check the file"
        )
    return replace(found, notes=(*notes, *found.notes))


def _found(
    file: Path, suffix: str, raw: bytes | None, source: str, options: ReadOptions
) -> Table:
    polars = _polars()
    if raw is not None:
        if suffix in TEXT:
            return _text_files.parsed(raw, suffix, source, options)
        return in_memory(_parsed(raw, suffix), source, options)
    if suffix in TEXT:
        return _text_files.scanned(file, suffix, source, options, _scanned)
    if suffix in SHEETS:
        return _sheets.read(file, source, options)
    if suffix in STATISTICS:
        return _statistics_files.read(file, suffix, source, options)
    if suffix in DATABASES:
        return _databases.read(file, source, options)
    if suffix == "parquet":
        return _scanned(polars.scan_parquet(file), suffix, source, options)
    if suffix in ("ndjson", "jsonl"):
        lazy = polars.scan_ndjson(file, infer_schema_length=None)
        return _scanned(lazy, suffix, source, options)
    if _begins(file, b"ARROW1"):
        return _scanned(polars.scan_ipc(file), suffix, source, options)
    return in_memory(polars.read_ipc_stream(file), source, options)


def _scanned(
    lazy: "polars.LazyFrame", suffix: str, source: str, options: ReadOptions
) -> Table:
    """A file whose columns and groups of rows can be read one by one."""
    names = tuple(lazy.collect_schema().names())

    def take(columns: Sequence[str], rows: np.ndarray | None) -> "polars.DataFrame":
        with _sentences(source, suffix):
            if rows is None:
                return lazy.select(columns).collect()
            return _rows_of(lazy, columns, rows)

    first = lazy.head(FIRST).collect()
    return Table(source, names, _count(lazy), first, take, options)


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
        case "parquet":
            return polars.read_parquet(BytesIO(raw))
        case "arrow" | "feather":
            if raw.startswith(b"ARROW1"):
                return polars.read_ipc(BytesIO(raw))
            return polars.read_ipc_stream(BytesIO(raw))
        case "ndjson" | "jsonl":
            return polars.read_ndjson(BytesIO(raw), infer_schema_length=None)
        case _:
            raise ValueError(
                f"a packed file must be csv, parquet, arrow or ndjson, got .{suffix}; "
                "unpack it first"
            )
