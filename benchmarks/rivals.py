"""Gradient boosting of other libraries, with the defaults of everything.

    pip install -e '.[rivals]'
    python benchmarks/rivals.py DATA classes [SET ...]    RPS on 5 folds
    python benchmarks/rivals.py DATA numbers [SET ...]    CRPS, log likelihood, coverage
    python benchmarks/rivals.py table                     beside offby, for a page

DATA is a folder with winequality.csv.gz, diamonds.csv.gz and the like. A set of more
than 5,000 rows is cut to a random 5,000. Every rival that can stop early does, on a
random 15 % of its training rows, and is else untuned; so are the estimators. A number
restricts the run to the first folds. Each fold is added to docs/rivals.json as it is
done, and is not done again. `table` puts them beside the network of offby, LightGBM
and CatBoost, as benchmarks/boosted.py has measured these; each row is of the folds that
all models have.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl
import torch
from scipy.stats import norm
from sets import CLASSES, NUMBERS, read
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import KFold, train_test_split

from offby.metrics import ranked_probability_score

OUT = Path(__file__).parents[1] / "docs" / "rivals.json"
TABLES = (
    ("classes", "RPS"),
    ("numbers", "CRPS"),
    ("numbers", "log likelihood"),
    ("numbers", "coverage"),
)
MOST_ROWS = 5_000
Rows = dict[str, np.ndarray]
"""Scores of each row."""
LEVELS = np.arange(1, 20) / 20


@dataclass(frozen=True)
class Fold:
    """Rows to learn from, rows to stop early on (of the former), rows to judge."""

    X: pl.DataFrame
    y: np.ndarray
    inner: np.ndarray
    stop: np.ndarray
    learned: np.ndarray
    new: np.ndarray

    def known_stop(self) -> np.ndarray:
        """The rows to stop on of classes that came before: others are refused."""
        return self.stop[np.isin(self.y[self.stop], self.y[self.inner])]

    def words(self) -> list[int]:
        """Places of the columns of categories."""
        return [i for i, t in enumerate(self.X.dtypes) if t == pl.Categorical]

    def codes(self, rows: np.ndarray) -> np.ndarray:
        """Numbers for those who take no words: a code for each category."""
        X = self.X.with_columns(pl.col(pl.Categorical).to_physical())
        return X.cast(pl.Float64).to_numpy()[rows]


def folds(X: pl.DataFrame, y: np.ndarray) -> Iterator[Fold]:
    """Five, the same for everyone."""
    for learned, new in KFold(5, shuffle=True, random_state=0).split(y):
        inner, stop = train_test_split(learned, test_size=0.15, random_state=0)
        yield Fold(X, y, inner, stop, learned, new)


def spread(probs: np.ndarray, known: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Probabilities for all classes, where a model has seen only some."""
    whole = np.zeros((len(probs), len(classes)))
    whole[:, np.searchsorted(classes, known)] = probs
    return whole


def sklearn_classes(fold: Fold, classes: np.ndarray) -> np.ndarray:
    model = HistGradientBoostingClassifier(
        early_stopping=True,
        max_iter=1000,
        categorical_features=fold.words() or None,
        random_state=0,
    )
    stop = fold.known_stop()
    model.fit(
        fold.codes(fold.inner),
        fold.y[fold.inner],
        X_val=fold.codes(stop),
        y_val=fold.y[stop],
    )
    return spread(model.predict_proba(fold.codes(fold.new)), model.classes_, classes)


def lightgbm_classes(fold: Fold, classes: np.ndarray) -> np.ndarray:
    import lightgbm

    model = lightgbm.LGBMClassifier(
        n_estimators=2000, random_state=0, n_jobs=1, verbose=-1
    )
    _stopped_lightgbm(model, fold)
    known = np.unique(fold.y[fold.inner])
    return spread(model.predict_proba(fold.codes(fold.new)), known, classes)


def _stopped_lightgbm(model, fold: Fold) -> None:
    import lightgbm

    stop = fold.known_stop() if hasattr(model, "predict_proba") else fold.stop
    model.fit(
        fold.codes(fold.inner),
        fold.y[fold.inner],
        eval_set=[(fold.codes(stop), fold.y[stop])],
        categorical_feature=fold.words() or "auto",
        callbacks=[lightgbm.early_stopping(50, verbose=False)],
    )


def catboost_classes(fold: Fold, classes: np.ndarray) -> np.ndarray:
    import catboost

    model = catboost.CatBoostClassifier(**_catboost("MultiClass"))
    model.fit(*_pool(fold, fold.inner), eval_set=_pool(fold, fold.known_stop()))
    known = np.asarray(model.classes_, dtype=float).ravel()
    return spread(model.predict_proba(_pool(fold, fold.new)[0]), known, classes)


def _catboost(loss: str) -> dict:
    return {
        "loss_function": loss,
        "early_stopping_rounds": 50,
        "random_seed": 0,
        "thread_count": 1,
        "verbose": False,
        "allow_writing_files": False,
    }


def _pool(fold: Fold, rows: np.ndarray):
    """Rows as CatBoost takes them: categories as text."""
    import pandas as pd

    table = pd.DataFrame(fold.codes(rows))
    for place in fold.words():
        table[place] = table[place].fillna(-1).astype(int).astype(str)
    return table, fold.y[rows]


def ordboost_classes(fold: Fold, classes: np.ndarray) -> np.ndarray:
    import ordboost

    model = ordboost.OrdBoostClassifier(random_state=0, n_jobs=1)
    codes = fold.codes(fold.learned)
    model.fit(codes, np.searchsorted(classes, fold.y[fold.learned]))
    known = classes[np.asarray(model.classes_)]
    return spread(model.predict_proba(fold.codes(fold.new)), known, classes)


def lightgbm_numbers(fold: Fold) -> Rows:
    import lightgbm

    quantiles = []
    for level in LEVELS:
        model = lightgbm.LGBMRegressor(
            objective="quantile",
            alpha=level,
            n_estimators=2000,
            random_state=0,
            n_jobs=1,
            verbose=-1,
        )
        _stopped_lightgbm(model, fold)
        quantiles.append(model.predict(fold.codes(fold.new)))
    return judged_quantiles(np.stack(quantiles, -1), fold.y[fold.new])


def catboost_numbers(fold: Fold) -> Rows:
    import catboost

    levels = ",".join(f"{level:.2f}" for level in LEVELS)
    model = catboost.CatBoostRegressor(**_catboost(f"MultiQuantile:alpha={levels}"))
    model.fit(*_pool(fold, fold.inner), eval_set=_pool(fold, fold.stop))
    quantiles = model.predict(_pool(fold, fold.new)[0])
    return judged_quantiles(quantiles, fold.y[fold.new])


def judged_quantiles(quantiles: np.ndarray, y: np.ndarray) -> Rows:
    """CRPS of each row by the trapezoid rule over 19 quantiles, in order."""
    quantiles = np.sort(quantiles, -1)
    short = y[:, None] - quantiles
    return {
        "CRPS": 2 * np.maximum(LEVELS * short, (LEVELS - 1) * short).sum(-1) / 20,
        "coverage": (quantiles[:, 0] <= y) & (y <= quantiles[:, -1]),
    }


def catboost_normal(fold: Fold) -> Rows:
    import catboost

    model = catboost.CatBoostRegressor(**_catboost("RMSEWithUncertainty"))
    model.fit(*_pool(fold, fold.inner), eval_set=_pool(fold, fold.stop))
    mean, variance = model.predict(_pool(fold, fold.new)[0]).T
    return _normal(mean, np.sqrt(variance), fold.y[fold.new])


def ngboost_normal(fold: Fold) -> Rows:
    import ngboost

    # It takes no gaps: the median of the column stands in.
    X = fold.codes(np.arange(len(fold.y)))
    X = np.where(np.isnan(X), np.nanmedian(X[fold.learned], 0), X)
    model = ngboost.NGBRegressor(random_state=0, verbose=False)
    model.fit(
        X[fold.inner],
        fold.y[fold.inner],
        X_val=X[fold.stop],
        Y_val=fold.y[fold.stop],
        early_stopping_rounds=50,
    )
    predicted = model.pred_dist(X[fold.new]).params
    return _normal(predicted["loc"], predicted["scale"], fold.y[fold.new])


def lightgbmlss_normal(fold: Fold) -> Rows:
    import lightgbm
    from lightgbmlss.distributions.Gaussian import Gaussian
    from lightgbmlss.model import LightGBMLSS

    words = fold.words() or "auto"
    learned, stop = (
        lightgbm.Dataset(fold.codes(rows), fold.y[rows], categorical_feature=words)
        for rows in (fold.inner, fold.stop)
    )
    model = LightGBMLSS(Gaussian())
    model.train(
        {"num_threads": 1, "verbose": -1, "seed": 0},
        learned,
        num_boost_round=2000,
        valid_sets=[stop.set_reference(learned)],
        callbacks=[lightgbm.early_stopping(50, verbose=False)],
    )
    found = model.predict(fold.codes(fold.new), pred_type="parameters")
    return _normal(found["loc"].to_numpy(), found["scale"].to_numpy(), fold.y[fold.new])


def _normal(mean, deviation, y) -> Rows:
    z = (y - mean) / deviation
    around = z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi)
    return {
        "CRPS": deviation * around,
        "log likelihood": norm.logpdf(z) - np.log(deviation),
        "coverage": np.abs(z) <= norm.ppf(0.95),
    }


MODELS: dict[str, dict[str, Callable]] = {
    "classes": {"scikit-learn": sklearn_classes, "ordboost": ordboost_classes},
    "numbers": {"CatBoost, normal": catboost_normal, "NGBoost, normal": ngboost_normal},
}
MEASURED_THERE = {
    "classes": {
        "offby": "offby network",
        "LightGBM": "LightGBM",
        "CatBoost": "CatBoost",
    },
    "numbers": {
        "offby": "offby network",
        "LightGBM, 19 quantiles": "LightGBM",
        "CatBoost, 19 quantiles": "CatBoost",
    },
}
"""Models of the tables that benchmarks/boosted.py measures, and their names there."""


def judged(part: str, model: str, fold: Fold) -> dict[str, float]:
    """Scores of one model on one fold."""
    begun = time.process_time()
    if part == "classes":
        classes = np.unique(fold.y)
        probs = MODELS[part][model](fold, classes)
        y = np.searchsorted(classes, fold.y[fold.new])
        labels = np.arange(len(classes))
        found = {"RPS": ranked_probability_score(y, probs, labels=labels)}
    else:
        rows = MODELS[part][model](fold)
        found = {score: values.mean() for score, values in rows.items()}
    return {k: float(v) for k, v in found.items()} | {
        "CPU seconds": round(time.process_time() - begun, 2)
    }


def measure(folder: str, part: str, only: list[str], n_folds: int) -> None:
    """Fill in what is not known yet, fold by fold."""
    torch.set_num_threads(1)
    sources = CLASSES if part == "classes" else NUMBERS
    for name in only or sources:
        X, y = read(folder, sources[name], MOST_ROWS)
        for model in MODELS[part]:
            done: list[dict[str, float]] = []
            for place, fold in enumerate(islice(folds(X, y), n_folds)):
                known = json.loads(OUT.read_text()) if OUT.exists() else {}
                cells = known.setdefault(part, {}).setdefault(name, {})
                done = cells.setdefault(model, [])
                if len(done) > place:
                    continue
                done.append(judged(part, model, fold))
                OUT.write_text(json.dumps(known, indent=1) + "\n")
            scores = [f"{key} {value:.4g}" for key, value in means(done).items()]
            print(name, "  ", model, "  ", "  ".join(scores), flush=True)


def means(done: list[dict[str, float]]) -> dict[str, float]:
    """Over the folds, of what all of them have."""
    shared = [key for key in done[0] if all(key in each for each in done)]
    return {key: float(np.mean([each[key] for each in done])) for key in shared}


def with_boosted(known: dict, part: str) -> dict:
    """The folds of all models by set: those of boosted.json first."""
    measured = json.loads(OUT.with_name("boosted.json").read_text())[part]
    found = {}
    for name, cells in known[part].items():
        there = {
            title: _in_order(measured.get(name, {}).get(model, {}))
            for title, model in MEASURED_THERE[part].items()
        }
        found[name] = there | {m: cells[m] for m in MODELS[part] if m in cells}
    return found


def _in_order(folds: dict[str, dict]) -> list[dict]:
    rows = [folds[place] for place in sorted(folds)]
    return [
        row | {"log likelihood": -row["log score"]} if "log score" in row else row
        for row in rows
    ]


def table(known: dict, part: str, score: str) -> str:
    """A score of every model on every set, in Markdown; the best is bold."""
    models = [*MEASURED_THERE[part], *MODELS[part]]
    whole = {
        name: cells
        for name, cells in with_boosted(known, part).items()
        if all(cells.get(model) for model in models)
    }
    models = [m for m in models if any(score in means(c[m]) for c in whole.values())]
    best = {"log likelihood": max, "coverage": _nearest}.get(score, min)
    lines = [
        f"| {score} | " + " | ".join(models) + " |",
        "|---" * (len(models) + 1) + "|",
    ]
    for name, cells in whole.items():
        n_folds = min(len(cells[model]) for model in models)
        row = [means(cells[model][:n_folds])[score] for model in models]
        texts = [
            f"**{value:.4g}**" if value == best(row) else f"{value:.4g}"
            for value in row
        ]
        folds_of = "1 fold" if n_folds == 1 else f"{n_folds} folds"
        lines.append(f"| {name}, {folds_of} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def _nearest(shares: list[float]) -> float:
    return min(shares, key=lambda share: abs(share - 0.9))


def main(*words: str) -> None:
    """Measure one part, or print the tables."""
    if words == ("table",):
        known = json.loads(OUT.read_text())
        sys.stdout.write("\n\n".join(table(known, *each) for each in TABLES) + "\n")
        return
    folder, part, *only = words
    names = [word for word in only if not word.isdigit()]
    n_folds = next((int(word) for word in only if word.isdigit()), 5)
    measure(folder, part, names, n_folds)


if __name__ == "__main__":
    main(*sys.argv[1:])
