"""Tables in DuckDB files."""

import datetime

import pytest

from offby import tables
from offby.tables import ReadOptions

pytest.importorskip("polars")
duckdb = pytest.importorskip("duckdb")


def database(file, *names):
    with duckdb.connect(str(file)) as connection:
        for name in names:
            connection.execute(f'CREATE TABLE "{name}" (x DOUBLE, y VARCHAR)')
            connection.execute(f"INSERT INTO \"{name}\" VALUES (1.5, '{name}')")
    return file


def test_the_only_table_is_read(tmp_path):
    file = database(tmp_path / "one.duckdb", "a quoted name")
    assert tables.read(file).rows() == [(1.5, "a quoted name")]


def test_gaps_dates_and_numbers_keep_their_kinds(tmp_path):
    file = tmp_path / "kinds.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT * FROM (VALUES (NULL, DATE '2024-02-29', true), "
            "(2, NULL, false)) AS v(n, day, flag)"
        )
    found = tables.read(file)
    assert found.columns == ["n", "day", "flag"]
    assert found.rows() == [(None, datetime.date(2024, 2, 29), True), (2, None, False)]


def test_a_uuid_is_text(tmp_path):
    file, text = tmp_path / "ids.duckdb", "9760c738-4fd7-4e94-8da6-4c183933508b"
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"CREATE TABLE t AS SELECT UUID '{text}' AS id")
    assert tables.read(file).rows() == [(text,)]


def test_of_several_tables_one_must_be_named(tmp_path):
    file = database(tmp_path / "two.duckdb", "sizes", "prices")
    with pytest.raises(ValueError, match=r"--table must name.*it has prices, sizes"):
        tables.read(file)
    found = tables.read(file, ReadOptions(table="sizes"))
    assert found.rows() == [(1.5, "sizes")]


def test_a_damaged_file_is_refused(tmp_path):
    file = tmp_path / "bad.duckdb"
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(ValueError, match="check that the file is whole"):
        tables.read(file)
