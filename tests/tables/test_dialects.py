"""What each of the tables beside this file must become; `make.py` writes them."""

import bz2
import functools
import gzip
import http.server
import io
import lzma
import sys
import threading
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from offby import tables
from offby.tables import ReadOptions
from offby.tabular.encoders.table import TableEncoder
from tests.tables import make

pl = pytest.importorskip("polars")

HERE = Path(__file__).parent
SIGNED = [-x if i % 5 == 0 else x for i, x in enumerate(make.PRICES)]
LABELS = [(5.0, 10.0, 20.0)[i % 3] for i in range(make.N)]
WITH_GAPS = [None if i % 8 == 3 else x for i, x in enumerate(make.SIZES)]


@dataclass(frozen=True)
class Case:
    """One file: what is asked of it, and what it must become."""

    file: str
    holds: dict = field(default_factory=dict)
    """Columns and their values."""
    notes: tuple[str, ...] = ()
    """What the notes must say."""
    lacks: tuple[str, ...] = ()
    """Columns that are not learned from."""
    refused: str = ""
    """What the refusal must say."""
    options: ReadOptions = field(default_factory=ReadOptions)
    asks: dict = field(default_factory=dict)
    """Arguments of `prepare`."""

    def __str__(self) -> str:
        return f"{self.file}{'-asked' if self.options != ReadOptions() else ''}"


PLAIN = {"size": make.SIZES, "kind": make.KINDS, "price": make.PRICES}
DAY = {"day": [d.toordinal() - make.DAYS[0].toordinal() for d in make.DAYS]}
CASES = [
    Case("plain.csv", PLAIN),
    Case("semicolons.csv", PLAIN, ("Read as: semicolon between cells.",)),
    Case(
        "semicolons-decimal-comma.csv",
        PLAIN,
        ("Read as: semicolon between cells, decimal comma.",),
    ),
    Case("tabs.tsv", PLAIN),
    Case("tabs.csv", PLAIN, ("Read as: tab between cells.",)),
    Case("pipes.csv", PLAIN, ("Read as: pipe between cells.",)),
    Case("blanks-behind-commas.csv", PLAIN),
    Case("windows-lines.csv", PLAIN),
    Case("sep-line.csv", PLAIN, ("semicolon between cells, 1 line before the header",)),
    Case("comment-lines.csv", PLAIN, ("2 lines before the header skipped",)),
    Case("blank-lines.csv", PLAIN, ("2 lines before the header skipped",)),
    Case("trailing-separator.csv", PLAIN, ("unnamed has no values",), ("unnamed",)),
    Case("points-in-thousands.csv", PLAIN, ("decimal comma",)),
    Case("decimal-commas-everywhere.csv", {"size": make.SIZES, "price": make.PRICES}),
    Case("powers-with-commas.csv", {"size": make.SIZES, "price": make.PRICES}),
    Case("title-line.csv", PLAIN, ("2 lines before the header skipped",)),
    Case("short-header.csv", refused="must have 2 cells .* got 3 cells in line 2"),
    Case("excel-errors.csv", {"size": WITH_GAPS}, ('"#DIV/0!" was read as missing',)),
    Case("recoded.csv", notes=("Column code tells the target almost exactly",)),
    Case("one-letter.csv", {"size": make.SIZES}, ("encoding windows-1252",)),
    Case("euro-sign.csv", PLAIN, ("encoding windows-1252",)),
    Case(
        "quoted-headers.csv",
        {"size, in m": make.SIZES, "kind; sort": make.KINDS},
    ),
    Case(
        "single-quotes.csv",
        {"size, in m": make.SIZES, "kind": [f"{kind}, it is" for kind in make.KINDS]},
    ),
    Case("apostrophes.csv", {"kind": [k.replace("o", "'o") for k in make.KINDS]}),
    Case("latin-1.csv", PLAIN, ("encoding windows-1252",)),
    Case("windows-1252.csv", {"size": make.SIZES}, ("encoding windows-1252",)),
    Case("utf-16.csv", PLAIN, ("encoding utf-16",)),
    Case("utf-16-le-no-mark.csv", PLAIN, ("encoding utf-16-le",)),
    Case("utf-8-mark.csv", PLAIN),
    Case(
        "latin-1.csv",
        options=ReadOptions(encoding="utf-8"),
        refused="--encoding must be the one of the file, got 'utf-8'",
    ),
    Case("plain.csv", options=ReadOptions(separator=";"), refused="got 'price'"),
    Case("ragged.csv", refused="must have 3 cells .* got 4 cells in line 6"),
    Case("footer.csv", refused="got 1 cell in line 42 .*remark below the table"),
    Case("footer-total.csv", refused="'size' holds numbers except for \"Total\" in 1"),
    Case(
        "stray-words.csv",
        refused="column 'size' .* \"about 7\" in 2 rows .rows 5, 10.; .*--missing",
    ),
    Case(
        "stray-words.csv",
        {"size": [None if i in (4, 9) else x for i, x in enumerate(make.SIZES)]},
        ('"about 7" was read as missing: 2 cells of column size',),
        options=ReadOptions(missing=("about 7",)),
    ),
    Case("stray-words.csv", {"kind": make.KINDS}, asks={"text": ["size"]}),
    Case("stray-target.csv", refused="'price' holds .* \"sold\" in 1 row .row 18"),
    Case(
        "target-with-gaps.csv",
        notes=("4 rows without a target", "read as 5 ordered classes"),
    ),
    Case("index.csv", PLAIN, ("Column unnamed only names or numbers",), ("unnamed",)),
    Case("id.csv", PLAIN, ("Column house_id only names or numbers",), ("house_id",)),
    Case("names.csv", PLAIN, ("Column owner only names or numbers",), ("owner",)),
    Case("constant.csv", PLAIN, ("Column country is the same in all",), ("country",)),
    Case(
        "leak.csv",
        {**PLAIN, "tax": [round(0.2 * x, 10) for x in make.PRICES]},
        ("Column tax tells the target almost exactly", "--drop tax"),
    ),
    Case(
        "same-name.csv",
        {**PLAIN, "size (2)": make.SIZES},
        ("2 columns are called size",),
    ),
    Case("same-target.csv", refused="must be one column, got several"),
    Case("truths.csv", {"sold": [1.0, 0.0, None, 1.0] * 10}),
    Case("half-stars.csv", notes=("read as 10 ordered classes",)),
    Case("ages.csv", refused="if this is their order.*1-5,6-10,11-20,21-50,50"),
    Case("intervals.csv", refused=r'their order.*"\(0, 5\]","\(5, 10\]","\(10, 20\]"'),
    Case("sizes.csv", refused="if this is their order.*--order S,M,L,XL"),
    Case("weekdays.csv", refused="if this is their order.*Mon,Tue,Wed,Fri"),
    Case("months.csv", refused="if this is their order.*January,March,April,May"),
    Case(
        "likert.csv",
        refused="if this is their order.*"
        "'Strongly disagree,Disagree,Neutral,Agree,Strongly agree'",
    ),
    *(
        Case(
            f"gaps-{name}.csv",
            {"size": WITH_GAPS, "kind": make.KINDS},
            () if name == "blanks" else (f'"{text}" was read as missing: 5 cells',),
        )
        for name, text in make.GAPS.items()
    ),
    *(
        Case(f"numbers-{name}.csv", {"price": PLAIN["price"]})
        for name in make.THOUSANDS
        if name not in ("in-brackets", "euros")
    ),
    Case("numbers-euros.csv", {"price": [float(round(x)) for x in make.PRICES]}),
    Case("numbers-in-brackets.csv", {"price": SIGNED}),
    *(
        Case(f"dates-{name}.csv", DAY, ("Column day was read as dates or times.",))
        for name in make.DATES
        if name != "ambiguous"
    ),
    Case("dates-ambiguous.csv", refused="'day' .* --dates day-first or"),
    Case(
        "dates-ambiguous.csv",
        notes=("Column day was read as dates or times.",),
        options=ReadOptions(dates="day-first"),
    ),
    Case("book.xlsx", PLAIN, ("Sheet houses was read; --sheet reads another",)),
    Case("book.xlsx", options=ReadOptions(sheet="gone"), refused="houses, notes"),
    Case("survey.sav", PLAIN, ("ordered classes in rating",)),
    Case("survey.dta", PLAIN, ("ordered classes in rating",)),
    Case("labels-of-numbers.sav", PLAIN | {"rating": LABELS}),
    Case("labels-of-numbers.dta", PLAIN | {"rating": LABELS}),
    Case("one.sqlite", PLAIN),
    Case("two.sqlite", PLAIN, options=ReadOptions(table="flats")),
    Case("two.sqlite", refused="--table must name a table .* it has flats, houses"),
]


def prepared(source, case: Case) -> tables.Problem:
    return tables.prepare(
        tables.scan(source, case.options), "price", source="houses.csv", **case.asks
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_table_becomes_what_it_says(case: Case) -> None:
    source = HERE / case.file
    if case.refused:
        with pytest.raises(ValueError, match=f"(?s){case.refused}"):
            prepared(source, case)
        return
    problem = prepared(source, case)
    notes = " ".join(problem.notes)
    for part in case.notes:
        assert part in notes
    for name in case.lacks:
        assert name not in problem.X.columns
    for name, values in case.holds.items():
        if name == "price":
            assert problem.y.tolist() == pytest.approx(values)
        elif name == "day":
            days = problem.X[name].to_numpy() / 86_400e6
            assert (days - days[0]).tolist() == pytest.approx(values)
        else:
            assert problem.X[name].to_list() == values


def test_every_file_has_a_case_and_is_what_make_writes(tmp_path: Path) -> None:
    files = {path.name for path in HERE.iterdir() if path.suffix not in (".py", "")}
    assert files == {case.file for case in CASES}
    make.main(tmp_path)
    for name in make.texts():
        assert (tmp_path / name).read_bytes() == (HERE / name).read_bytes()


def test_value_labels_are_an_order() -> None:
    table = tables.read(HERE / "survey.sav")
    assert table["rating"].dtype == pl.Enum(["poor", "fair", "good"])
    problem = tables.prepare(table, "rating")
    assert problem.labels == ("poor", "fair", "good")


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["01", "2"])])
def test_codes_that_are_no_numbers_are_categories_without_a_warning(dtype) -> None:
    codes = pl.Series("code", ["01", "2"] * 20).cast(dtype)
    table = pl.DataFrame({"size": make.SIZES, "code": codes, "price": make.PRICES})
    problem = tables.prepare(table, "price", text=("code",))
    assert problem.X["code"].to_list() == ["01", "2"] * 20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TableEncoder().fit(problem.X)


def test_a_table_comes_from_standard_input(monkeypatch) -> None:
    raw = (HERE / "semicolons.csv").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    problem = prepared("-", Case(""))
    assert problem.y.tolist() == make.PRICES
    assert "The table was read from standard input." in problem.notes
    for packed in (bz2.compress(raw), lzma.compress(raw), gzip.compress(raw)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed)))
        assert prepared("-", Case("")).y.tolist() == make.PRICES
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("houses.csv", raw)
    for whole in (archive.getvalue(), (HERE / "book.xlsx").read_bytes()):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(whole)))
        assert prepared("-", Case("")).y.tolist() == make.PRICES
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(ValueError, match="standard input must hold a table"):
        tables.scan("-")


def test_a_table_comes_from_an_address() -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(HERE))
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        problem = prepared(f"{address}/plain.csv", Case(""))
        with pytest.raises(ValueError, match=r"must lead to a table, got .*gone\.csv"):
            tables.scan(f"{address}/gone.csv")
        server.shutdown()
        thread.join()
    assert problem.y.tolist() == make.PRICES
    assert "of type text/csv were downloaded" in problem.notes[0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"separator": ";;"}, "--separator must be one character, got ';;'"),
        ({"decimal": "'"}, "--decimal must be . or ,"),
        ({"encoding": "klingon"}, "must name a text encoding .* got 'klingon'"),
        ({"dates": "year-first"}, "--dates must be day-first or month-first"),
    ],
)
def test_an_option_that_cannot_be_is_refused(given: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ReadOptions(**given)


def test_a_year_is_learned_from_and_a_row_number_is_not() -> None:
    frame = pl.DataFrame(
        {
            "year": range(1950, 1990),
            "row_number": range(1, 41),
            "size": make.SIZES,
            "price": make.PRICES,
        }
    )
    assert tables.prepare(frame, "price").X.columns == ["year", "size"]


def test_groups_are_names_even_if_most_are_numbers() -> None:
    subjects = [str(i) for i in range(39)] + ["7a"]
    frame = pl.DataFrame({"who": subjects, "size": make.SIZES, "price": make.PRICES})
    problem = tables.prepare(frame, "price", groups="who")
    assert problem.groups is not None
    assert len(set(problem.groups)) == 40
    with pytest.raises(ValueError, match='except for "7a" in 1 row'):
        tables.prepare(frame, "price")


def test_rows_of_weight_0_are_left_out() -> None:
    weights = [0.0 if i % 10 == 3 else 1.0 for i in range(make.N)]
    frame = pl.DataFrame({"w": weights, "size": make.SIZES, "price": make.PRICES})
    problem = tables.prepare(frame, "price", weights="w")
    kept = [x for i, x in enumerate(make.PRICES) if i % 10 != 3]
    assert problem.y.tolist() == kept
    assert "4 rows of weight 0 left out." in problem.notes


def test_eight_rows_are_too_few() -> None:
    frame = pl.DataFrame({"size": make.SIZES[:8], "price": [1, 2] * 4})
    with pytest.raises(ValueError, match="at least 20 rows with a target, got 8 rows"):
        tables.prepare(frame, "price", folds=3)


def test_a_class_of_exactly_as_many_rows_as_folds_stays() -> None:
    frame = pl.DataFrame({"size": make.SIZES, "price": [1] * 20 + [2] * 15 + [3] * 5})
    assert tables.prepare(frame, "price", folds=5).labels == ("1", "2", "3")
    assert tables.prepare(frame, "price", folds=6).labels == ("1", "2")


def test_long_numbers_that_differ_in_every_row_are_ids() -> None:
    rng = np.random.default_rng(0)
    ids = rng.choice(np.arange(10_000_000, 99_999_999), 200, replace=False)
    frame = pl.DataFrame({"customer": ids, "size": rng.normal(size=200)})
    frame = frame.with_columns(price=rng.normal(size=200))
    assert tables.prepare(frame, "price").X.columns == ["size"]
    # Not so: amounts, of fewer and more digits.
    amounts = frame.with_columns(customer=(ids // 10 ** (np.arange(200) % 3)))
    assert "customer" in tables.prepare(amounts, "price").X.columns
