"""The estimators beside those of an earlier commit: scores and CPU seconds.

    git worktree add ../before 59db39c && (cd ../before && python hatch_build.py)
    python benchmarks/before.py DATA ../before/src SET ...
    python benchmarks/before.py table

The scores of that commit are in docs/rivals.json ("offby, 59db39c"), those of today in
docs/boosted.json ("offby network"), both by the same folds and the same rows. Its
seconds were taken on another, busy day; so the first fold of some sets is fitted again
by both, in turns, each in a process of its own on one thread, and its CPU seconds of
fit and forecast are kept in docs/before.json. `table` prints all of it.
"""

import json
import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from rivals import MOST_ROWS, Fold, folds
from scipy.stats import gmean
from sets import CLASSES, NUMBERS, read

from offby import BinnedRegressor, OrdinalClassifier
from offby.metrics import ranked_probability_score

HERE = Path(__file__)
DOCS = HERE.parents[1] / "docs"
OUT = DOCS / "before.json"
COMMIT = "59db39c"
BEFORE, NOW = f"offby, {COMMIT}", "offby network"
SCORES = {"classes": "RPS", "numbers": "CRPS"}


def fit(data: str, kind: str, name: str) -> dict[str, float]:
    """Score and CPU seconds of the first fold, by the code that is on the path."""
    torch.set_num_threads(1)
    sources = CLASSES if kind == "classes" else NUMBERS
    fold = next(islice(folds(*read(data, sources[name], MOST_ROWS)), 1))
    begun = time.process_time()
    score = _rps(fold) if kind == "classes" else _crps(fold)
    return {SCORES[kind]: score, "CPU seconds": time.process_time() - begun}


def _rps(fold: Fold) -> float:
    classes = np.unique(fold.y)
    model = OrdinalClassifier(categories=list(classes), random_state=0)
    model.fit(fold.X[fold.learned.tolist()], fold.y[fold.learned])
    probs = model.predict_proba(fold.X[fold.new.tolist()])
    index = np.searchsorted(classes, fold.y[fold.new])
    return float(ranked_probability_score(index, probs))


def _crps(fold: Fold) -> float:
    model = BinnedRegressor(random_state=0)
    model.fit(fold.X[fold.learned.tolist()], fold.y[fold.learned])
    predicted = model.predict_dist(fold.X[fold.new.tolist()])
    return float(predicted.crps(fold.y[fold.new]).mean())


def run(data: str, before: str, names: list[str]) -> None:
    """Fit what is not done yet, before and now in turns."""
    sources = {BEFORE: before, NOW: str(HERE.parents[1] / "src")}
    for kind, known_sets in (("classes", CLASSES), ("numbers", NUMBERS)):
        for name in [name for name in names if name in known_sets]:
            known = json.loads(OUT.read_text()) if OUT.exists() else {}
            cells = known.setdefault(kind, {}).setdefault(name, {})
            for version, source in sources.items():
                if version not in cells:
                    cells[version] = _in_a_process(source, data, kind, name)
                    print(kind, name, version, cells[version], flush=True)
            OUT.write_text(json.dumps(known, indent=1) + "\n")


def _in_a_process(source: str, data: str, kind: str, name: str) -> dict[str, float]:
    environment = os.environ | {"PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE), "fit", data, kind, name]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def pairs() -> list[tuple[str, str, int, float, float]]:
    """Kind, set, number of folds, score before and now, by the folds of both."""
    before = json.loads((DOCS / "rivals.json").read_text())
    now = json.loads((DOCS / "boosted.json").read_text())
    found = []
    for kind, score in SCORES.items():
        for name, cells in before[kind].items():
            old = [fold[score] for fold in cells.get(BEFORE, [])]
            new = now[kind].get(name, {}).get(NOW, {})
            places = [place for place in range(len(old)) if str(place) in new]
            if places:
                means = (
                    float(np.mean([old[place] for place in places])),
                    float(np.mean([new[str(place)][score] for place in places])),
                )
                found.append((kind, name, len(places), *means))
    return found


def tables() -> str:
    """Scores side by side, and the CPU seconds that were taken in turns."""
    lines = [
        "| set | folds | score before | today | ratio |",
        "|---|---|---|---|---|",
    ]
    rows = pairs()
    for kind, name, n_folds, old, new in rows:
        title = f"{name}, {SCORES[kind]}"
        lines.append(
            f"| {title} | {n_folds} | {old:.4g} | {new:.4g} | {new / old:.3f} |"
        )
    ratios = [new / old for *_, old, new in rows]
    above = sum(ratio > 1.02 for ratio in ratios)
    lines += [
        "",
        f"Geometric mean of the {len(ratios)} ratios: {gmean(ratios):.3f}; worst "
        f"{max(ratios):.3f}; above 1.02 on {above}.",
    ]
    known = json.loads(OUT.read_text()) if OUT.exists() else {}
    if not known:
        return "\n".join(lines)
    lines += [
        "",
        "| set, first fold | CPU seconds before | today | ratio |",
        "|---|---|---|---|",
    ]
    ratios = []
    for cells in known.values():
        for name, both in cells.items():
            old, new = (both[each]["CPU seconds"] for each in (BEFORE, NOW))
            ratios.append(new / old)
            lines.append(f"| {name} | {old:.1f} | {new:.1f} | {new / old:.2f} |")
    lines += ["", f"Geometric mean of these: {gmean(ratios):.2f}."]
    return "\n".join(lines)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["table"]:
            print(tables())
        case ["fit", data, kind, name]:
            print(json.dumps(fit(data, kind, name)))
        case [data, before, *names]:
            run(data, before, names)
        case _:
            sys.exit(__doc__)
