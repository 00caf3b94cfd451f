"""The trainer beside an earlier one: scores and CPU seconds on development splits.

    pip install -e . statsmodels ISLP
    git worktree add ../before 59db39c && (cd ../before && python hatch_build.py)
    python benchmarks/trainer.py DATA ../before/src [SET ...]
    python benchmarks/trainer.py table

DATA is a folder with winequality.csv.gz, swd.csv.gz, concrete.csv.gz, abalone.csv.gz.
Settings of the trainer are chosen on these splits and on no others: they are drawn with
a seed that no other benchmark uses, and half of the sets are in no other benchmark.
Each fit runs in a process of its own, on one thread, old and new in turns. What is done
is kept in docs/trainer.json, and is not done again unless --again says so.
"""

import json
import os
import subprocess
import sys
import time
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import polars as pl
import torch
from sets import CLASSES, NUMBERS
from sets import read as read_file
from sklearn.datasets import load_diabetes
from statsmodels.datasets import randhie

from offby import BinnedRegressor, OrdinalClassifier
from offby.metrics import ranked_probability_score

HERE = Path(__file__)
OUT = HERE.parents[1] / "docs" / "trainer.json"
SEED = 20261126
MOST_ROWS = 2_000
N_SPLITS = 2
SETS = {
    "wine red": "classes",
    "SWD": "classes",
    "concrete": "numbers",
    "abalone": "numbers",
    # These four are in no other benchmark.
    "diabetes": "numbers",
    "wage": "numbers",
    "doctor visits": "numbers",
    "education": "classes",
}


def read(name: str, data: str) -> tuple[pl.DataFrame, np.ndarray]:
    """Columns and target; text becomes categories."""
    match name:
        case "diabetes":
            table = pl.from_pandas(load_diabetes(as_frame=True)["frame"])
            target = "target"
        case "doctor visits":
            table, target = pl.from_pandas(randhie.load_pandas().data), "mdvis"
        case "wage" | "education":
            target = name
            # The file, as the package itself loads more than it needs.
            table = pl.read_csv(distribution("ISLP").locate_file("ISLP/data/Wage.csv"))
            table = table.drop("logwage", "region")
            # Its names begin with a number: 1. < HS Grad to 5. Advanced Degree.
            table = table.with_columns(
                pl.col("education").str.slice(0, 1).cast(pl.Int64)
            )
        case _:
            sources = CLASSES if SETS[name] == "classes" else NUMBERS
            return read_file(data, sources[name])
    y = table[target].to_numpy().astype(float)
    table = table.drop(target).with_columns(pl.col(pl.String).cast(pl.Categorical))
    return table, y


def split(name: str, data: str, number: int):
    """Rows to learn from and rows to judge."""
    X, y = read(name, data)
    rows = np.random.default_rng([SEED, number]).permutation(len(y))[:MOST_ROWS]
    cut = round(0.8 * len(rows))
    return X[rows[:cut]], y[rows[:cut]], X[rows[cut:]], y[rows[cut:]]


def fit(name: str, data: str, number: int) -> dict[str, float]:
    """Score of one fit on new rows, and the CPU seconds it took."""
    torch.set_num_threads(1)
    X, y, new, truth = split(name, data, number)
    if SETS[name] == "classes":
        y, truth = y.astype(int), truth.astype(int)
        model = OrdinalClassifier(categories=sorted({*y, *truth}), random_state=number)
    else:
        model = BinnedRegressor(random_state=number)
    begun = time.process_time()
    model.fit(X, y)
    seconds = time.process_time() - begun
    if SETS[name] == "classes":
        probs = model.predict_proba(new)
        index = np.searchsorted(model.classes_, truth)
        score = float(np.mean(ranked_probability_score(index, probs)))
    else:
        score = float(np.mean(model.predict_dist(new).crps(truth)))
    return {"score": score, "seconds": seconds, "epochs": len(model.validation_scores_)}


def measured(source: str, name: str, data: str, number: int) -> dict[str, float]:
    """The fit of one version of the code, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE), "fit", name, data, str(number)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def run(data: str, before: str, names: list[str], again: bool) -> None:
    """Fit what is not done yet, and keep each result as it comes."""
    known = json.loads(OUT.read_text()) if OUT.exists() else {}
    sources = {"before": before, "now": str(HERE.parents[1] / "src")}
    for number in range(N_SPLITS):
        for name in names or SETS:
            fits = known.setdefault(f"{name}, split {number}", {})
            for version, source in sources.items():
                if version not in fits or (again and version == "now"):
                    fits[version] = measured(source, name, data, number)
                    print(name, number, version, fits[version], flush=True)
            OUT.write_text(json.dumps(known, indent=1) + "\n")


def table() -> None:
    """Ratios of scores and of CPU seconds, now to before."""
    pairs = json.loads(OUT.read_text())
    logs = []
    print(f"{'set':<24}{'score':>16}{'ratio':>8}{'CPU seconds':>16}{'ratio':>8}")
    for name, pair in pairs.items():
        old, new = pair["before"], pair["now"]
        ratios = [new[key] / old[key] for key in ("score", "seconds")]
        logs.append(np.log(ratios))
        scores = f"{old['score']:.4g} {new['score']:.4g}"
        seconds = f"{old['seconds']:.1f} {new['seconds']:.1f}"
        print(f"{name:<24}{scores:>16}{ratios[0]:>8.3f}{seconds:>16}{ratios[1]:>8.3f}")
    score, seconds = np.exp(np.mean(logs, 0))
    print(f"{'geometric mean':<24}{'':>16}{score:>8.3f}{'':>16}{seconds:>8.3f}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["table"]:
            table()
        case ["fit", name, data, number]:
            print(json.dumps(fit(name, data, int(number))))
        case [data, before, *names]:
            run(data, before, [n for n in names if n != "--again"], "--again" in names)
            table()
        case _:
            sys.exit(__doc__)
