"""The tables of docs/integrations.md.

    python benchmarks/prediction_sets.py FOLDER docs/prediction_sets.json

FOLDER holds the tables of benchmarks/sets.py. Needs mapie (1.6 was measured), crepes
(0.9) and LightGBM; about two minutes. Classes: one boosted classifier for each set and
seed, trained on half of at most 4,000 rows; from its probabilities come the sets of
MAPIE's LAC and APS and the ranges of `predict_interval`, all calibrated on the same
quarter and tried on the last quarter. Numbers: the same of a boosted regressor, whose
intervals come from its own validation rows, and, with the quarter, from MAPIE's CQR on
its quantiles and from crepes on its mean and standard deviation.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sets import CLASSES, NUMBERS, read
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from offby import BoostedBinnedRegressor, BoostedOrdinalClassifier
from offby.tabular.conformal import class_range, reach, strangeness

COVERAGE, SEEDS, ROWS = 0.9, 3, 4000
ORDINAL = ("ESL", "SWD", "LEV", "ERA", "anes", "wine red", "wine white", "abalone")
MEASURED = ("concrete", "abalone", "california", "bikes")


class Known(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose inputs are its probabilities."""

    def __init__(self, classes: Any = None) -> None:
        self.classes = classes
        self.classes_, self.fitted_ = np.asarray(classes), True

    def fit(self, X: Any, y: Any) -> "Known":
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        return np.asarray(X)

    def predict(self, X: Any) -> np.ndarray:
        return self.classes_[np.asarray(X).argmax(1)]


class Quantiles(RegressorMixin, BaseEstimator):
    """A fitted regressor that gives one column of its inputs."""

    def __init__(self, column: int = 0) -> None:
        self.column, self.fitted_ = column, True

    def fit(self, X: Any, y: Any) -> "Quantiles":
        return self

    def predict(self, X: Any) -> np.ndarray:
        return np.asarray(X)[:, self.column]


def split(folder: str, source: Any, seed: int) -> tuple[list[pl.DataFrame], list[Any]]:
    """Rows to train on, to calibrate with, and to try: a half and two quarters."""
    frame, y = read(folder, source, ROWS)
    order = np.random.default_rng(seed).permutation(len(y))
    half, rest = len(y) // 2, len(y) * 3 // 4
    parts = np.split(order, [half, rest])
    return [frame[part] for part in parts], [y[part] for part in parts]


def holes(inside: np.ndarray) -> np.ndarray:
    """Rows of sets in which a class is missing between two others."""
    first = inside.argmax(1)
    last = inside.shape[1] - 1 - inside[:, ::-1].argmax(1)
    return inside.any(1) & (last - first + 1 != inside.sum(1))


def ranges(probs: np.ndarray, calibrated: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The sets of `predict_interval(conformal=True)`, calibrated on given rows."""
    strange = strangeness(calibrated)[np.arange(len(codes)), codes]
    bound = reach(strange, np.ones(len(codes)), COVERAGE)
    ends = class_range(probs, bound)
    k = np.arange(probs.shape[1])
    return (ends[:, :1] <= k) & (k <= ends[:, 1:])


def of_mapie(score: str, probs: np.ndarray, calibrated: np.ndarray, y: np.ndarray):
    from mapie.classification import SplitConformalClassifier

    model = SplitConformalClassifier(
        Known(np.arange(probs.shape[1])),
        confidence_level=COVERAGE,
        conformity_score=score,
        prefit=True,
        random_state=0,
    ).conformalize(calibrated, y)
    return model.predict_set(probs)[1][:, :, 0].astype(bool)


def classes(folder: str, name: str, seed: int) -> dict[str, dict[str, float]]:
    X, y = split(folder, CLASSES[name], seed)
    model = BoostedOrdinalClassifier(n_bags=1, n_jobs=1, random_state=seed)
    model.fit(X[0], y[0])
    # Classes that training did not see cannot be in any set.
    known = [np.isin(part, model.categories_) for part in y]
    after, test = (
        model.predict_dist(X[k].filter(pl.Series(known[k]))).probs for k in (1, 2)
    )
    codes, true = (np.searchsorted(model.categories_, y[k][known[k]]) for k in (1, 2))
    found = {
        "LAC of MAPIE": of_mapie("lac", test, after, codes),
        "APS of MAPIE": of_mapie("aps", test, after, codes),
        "predict_interval": ranges(test, after, codes),
    }
    return {
        method: {
            "covered, %": 100 * float(inside[np.arange(len(true)), true].mean()),
            "classes in it": float(inside.sum(1).mean()),
            "with holes, %": 100 * float(holes(inside).mean()),
            "empty, %": 100 * float((~inside.any(1)).mean()),
        }
        for method, inside in found.items()
    }


def numbers(folder: str, name: str, seed: int) -> dict[str, dict[str, float]]:
    from crepes import ConformalRegressor
    from mapie.regression import ConformalizedQuantileRegressor

    X, y = split(folder, NUMBERS[name], seed)
    model = BoostedBinnedRegressor(n_bags=1, n_jobs=1, random_state=seed)
    model.fit(X[0], y[0])
    after, test = model.predict_dist(X[1]), model.predict_dist(X[2])
    tail = (1 - COVERAGE) / 2
    levels = [tail, 1 - tail, 0.5]
    cqr = ConformalizedQuantileRegressor(
        [Quantiles(k) for k in range(3)], confidence_level=COVERAGE, prefit=True
    ).conformalize(after.quantiles(levels), y[1])
    ends = cqr.predict_interval(test.quantiles(levels))[1][:, :, 0]
    normal = ConformalRegressor()
    normal.fit(y[1] - after.mean(), sigmas=after.std())
    found = {
        "the forecast itself": model.predict_interval(X[2], COVERAGE),
        "predict_interval, conformal": model.predict_interval(
            X[2], COVERAGE, conformal=True
        ),
        "CQR of MAPIE on its quantiles": ends,
        "crepes on its mean and width": normal.predict_int(
            test.mean(), sigmas=test.std(), confidence=COVERAGE
        ),
    }
    width = float(np.std(y[0]))
    return {
        method: {
            "covered, %": 100
            * float(((end[:, 0] <= y[2]) & (y[2] <= end[:, 1])).mean()),
            "width / std": float((end[:, 1] - end[:, 0]).mean() / width),
        }
        for method, end in found.items()
    }


def table(sets: dict[str, dict[str, dict[str, float]]]) -> str:
    """A row for each method: the mean over the sets, the least and the largest."""
    first = next(iter(sets.values()))
    scores = list(next(iter(first.values())))
    lines = [f"| | {' | '.join(scores)} |", "|---|" + "---:|" * len(scores)]
    for method in first:
        cells = []
        for score in scores:
            values = [found[method][score] for found in sets.values()]
            n = 2 if "std" in score or "classes" in score else 1
            low, high = f"{min(values):.{n}f}", f"{max(values):.{n}f}"
            cells.append(f"{np.mean(values):.{n}f} ({low} to {high})")
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def mean_of(runs: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    return {
        method: {
            score: float(np.mean([run[method][score] for run in runs]))
            for score in scores
        }
        for method, scores in runs[0].items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    results: dict[str, Any] = {"classes": {}, "numbers": {}}
    jobs = {"classes": (classes, ORDINAL), "numbers": (numbers, MEASURED)}
    for kind, (study, names) in jobs.items():
        for name in names:
            runs = [study(given.folder, name, seed) for seed in range(SEEDS)]
            results[kind][name] = mean_of(runs)
            print(name, flush=True)
        print(table(results[kind]), flush=True)
    given.out.write_text(json.dumps(results, indent=1) + "\n")
