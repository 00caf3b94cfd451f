import bz2
import gzip
import lzma
import subprocess
import sys
import zipfile
from typing import Any

import numpy as np
import pytest

from offby import tables
from offby.tables import _memory

pl = pytest.importorskip("polars")


def frame(target, **columns):
    return pl.DataFrame(
        {"x": [float(i) for i in range(len(target))], **columns}
    ).with_columns(pl.Series("y", target))


ROWS = frame([1, 2, 3] * 10, word=["a", "b"] * 15)


@pytest.mark.parametrize(
    "suffix", ["csv", "tsv", "parquet", "arrow", "feather", "ndjson"]
)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_format_gives_the_same_table(tmp_path, suffix, zipped):
    file = tmp_path / f"data.v1.{suffix}"
    match suffix:
        case "csv":
            ROWS.write_csv(file)
        case "tsv":
            ROWS.write_csv(file, separator="\t")
        case "parquet":
            ROWS.write_parquet(file)
        case "arrow":
            ROWS.write_ipc_stream(file)
        case "feather":
            ROWS.write_ipc(file)
        case _:
            ROWS.write_ndjson(file)
    if zipped:
        packed = file.with_name(file.name + ".gz")
        packed.write_bytes(gzip.compress(file.read_bytes()))
        file = packed
    assert tables.read(file).equals(ROWS)


@pytest.mark.parametrize("kind", ["csv", "parquet", "ndjson"])
@pytest.mark.parametrize("name", ["t.{}.bz2", "t.{}.xz", "t.{}.zip", "t.zip"])
def test_packed_tables_of_every_kind_are_read(kind, name, tmp_path):
    plain = tmp_path / f"rows.{kind}"
    {
        "csv": ROWS.write_csv,
        "parquet": ROWS.write_parquet,
        "ndjson": ROWS.write_ndjson,
    }[kind](plain)
    packed = tmp_path / name.format(kind)
    match packed.suffix:
        case ".zip":
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(plain, f"folder/rows.{kind}")
                # As macOS packs it.
                archive.writestr(f"__MACOSX/folder/._rows.{kind}", b"x")
        case ".bz2":
            packed.write_bytes(bz2.compress(plain.read_bytes()))
        case _:
            packed.write_bytes(lzma.compress(plain.read_bytes()))
    assert tables.read(packed).equals(ROWS)


def test_an_archive_of_several_tables_asks_for_one(tmp_path, monkeypatch):
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "x,y\n1,2\n")
    assert tables.read(path).shape == (1, 2)
    with monkeypatch.context() as small:
        small.setattr(_memory, "available", lambda: 5)
        with pytest.raises(ValueError, match="must fit in memory unpacked"):
            tables.read(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b.csv", "x,y\n1,2\n")
    with pytest.raises(ValueError, match=r"hold one table, got a.csv, b.csv in"):
        tables.read(path)


def test_a_semicolon_csv_is_split_at_semicolons(tmp_path):
    (tmp_path / "a.csv").write_text("a;b\n1;2\n")
    assert tables.read(tmp_path / "a.csv").columns == ["a", "b"]


def test_a_packaged_set_is_found_by_name_and_a_file_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tables.read("wine-red").shape == (1599, 12)
    (tmp_path / "wine-red").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="save the table as CSV"):
        tables.read("wine-red")


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("gone.csv", None, "which is neither; check the path"),
        ("wine_red", None, "did you mean 'wine-red'"),
        ("a.doc", b"x", "save the table as CSV"),
        ("a.xlsx", b"x", "must be a spreadsheet that can be read"),
        ("a.csv", b"", "must have rows"),
        ("a.csv", b"a,b\n", "must have rows"),
        ("a.csv", b"a,b\n1,2,3\n", "must have 2 cells .* got 3 cells in line 2"),
        ("a.parquet", b"abc", "must be valid parquet"),
        ("a.arrow", b"abc", "must be valid arrow"),
        ("a.ndjson", b"{", "must be valid ndjson"),
        ("a.csv.gz", b"a,b\n1,2\n", "must be valid csv"),
        ("a.csv.bz2", b"a,b\n1,2\n", "must be valid csv"),
        ("a.csv.xz", b"a,b\n1,2\n", "what its name says"),
        ("a.csv.zip", b"a,b\n1,2\n", "what its name says"),
        ("a.doc.gz", gzip.compress(b"x", mtime=0), "save the table as CSV"),
        ("a.xlsx.gz", gzip.compress(b"x", mtime=0), "unpack it first"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-12], "whole"),
    ],
)
def test_an_unreadable_file_is_refused_with_a_reason(tmp_path, name, raw, says):
    if name.endswith(".xlsx"):
        pytest.importorskip("fastexcel")  # of the extra "files"
    if raw is not None:
        (tmp_path / name).write_bytes(raw)
    with pytest.raises(ValueError, match=says):
        tables.read(tmp_path / name)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="got the folder"):
        tables.read(tmp_path)


def test_few_integers_are_ordered_classes():
    problem = tables.prepare(frame([3, 5, 9] * 10), "y")
    assert problem.kind == "classes"
    assert problem.labels == ("3", "5", "9")
    assert problem.positions == (3.0, 5.0, 9.0)
    np.testing.assert_array_equal(problem.y, [0, 1, 2] * 10)
    assert "--bins N" in problem.notes[0]


def test_few_integers_are_a_number_when_asked():
    problem = tables.prepare(frame([3, 5, 9] * 10), "y", kind="number")
    assert problem.kind == "number"
    np.testing.assert_array_equal(problem.y, [3.0, 5.0, 9.0] * 10)
    assert problem.labels == problem.positions == ()


@pytest.mark.parametrize(
    "target",
    [list(range(21)), [i / 7 for i in range(24)], [0.5 + i for i in range(40)]],
)
def test_many_values_are_a_number(target):
    assert tables.prepare(frame(target), "y").kind == "number"


def test_repeated_fractions_are_classes_at_their_values():
    problem = tables.prepare(frame([1.0, 1.5, 2.0] * 10), "y")
    assert problem.labels == ("1", "1.5", "2")
    assert problem.positions == (1.0, 1.5, 2.0)


def test_truth_values_are_two_classes():
    assert tables.prepare(frame([True, False] * 10), "y").labels == ("0", "1")


def test_text_takes_the_given_order():
    table = frame(["low", "high", "mid"] * 10)
    problem = tables.prepare(table, "y", order=["low", "mid", "high", "top"])
    assert problem.labels == ("low", "mid", "high")
    assert problem.positions == (0.0, 1.0, 2.0)
    np.testing.assert_array_equal(problem.y, [0, 2, 1] * 10)
    assert problem.notes == ("No row is of class top: left out of the order.",)


def test_an_enum_brings_its_order():
    words = pl.Series(["z", "a"] * 10, dtype=pl.Enum(["z", "a"]))
    assert tables.prepare(frame(words), "y").labels == ("z", "a")


def test_text_without_an_order_is_refused_with_the_command():
    table = frame(["Good", "Fair", "Poor"] * 10)
    with pytest.raises(ValueError, match="holds text") as caught:
        tables.prepare(table, "y", source="my data.csv")
    call = "offby compare 'my data.csv' -t y --order Poor,Fair,Good"
    assert call in str(caught.value)


def test_spellings_of_one_class_are_named_where_its_order_is_asked_for():
    says = "differ in capitals or blanks only: low and LOW; write"
    with pytest.raises(ValueError, match=says):
        tables.prepare(frame(["low", "LOW", "high", "medium"] * 10), "y")
    with pytest.raises(ValueError, match="order of its classes") as caught:
        tables.prepare(frame(["low", "high", "medium"] * 10), "y")
    assert "capitals" not in str(caught.value)


def test_the_suggested_order_survives_commas():
    table = frame(["1, low", "2, high"] * 10)
    with pytest.raises(ValueError, match="holds text") as caught:
        tables.prepare(table, "y")
    assert '--order \'"1, low","2, high"\'' in str(caught.value)
    assert tables.split_list('bad,"so, so"') == ("bad", "so, so")


def test_a_class_with_few_rows_joins_its_nearest_neighbor():
    problem = tables.prepare(frame([3] * 10 + [7] * 10 + [8] * 10 + [9] * 2), "y")
    assert problem.labels == ("3", "7", "8")
    assert problem.y.tolist() == [0] * 10 + [1] * 10 + [2] * 12
    assert (
        "Class 9 has 2 rows, too few for 5 folds, and was joined with class 8."
        in problem.notes
    )


def test_missing_targets_are_dropped_with_a_note():
    target = [1.0, 2.0] * 10 + [float("nan"), None]
    problem = tables.prepare(frame(target), "y")
    assert len(problem.y) == problem.X.height == 20
    assert "2 rows without a target left out." in problem.notes


def test_columns_that_carry_nothing_are_dropped_with_a_note():
    table = frame(
        [1, 2] * 10,
        name=[f"n{i}" for i in range(20)],
        empty=[None] * 20,
        nans=[float("nan")] * 20,
        lists=[[1]] * 20,
    )
    problem = tables.prepare(table, "y")
    assert problem.X.columns == ["x"]
    notes = " ".join(problem.notes)
    assert "Columns empty, nans have no values and were left out." in notes
    assert "Column name only names or numbers the rows and was left out." in notes
    assert "Column lists holds neither numbers nor text and was left out." in notes


def test_infinite_features_are_missing():
    table = frame([1, 2] * 10, z=[float("inf"), None] + [1.0, float("nan")] * 9)
    problem = tables.prepare(table, "y")
    assert problem.X["z"].null_count() == 11
    assert problem.X["z"].drop_nulls().to_list() == [1.0] * 9


@pytest.mark.parametrize(
    ("table", "settings", "says"),
    [
        (ROWS, {"target": "yy"}, "did you mean 'y'"),
        (ROWS, {"target": "quality"}, "Columns: x, word, y"),
        (ROWS, {"drop": ["wrod"]}, "did you mean 'word'"),
        (ROWS, {"drop": ["y"]}, "target must stay"),
        (ROWS, {"drop": ["x", "word"]}, "columns to learn from"),
        (ROWS, {"order": ["1", "2"]}, "got none of 3"),
        (ROWS, {"order": ["1", "2", "2"]}, "each class once"),
        (ROWS, {"kind": "number", "order": ["1", "2", "3"]}, "leave --bins out"),
        (ROWS, {"folds": 11}, "at least two classes"),
        (frame([1.0, float("inf")] * 9), {}, "must be finite, got 9 rows"),
        (frame([4] * 9), {}, "must vary"),
        (frame([4]), {}, "got 1 row"),
        (frame([None, None]), {}, "must have values"),
        (frame([float("nan")] * 3), {}, "must have values"),
        (frame([i / 7 for i in range(9)]), {}, "at least 10 rows"),
        (frame([f"t{i}" for i in range(30)]), {}, "30 different texts"),
        (frame(["a", "b"] * 9), {"kind": "number"}, "target of numbers"),
        (frame([[1], [2]] * 9), {}, "must hold numbers or text"),
    ],
)
def test_a_table_that_cannot_be_learned_is_refused(table, settings, says):
    with pytest.raises(ValueError, match=says):
        tables.prepare(table, **{"target": "y", **settings})


def test_a_small_class_may_be_kept_or_merged_as_asked():
    table = frame([1] * 20 + [2] * 20 + [3] * 7)
    assert tables.prepare(table, "y").labels == ("1", "2", "3")
    found = tables.prepare(table, "y", min_class=10)
    assert found.labels == ("1", "2")
    assert (
        found.notes[-1]
        == "Class 3 has 7 rows, fewer than 10, and was joined with class 2."
    )


def test_a_sample_is_the_same_for_the_same_seed():
    table = frame([1, 2, 3] * 40)
    first, second = (tables.prepare(table, "y", sample=50, seed=s) for s in (0, 0))
    assert first.X.equals(second.X)
    assert len(first.y) == 50
    assert any("50 of 120 rows were taken at random" in note for note in first.notes)
    assert not first.X.equals(tables.prepare(table, "y", sample=50, seed=1).X)
    assert len(tables.prepare(table, "y", sample=500).y) == 120


def test_columns_with_a_role_come_as_arrays_of_the_rows_that_stay():
    table = frame(
        [1, 2, None] * 20,
        day=[f"2026-{1 + i % 12:02d}-01" for i in range(60)],
        who=["b", "a", "c"] * 20,
        w=[1.0, 2.0, 3.0] * 20,
    )
    found = tables.prepare(table, "y", groups="who", weights="w", drop=["day"])
    assert found.X.columns == ["x"]
    assert found.groups is not None
    assert found.groups[:4].tolist() == [1, 0, 1, 0]
    assert found.weights is not None
    assert found.weights[:4].tolist() == [1.0, 2.0, 1.0, 2.0]
    found = tables.prepare(table, "y", time="day", drop=["who", "w"])
    assert found.time is not None
    month = [1 + i % 12 for i in range(60) if i % 3 < 2]
    assert (
        np.argsort(found.time, kind="stable").tolist()
        == np.argsort(month, kind="stable").tolist()
    )


@pytest.mark.parametrize(
    ("column", "role", "says"),
    [
        ([None, *range(29)], "time", "no gaps, got 1 row without"),
        (["soon"] * 30, "time", "numbers or dates as 2026-01-31, got 'soon'"),
        (["a", None] * 15, "groups", "no gaps, got 15 rows"),
        ([1.0, -2.0] * 15, "weights", "must be numbers of 0 or more, got -2.0"),
        (["a", "b"] * 15, "weights", "must be numbers of 0 or more, got 'a'"),
    ],
)
def test_a_role_that_a_column_cannot_play_is_refused(column, role, says):
    roles: Any = {role: "c"}
    with pytest.raises(ValueError, match=says):
        tables.prepare(frame([1, 2, 3] * 10, c=column), "y", **roles)


# Tables larger than memory


def write(table, path):
    match path.suffix:
        case ".csv":
            table.write_csv(path)
        case ".parquet":
            table.write_parquet(path, row_group_size=50)
        case ".feather":
            table.write_ipc(path)
        case _:
            table.write_ndjson(path)
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet", "feather", "ndjson"])
def test_a_sample_of_a_file_is_that_of_the_whole_table(tmp_path, suffix):
    text = ['so, "so"', "a\nb", "", "ü", None] * 60
    table = frame([1, 2, 3] * 100, word=text, more=[None, 0.5, 2.0] * 100)
    path = write(table, tmp_path / f"t.{suffix}")
    rules: dict[str, Any] = {"sample": 40, "drop": ["more"], "seed": 5}
    whole = tables.prepare(tables.read(path), "y", **rules)
    found = tables.prepare(tables.scan(path), "y", **rules)
    assert found.X.equals(whole.X)
    assert found.y.tolist() == whole.y.tolist()
    assert found.notes == whole.notes
    assert "40 of 300 rows were taken at random." in found.notes


def test_types_of_a_sampled_csv_are_those_of_its_rows(tmp_path):
    # Half a million rows further down, a number may turn out to be a word.
    table = frame([1, 2, 3] * 1000, word=["7", "8", "9"] * 999 + ["7", "8", "seven"])
    path = write(table, tmp_path / "t.csv")
    with pytest.raises(ValueError, match='except for "seven" in 1 row'):
        tables.read(path)
    found = tables.prepare(tables.scan(path), "y", sample=100)
    assert found.X["word"].dtype == pl.Float64


_PEAK = """
import sys
from offby import tables
from offby.tables import _memory

def peak():
    with open("/proc/self/status") as lines:
        return next(int(x.split()[1]) for x in lines if x.startswith("VmHWM")) / 1024

table = tables.scan(sys.argv[1])
before = peak()
if sys.argv[2] == "sample":
    tables.prepare(table, "y", sample=1000, drop=["b"])
elif sys.argv[2] == "columns":
    table.take(["a", "y"], None)
else:
    table.take(table.columns, None)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.skipif(pl.__version__ < "2", reason="polars 1 reads ahead, to the end")
def test_of_a_large_file_only_what_is_taken_is_in_memory(tmp_path):
    # 4 M rows of 8 columns: 256 MB in memory, next to nothing in the file.
    wide = {name: pl.int_range(4_000_000, eager=True) % 97 for name in "abcdefg"}
    table = pl.DataFrame({**wide, "y": wide["a"] % 3})
    path = tmp_path / "large.parquet"
    table.write_parquet(path, row_group_size=100_000, compression="snappy")

    def took(what):
        words = [sys.executable, "-c", _PEAK, str(path), what]
        said = subprocess.run(words, capture_output=True, text=True, check=True)
        return float(said.stdout)

    whole = took("all")
    assert whole > 200
    assert took("columns") < whole / 2
    assert took("sample") < whole / 2


def test_rows_that_do_not_fit_are_refused_with_a_number_that_does(monkeypatch):
    table = tables.scan("wine-red")
    rules: dict[str, Any] = {"folds": 5, "losses": 5, "seeds": 3}
    rules |= {"drop": (), "sample": None, "bins": None, "usual_bins": 50}
    tables.check_room(table, "quality", **rules)
    monkeypatch.setattr(_memory, "available", lambda: 500_000)
    with pytest.raises(ValueError, match=r"got 1,599 that need .* MB or more") as said:
        tables.check_room(table, "quality", **rules)
    assert "5 folds, 5 losses, 3 seeds and 6 bins), and 500 kB are free" in str(said)
    fits = int(str(said.value).rpartition(" ")[2])
    assert 100 < fits < 1599
    tables.check_room(table, "quality", **{**rules, **{"sample": fits}})
    # The other half is for what passes by.
    with pytest.raises(ValueError, match="got"):
        tables.check_room(table, "quality", **{**rules, **{"sample": int(2.2 * fits)}})
    with pytest.raises(ValueError, match="and 300 bins"):
        tables.check_room(
            table, "quality", **{**rules, **{"sample": fits, "bins": 300}}
        )
    with pytest.raises(ValueError, match="got 1,599"):
        tables.check_room(table, "quality", **{**rules, **{"sample": 5000}})


def test_a_packed_file_larger_than_memory_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,y\n" + b"1,2\n" * 10_000))
    assert tables.scan(path).n_rows == 10_000
    monkeypatch.setattr(_memory, "available", lambda: 30_000)
    with pytest.raises(ValueError, match=r"of 40 kB or more.*unpack it, and take"):
        tables.scan(path)


def test_what_a_container_may_use_counts_as_memory(tmp_path, monkeypatch):
    free = _memory.available()
    assert free > 1e6
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    monkeypatch.setattr(_memory, "_GROUP", tmp_path)
    assert _memory.available() == 3000
    (tmp_path / "memory.max").write_text("max\n")
    assert _memory.available() > 1e6
