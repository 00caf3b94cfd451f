"""Writes the small tables beside this file: one for each way in which tables come.

    python -m tests.tables.make

All hold the same 40 rows (a number `size`, a word `kind`, a target `price`), written as
programs and people write them, or with one oddity. `test_dialects.py` says what each
must become.
"""

import sqlite3
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
N = 40
SIZES = [1.5 + (7 * i % 23) for i in range(N)]
KINDS = ["old", "new", "café"] * 13 + ["old"]
PRICES = [1000.0 + 37.5 * (11 * i % N) for i in range(N)]
DAYS = [date(2020, 1, 1) + timedelta(days=9 * i) for i in range(N)]


def lines(
    header: Sequence[str],
    *columns: Sequence[str],
    mark: str = ",",
    end: str = "\n",
) -> str:
    rows = [header, *zip(*columns, strict=True)]
    return "".join(mark.join(row) + end for row in rows)


def plain(*, mark: str = ",", end: str = "\n", decimal: str = ".") -> str:
    numbers = [[f"{x:g}".replace(".", decimal) for x in c] for c in (SIZES, PRICES)]
    return lines(
        ("size", "kind", "price"), numbers[0], KINDS, numbers[1], mark=mark, end=end
    )


def with_sizes(sizes: Sequence[str], mark: str = ",") -> str:
    """The plain table with other texts for its numbers."""
    prices = [f"{x:g}" for x in PRICES]
    return lines(("size", "kind", "price"), sizes, KINDS, prices, mark=mark)


def with_prices(prices: Sequence[str], mark: str = ",") -> str:
    return lines(
        ("size", "kind", "price"), [f"{x:g}" for x in SIZES], KINDS, prices, mark=mark
    )


def with_column(name: str, cells: Sequence[str], at: int = 3) -> str:
    header = ["size", "kind", "price"]
    columns = [[f"{x:g}" for x in SIZES], KINDS, [f"{x:g}" for x in PRICES]]
    header.insert(at, name)
    columns.insert(at, list(cells))
    return lines(header, *columns)


def with_gaps(marker: str, every: int = 8) -> str:
    return with_sizes(
        [marker if i % every == 3 else f"{x:g}" for i, x in enumerate(SIZES)]
    )


GAPS = {
    "question": "?",
    "dash": "-",
    "dashes": "--",
    "dot": ".",
    "none": "None",
    "lower-none": "none",
    "n-a": "n/a",
    "n.a": "N.A.",
    "hash": "#N/A",
    "angle": "<NA>",
    "nan": "NaN",
    "null": "NULL",
    "missing": "missing",
    "unknown": "unknown",
    "blanks": "   ",
}
THOUSANDS = {
    "dollars": [f'"${x:,.2f}"' for x in PRICES],
    "euros": [f"{x:,.0f} EUR".replace(",", " ") for x in PRICES],
    "percent": [f"{x:g} %" for x in PRICES],
    "apostrophes": [f"{x:,.2f}".replace(",", "'") for x in PRICES],
    "narrow-blanks": [f"{x:,.2f}".replace(",", "\u202f") for x in PRICES],
    "in-brackets": [
        f"({x:g})" if i % 5 == 0 else f"{x:g}" for i, x in enumerate(PRICES)
    ],
    "units": [f"{x:g} kg" for x in PRICES],
}
DATES = {
    "iso": [f"{d:%Y-%m-%d}" for d in DAYS],
    "slashes": [f"{d:%Y/%m/%d}" for d in DAYS],
    "german": [f"{d:%d.%m.%Y}" for d in DAYS],
    "names": [f'"{d:%b %d, %Y}"' for d in DAYS],
    "month-first": [f"{d:%m/%d/%Y}" for d in DAYS],
    "day-first": [f"{d:%d/%m/%Y}" for d in DAYS],
    "times": [f"{d:%Y-%m-%d} 10:30:00" for d in DAYS],
    "offsets": [f"{d:%Y-%m-%d}T10:30:00+02:00" for d in DAYS],
    "zulu": [f"{d:%Y-%m-%d}T10:30:00Z" for d in DAYS],
    "ambiguous": [f"{1 + i % 12:02d}/{1 + i % 9:02d}/2020" for i in range(N)],
}


def texts() -> dict[str, bytes]:
    """The files of text."""
    word = [f"{x:g}" for x in SIZES]
    found = {
        "plain.csv": plain(),
        "semicolons.csv": plain(mark=";"),
        "semicolons-decimal-comma.csv": plain(mark=";", decimal=","),
        "tabs.tsv": plain(mark="\t"),
        "tabs.csv": plain(mark="\t"),
        "pipes.csv": plain(mark="|"),
        "blanks-behind-commas.csv": plain(mark=", "),
        "windows-lines.csv": plain(end="\r\n"),
        "sep-line.csv": "sep=;\n" + plain(mark=";"),
        "comment-lines.csv": "# from a sensor\n# on a day, in a town\n" + plain(),
        "blank-lines.csv": "\n\n" + plain(),
        "trailing-separator.csv": plain().replace("\n", ",\n"),
        "points-in-thousands.csv": lines(
            ("size", "kind", "price"),
            [cell.replace(".", ",") for cell in word],
            KINDS,
            [f"{x:,.2f}".translate(str.maketrans(",.", ".,")) for x in PRICES],
            mark=";",
        ),
        "decimal-commas-everywhere.csv": lines(
            ("size", "price"),
            [f"{x:.1f}".replace(".", ",") for x in SIZES],
            [f"{x:.2f}".replace(".", ",") for x in PRICES],
            mark=";",
        ),
        "powers-with-commas.csv": lines(
            ("size", "price"),
            [f"{x:.2e}".replace(".", ",") for x in SIZES],
            [f"{x:.5e}".replace(".", ",") for x in PRICES],
            mark=";",
        ),
        "title-line.csv": "Houses of 2020\n\n" + plain(),
        "short-header.csv": plain(mark=" ").replace("size kind price", "size price", 1),
        "excel-errors.csv": with_gaps("#DIV/0!"),
        "recoded.csv": lines(
            ("code", "size", "price"),
            [str([3, 1, 2, 5, 4][i % 5]) for i in range(N)],
            word,
            [str(1 + i % 5) for i in range(N)],
        ),
        "quoted-headers.csv": plain(mark=";").replace(
            "size;kind", '"size, in m";"kind; sort"', 1
        ),
        "single-quotes.csv": lines(
            ("'size, in m'", "'kind'", "'price'"),
            [f"{x:g}" for x in SIZES],
            [f"'{kind}, it is'" for kind in KINDS],
            [f"{x:g}" for x in PRICES],
        ),
        "apostrophes.csv": plain().replace("old", "'old"),
        "ragged.csv": plain()
        .replace("\n", "\n1,2,3,4\n", 5)
        .replace("\n1,2,3,4\n", "\n", 4),
        "footer.csv": plain() + "Source: the office\n",
        "footer-total.csv": plain() + "Total,,57000\n",
        "stray-words.csv": with_sizes(
            ["about 7" if i in (4, 9) else cell for i, cell in enumerate(word)]
        ),
        "stray-target.csv": with_prices(
            ["sold" if i == 17 else f"{x:g}" for i, x in enumerate(PRICES)]
        ),
        "target-with-gaps.csv": with_prices(
            ["?" if i % 10 == 3 else str(1 + i % 5) for i in range(N)]
        ),
        "index.csv": with_column("", [str(i) for i in range(N)], 0),
        "id.csv": with_column("house_id", [str(7919 * i % 1009) for i in range(N)], 0),
        "names.csv": with_column("owner", [f"Person {i}" for i in range(N)], 0),
        "constant.csv": with_column("country", ["X"] * N, 0),
        "leak.csv": with_column("tax", [f"{0.2 * x:g}" for x in PRICES]),
        "same-name.csv": with_column("size", word, 1),
        "same-target.csv": with_column("price", word, 1),
        "truths.csv": with_column("sold", ["TRUE", "FALSE", "", "true"] * 10),
        "half-stars.csv": with_prices([f"{0.5 + 0.5 * (i % 10):g}" for i in range(N)]),
        "ages.csv": with_prices(["11-20", "50+", "1-5", "6-10", "21-50"] * 8),
        "intervals.csv": with_prices(
            ['"(10, 20]"', '"(0, 5]"', '"(5, 10]"', '"(0, 5]"'] * 10
        ),
        "sizes.csv": with_prices(["M", "XL", "S", "L"] * 10),
        "weekdays.csv": with_prices(["Wed", "Mon", "Fri", "Tue"] * 10),
        "months.csv": with_prices(["March", "January", "May", "April"] * 10),
        "likert.csv": with_prices(
            ["Agree", "Strongly disagree", "Neutral", "Disagree", "Strongly agree"] * 8
        ),
    }
    found |= {f"gaps-{name}.csv": with_gaps(text) for name, text in GAPS.items()}
    found |= {
        f"numbers-{name}.csv": with_prices(cells) for name, cells in THOUSANDS.items()
    }
    found |= {
        f"dates-{name}.csv": with_column("day", cells) for name, cells in DATES.items()
    }
    files = {name: text.encode() for name, text in found.items()}
    one_word = plain().replace("café", "cafe").replace("cafe", "caf\u00e9", 1)
    files["one-letter.csv"] = one_word.encode("cp1252")
    files["euro-sign.csv"] = with_prices([f"{x:g} €" for x in PRICES]).encode("cp1252")
    encodings = {
        "latin-1": "latin-1",
        "windows-1252": "cp1252",
        "utf-16": "utf-16",
        "utf-16-le-no-mark": "utf-16-le",
        "utf-8-mark": "utf-8-sig",
    }
    for name, encoding in encodings.items():
        text = plain(mark=";").replace("café", "café €" if "125" in name else "café")
        files[f"{name}.csv"] = text.encode(encoding)
    return files


def spreadsheet(folder: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    first = book.active
    assert first is not None
    first.title = "houses"
    first.append(["size", "kind", "price"])
    for row in zip(SIZES, KINDS, PRICES, strict=True):
        first.append(list(row))
    second = book.create_sheet("notes")
    second.append(["remark"])
    second.append(["none"])
    path = folder / "book.xlsx"
    book.save(path)
    _same_bytes_each_time(path)


def _same_bytes_each_time(path: Path) -> None:
    """A zip file without the time at which it was written."""
    with zipfile.ZipFile(path) as read:
        parts = {name: read.read(name) for name in read.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        for name, part in parts.items():
            written.writestr(zipfile.ZipInfo(name), part)


def statistics_files(folder: Path) -> None:
    import polars
    import pyreadstat

    frame: Any = polars.DataFrame(
        {
            "size": SIZES,
            "kind": KINDS,
            "rating": [float(1 + i % 3) for i in range(N)],
            "price": PRICES,
        }
    )
    labels = {"rating": {1.0: "poor", 2.0: "fair", 3.0: "good"}}
    for suffix, write in (
        ("sav", pyreadstat.write_sav),
        ("dta", pyreadstat.write_dta),
    ):
        write(frame, str(folder / f"survey.{suffix}"), variable_value_labels=labels)
        numbers = {"rating": {1.0: "5", 2.0: "10", 3.0: "20"}}
        path = folder / f"labels-of-numbers.{suffix}"
        write(frame, str(path), variable_value_labels=numbers)


def databases(folder: Path) -> None:
    rows = list(zip(SIZES, KINDS, PRICES, strict=True))
    for name, tables in (("one", ["houses"]), ("two", ["houses", "flats"])):
        path = folder / f"{name}.sqlite"
        path.unlink(missing_ok=True)
        connection = sqlite3.connect(path)
        for table in tables:
            connection.execute(
                f"CREATE TABLE {table} (size REAL, kind TEXT, price REAL)"
            )
            connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)
        connection.commit()
        connection.close()


BINARY: tuple[Callable[[Path], None], ...] = (spreadsheet, statistics_files, databases)


def main(folder: Path = HERE) -> None:
    """Write all files."""
    for name, raw in texts().items():
        (folder / name).write_bytes(raw)
    for write in BINARY:
        write(folder)


if __name__ == "__main__":
    main()
