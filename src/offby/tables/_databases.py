"""Tables in database files: SQLite and DuckDB."""

import sqlite3
from pathlib import Path

from offby.tables._options import ReadOptions
from offby.tables._table import Table, in_memory


def read(file: Path, source: str, options: ReadOptions) -> Table:
    """The table of a database file.

    Raises:
        ValueError: If it has no such table, or several and none is named.
        RuntimeError: If DuckDB is missing.
    """
    import polars

    with file.open("rb") as opened:
        is_sqlite = opened.read(15) == b"SQLite format 3"
    if is_sqlite:
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
    else:
        connection = _duckdb(file, source)
        query = "SELECT table_name FROM information_schema.tables"
    try:
        names = sorted(row[0] for row in connection.execute(query).fetchall())
        name = _chosen(names, options.table, source)
        quoted = '"' + name.replace('"', '""') + '"'
        # Not `polars.read_database`, which needs pyarrow for DuckDB.
        rows = connection.execute(f"SELECT * FROM {quoted}")
        columns = [each[0] for each in rows.description]
        frame = polars.DataFrame(
            rows.fetchall(), columns, orient="row", infer_schema_length=None
        )
        # DuckDB gives Python objects for what polars has no type for, such as UUIDs.
        frame = frame.with_columns(
            polars.Series(column.name, [None if x is None else str(x) for x in column])
            for column in frame
            if column.dtype == polars.Object
        )
    finally:
        connection.close()
    return in_memory(frame, source, options)


def _chosen(names: list[str], name: str | None, source: str) -> str:
    if name is None and len(names) == 1:
        return names[0]
    if name in names:
        return name
    raise ValueError(
        f"--table must name a table of {source!r}, got {name!r}; it has "
        f"{', '.join(names) or 'none'}"
    )


def _duckdb(file: Path, source: str):
    try:
        import duckdb
    except ImportError as error:
        raise RuntimeError(
            'reading DuckDB files needs duckdb; run pip install "offby[files]"'
        ) from error
    try:
        return duckdb.connect(str(file), read_only=True)
    except duckdb.Error as error:
        raise ValueError(
            f"the data must be a SQLite or DuckDB file, got {source!r}: "
            f"{str(error).splitlines()[0]}; check that the file is whole"
        ) from error
