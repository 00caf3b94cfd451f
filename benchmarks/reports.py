"""The reports of docs/reports, six questions to five public tables.

    python benchmarks/reports.py [--quick] [--data FOLDER] [--out FOLDER] [NAME ...]

Without names, all of them. FOLDER of the data holds abalone.csv.gz, bikes.csv.gz,
concrete.csv.gz and diamonds.csv.gz, and is docs/reports/data unless given; wine-red
comes with offby. The same call gives the same report but for the seconds it names.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offby import compare, datasets, report, tables
from offby.comparison import Comparison

HOME = Path(__file__).parents[1] / "docs" / "reports"
LARGEST = 2_000_000
"""Bytes of a report."""


@dataclass(frozen=True)
class Case:
    """A table, and what is asked of it."""

    name: str
    data: str
    target: str
    drop: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    clip: tuple[int, int] | None = None
    """Least and largest class; those beyond count as these."""
    bins: int | None = None
    """Of a number; None for classes."""
    sample: int | None = None
    losses: tuple[str, ...] = ("ce", "emd1", "emd2", "cce", "ce+emd2")


CLARITY = ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF")
# Of a number in bins, emd1 says nothing that the classes do not say already.
OF_NUMBERS = ("ce", "emd2", "cce", "ce+emd2", "hl-gauss")
CASES = (
    Case("wine-red", "wine-red", "quality"),
    Case("abalone-classes", "abalone", "rings", clip=(3, 20), sample=3000),
    Case("abalone", "abalone", "rings", bins=30, losses=OF_NUMBERS, sample=3000),
    Case("concrete", "concrete", "compressive_strength", bins=50, losses=OF_NUMBERS),
    Case(
        "bikes",
        "bikes",
        "bikers",
        drop=("casual", "registered"),
        bins=50,
        losses=OF_NUMBERS,
        sample=3000,
    ),
    Case("diamonds-clarity", "diamonds", "clarity", order=CLARITY, sample=3000),
)


def prepared(case: Case, data: Path) -> tables.Problem:
    """The columns and the target."""
    found = data / f"{case.data}.csv.gz"
    path = found if found.exists() else datasets.load(case.data)
    frame = tables.read(path)
    if case.clip is not None:
        clipped = frame[case.target].clip(*case.clip)
        frame = frame.with_columns(clipped)
    return tables.prepare(
        frame,
        case.target,
        order=case.order,
        drop=case.drop,
        kind="auto" if case.bins is None else "number",
        sample=case.sample,
    )


def compared(case: Case, data: Path, *, quick: bool) -> Comparison:
    """The comparison behind a report, as `offby compare` would make it."""
    problem = prepared(case, data)
    settings: dict[str, Any] = {"folds": 3, "seeds": 1} if quick else {"noise": True}
    if case.bins is not None:
        settings["bins"] = case.bins
    if problem.kind == "classes":
        settings |= {"labels": problem.labels, "positions": problem.positions}
    return compare(
        problem.X,
        problem.y,
        losses=case.losses,
        kind=problem.kind,
        name=case.data,
        target=case.target,
        notes=problem.notes,
        command=f"python benchmarks/reports.py {case.name}" + " --quick" * quick,
        n_jobs=-1,
        **settings,
    )


def main(words: Sequence[str] | None = None) -> None:
    """Make the reports that are asked for, and say how large and how long."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = [case.name for case in CASES]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--quick", action="store_true", help="3 folds, 1 seed")
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
        page = report.render(compared(case, given.data, quick=given.quick))
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
