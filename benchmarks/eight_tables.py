"""What `offby compare --quick` says first on eight public tables, and its time.

    python benchmarks/eight_tables.py [FOLDER] [NAME ...]

FOLDER (by default ../shared/data) holds abalone.csv.gz, ames.csv.gz, diamonds.csv.gz
and winequality.csv.gz. The other tables come with packages: vega_datasets (stocks,
movies), statsmodels (randhie) and ISLP's Bikeshare from FOLDER. What is not there is
said and left out. Reports are written to a temporary folder.
"""

import importlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas

FILES = {
    "wine-red": ("winequality.csv.gz", "quality"),
    "abalone": ("abalone.csv.gz", "rings"),
    "diamonds": ("diamonds.csv.gz", "price"),
    "bikes": ("bikeshare2011_islp.csv.gz", "bikers"),
    "ames": ("ames.csv.gz", "Sale_Price"),
}
FIRST_LINES = 5


def tables(folder: Path) -> dict[str, tuple[str, Callable[[], pandas.DataFrame]]]:
    """Target and a function that gives the frame, by name."""
    found: dict[str, tuple[str, Callable[[], pandas.DataFrame]]] = {
        name: (target, lambda path=folder / file: pandas.read_csv(path))
        for name, (file, target) in FILES.items()
    }
    found["stocks"] = ("price", lambda: _vega("stocks"))
    found["movies"] = ("IMDB_Rating", lambda: _vega("movies"))
    found["randhie"] = ("mdvis", _randhie)
    return found


def _vega(name: str) -> pandas.DataFrame:
    return getattr(importlib.import_module("vega_datasets").data, name)()


def _randhie() -> pandas.DataFrame:
    module = importlib.import_module("statsmodels.datasets.randhie")
    return module.load_pandas().data


def target_in(frame: pandas.DataFrame, target: str) -> str:
    """The column of this name, however it is capitalized."""
    return next(each for each in frame.columns if each.lower() == target.lower())


def first_lines(frame: pandas.DataFrame, name: str, target: str) -> tuple[str, float]:
    """The first lines of the answer, and seconds by the wall clock."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.csv"
        frame.to_csv(path, index=False)
        words = ["compare", str(path), "-t", target, "--quick", "-o"]
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "offby", *words, f"{folder}/report.html"],
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - begun
    if done.returncode:
        return done.stderr.strip().splitlines()[-1], seconds
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return "\n".join(lines[:FIRST_LINES]), seconds


def main(folder: Path, names: list[str]) -> None:
    """Print the first lines of each table, and what it took."""
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
        text, seconds = first_lines(frame, name, target)
        print(f"\n## {name}, {len(frame):,} rows, {seconds:.0f} s\n{text}", flush=True)


if __name__ == "__main__":
    asked = sys.argv[1:]
    is_folder = bool(asked) and Path(asked[0]).is_dir()
    main(
        Path(asked[0] if is_folder else "../shared/data"),
        asked[1:] if is_folder else asked,
    )
