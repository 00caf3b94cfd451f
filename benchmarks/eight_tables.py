"""What `offby compare` says first on eight public tables, and what it takes.

    python benchmarks/eight_tables.py [FOLDER] [--sizes quick,default] [NAME ...]

FOLDER (by default ../shared/data) holds abalone.csv.gz, ames.csv.gz, diamonds.csv.gz,
bikeshare2011_islp.csv.gz, winequality.csv.gz and movies.json. The last one is
data/movies.json of the npm package vega-datasets 2.11 (`npm pack vega-datasets@2.11.0`
fetches it as an archive). The other tables come with Python packages: vega_datasets
(stocks) and statsmodels (randhie). What is not there is said and left out. A default
run gets 5,000 rows at most, by `--sample`; `--quick` takes a sample of its own.

Seconds by the wall clock depend on what else the machine does, so CPU seconds, of the
command and its workers, are measured beside. docs/eight_tables.json keeps the results,
and a run of some tables replaces those only. Reports go to a temporary folder.
"""

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas

FILES = {
    "wine-red": ("winequality.csv.gz", "quality"),
    "abalone": ("abalone.csv.gz", "rings"),
    "diamonds": ("diamonds.csv.gz", "price"),
    "bikes": ("bikeshare2011_islp.csv.gz", "bikers"),
    "ames": ("ames.csv.gz", "Sale_Price"),
}
FIRST_LINES = 5
MOST_ROWS = 5_000
SIZES = {"quick": ["--quick"], "default": []}
OUT = Path("docs/eight_tables.json")


def tables(folder: Path) -> dict[str, tuple[str, Callable[[], pandas.DataFrame]]]:
    """Target and a function that gives the frame, by name."""
    found: dict[str, tuple[str, Callable[[], pandas.DataFrame]]] = {
        name: (target, lambda path=folder / file: pandas.read_csv(path))
        for name, (file, target) in FILES.items()
    }
    found["stocks"] = ("price", _stocks)
    movies = folder / "movies.json"
    found["movies"] = ("IMDB Rating", lambda: pandas.read_json(movies))
    found["randhie"] = ("mdvis", _randhie)
    return found


def _stocks() -> pandas.DataFrame:
    return importlib.import_module("vega_datasets").data.stocks()


def _randhie() -> pandas.DataFrame:
    module = importlib.import_module("statsmodels.datasets.randhie")
    return module.load_pandas().data


def target_in(frame: pandas.DataFrame, target: str) -> str:
    """The column of this name, however it is capitalized."""
    return next(each for each in frame.columns if each.lower() == target.lower())


def measured(frame: pandas.DataFrame, name: str, target: str, size: str) -> dict:
    """The first lines of the answer, and the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.csv"
        frame.to_csv(path, index=False)
        words = ["compare", str(path), "-t", target, *SIZES[size]]
        if size == "default" and len(frame) > MOST_ROWS:
            words += ["--sample", str(MOST_ROWS)]
        begun, before = time.perf_counter(), _cpu_seconds()
        done = subprocess.run(
            [sys.executable, "-m", "offby", *words, "-o", f"{folder}/report.html"],
            capture_output=True,
            text=True,
            check=False,
        )
        seconds, cpu = time.perf_counter() - begun, _cpu_seconds() - before
    text = done.stdout if not done.returncode else done.stderr
    lines = [line.replace(folder, ".") for line in text.splitlines() if line.strip()]
    return {
        "table": name,
        "size": size,
        "rows": len(frame),
        "target": target,
        "exit": done.returncode,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "load": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
        "first": lines[:FIRST_LINES] if not done.returncode else lines[-1:],
        "rest": lines[FIRST_LINES:],
    }


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _keep(found: dict[str, Any]) -> None:
    kept = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else []
    place = found["table"], found["size"]
    kept = [each for each in kept if (each["table"], each["size"]) != place]
    kept = sorted([*kept, found], key=lambda each: (each["size"], each["table"]))
    text = json.dumps(kept, indent=1, ensure_ascii=False)
    OUT.write_text(text + "\n", encoding="utf-8")


def main(folder: Path, sizes: list[str], names: list[str]) -> None:
    """Print the first lines of each table, and what it took; keep both."""
    for name, (target, read) in tables(folder).items():
        if names and name not in names:
            continue
        try:
            frame = read()
            if name == "wine-red" and "color" in frame.columns:
                frame = frame.query("color == 'red'").drop(columns="color")
            # Their sum is the target.
            frame = frame.drop(columns=["casual", "registered"], errors="ignore")
            target = target_in(frame, target)
        except (ImportError, OSError, StopIteration) as error:
            print(f"\n## {name}: left out ({type(error).__name__}: {error})")
            continue
        for size in sizes:
            found = measured(frame, name, target, size)
            _keep(found)
            took = f"{found['seconds']:.0f} s, {found['cpu_seconds']:.0f} CPU s"
            print(f"\n## {name}, {len(frame):,} rows, {size}: {took}")
            print("\n".join(found["first"]), flush=True)


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("words", nargs="*", metavar="FOLDER | NAME")
    asked.add_argument("--sizes", default="quick,default")
    given = asked.parse_intermixed_args()
    folder, names = Path("../shared/data"), given.words
    if names and Path(names[0]).is_dir():
        folder, names = Path(names[0]), names[1:]
    main(folder, given.sizes.split(","), names)
