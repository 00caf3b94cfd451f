"""The reports of docs/reports, five questions to public tables.

    python benchmarks/reports.py [--quick] [--data FOLDER] [--out FOLDER] [NAME ...]

Each is what the command `offby compare` that stands in it writes, in a folder with its
table. Without names, all of them. FOLDER of the data holds abalone.csv.gz,
bikes.csv.gz, concrete.csv.gz and diamonds.csv.gz, and is docs/reports/data unless
given; wine-red comes with offby.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from offby import report
from offby.results import Comparison

HOME = Path(__file__).parents[1] / "docs" / "reports"
LARGEST = 2_000_000
"""Bytes of a report."""


@dataclass(frozen=True)
class Case:
    """A table, and what is asked of it."""

    name: str
    table: str
    target: str
    options: tuple[str, ...] = ()

    def command(self, *, quick: bool) -> list[str]:
        """The words after `offby`."""
        words = ["compare", self.table, "--target", self.target, *self.options]
        return [*words, *["--quick"] * quick]


CLARITY = "I1,SI2,SI1,VS2,VS1,VVS2,VVS1,IF"
SAMPLE = ("--sample", "2000")
CASES = (
    Case("wine-red", "wine-red", "quality"),
    Case("abalone", "abalone.csv.gz", "rings", ("--bins", "30", *SAMPLE)),
    Case("concrete", "concrete.csv.gz", "compressive_strength"),
    Case("bikes", "bikes.csv.gz", "bikers", ("--drop", "casual,registered", *SAMPLE)),
    Case(
        "diamonds-clarity", "diamonds.csv.gz", "clarity", ("--order", CLARITY, *SAMPLE)
    ),
)


def report_of(case: Case, data: Path, *, quick: bool) -> str:
    """The page that the command writes, without a link to an explainer beside it."""
    with tempfile.TemporaryDirectory() as folder:
        table = data / case.table
        if table.exists():
            shutil.copy(table, folder)
        words = case.command(quick=quick)
        offby = [sys.executable, "-m", "offby"]
        subprocess.run([*offby, *words], check=True, cwd=folder, capture_output=True)
        (found,) = Path(folder).glob("*.json")
        return report.render(Comparison.from_json(found.read_text(encoding="utf-8")))


def main(words: Sequence[str] | None = None) -> None:
    """Make the reports that are asked for, and say how large and how long."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = [case.name for case in CASES]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--quick", action="store_true", help="a first look")
    parser.add_argument("--data", type=Path, default=HOME / "data")
    parser.add_argument("--out", type=Path, default=HOME)
    given = parser.parse_args(words)
    for name in given.names:
        if name not in known:
            parser.error(f"no report is called {name!r}; there is {', '.join(known)}")
    for case in CASES:
        if given.names and case.name not in given.names:
            continue
        begun = time.monotonic()
        page = report_of(case, given.data, quick=given.quick)
        size = len(page.encode())
        if size > LARGEST:
            raise SystemExit(
                f"a report must have at most {LARGEST:,} bytes, got {size:,} of "
                f"{case.name}; give it fewer losses"
            )
        (given.out / f"{case.name}.html").write_text(page, encoding="utf-8")
        took = time.monotonic() - begun
        print(f"{case.name}.html  {size / 1e6:.2f} MB  {took:.0f} s", flush=True)


if __name__ == "__main__":
    main()
