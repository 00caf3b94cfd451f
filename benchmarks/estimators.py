"""What the estimators reach with their defaults, on data of your own choice of folder.

    python benchmarks/estimators.py DATA uci        20 splits of wine red and concrete
    python benchmarks/estimators.py DATA bins       CRPS with 10, 30, 100 and 300 bins
    python benchmarks/estimators.py DATA losses     which loss to train on
    python benchmarks/estimators.py DATA time       of fits and forecasts, by rows

DATA is a folder with winequality.csv.gz, concrete.csv.gz and the like. Names of data
sets after the part restrict it to them, a number says how many splits. Each part prints
its rows and puts them into docs/estimators.json; what is there is not measured again,
unless --again says so. No setting was tuned on these splits.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from sets import CLASSES, NUMBERS, UCI, read
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold

from offby import BinnedRegressor, OrdinalClassifier
from offby.metrics import log_score, ranked_probability_score

OUT = Path(__file__).parents[1] / "docs" / "estimators.json"


def uci(folder: str, names: list[str], n_splits: int) -> Iterator[dict]:
    """Splits of Hernandez-Lobato and Adams (2015), as Gal published them."""
    for name in names:
        X, y = read(folder, UCI[name])
        draws = np.random.RandomState(1)
        found = []
        for _ in range(n_splits):
            order = draws.choice(range(len(y)), len(y), replace=False)
            learned, new = np.split(order, [round(0.9 * len(y))])
            model = BinnedRegressor(random_state=0).fit(X[learned.tolist()], y[learned])
            predicted = model.predict_dist(X[new.tolist()])
            found.append(
                {
                    "RMSE": np.sqrt(np.mean((predicted.mean() - y[new]) ** 2)),
                    "log likelihood": predicted.log_pdf(y[new]).mean(),
                    "CRPS": predicted.crps(y[new]).mean(),
                }
            )
        row: dict = {"data": name, "splits": len(found)}
        for key in found[0]:
            values = np.array([each[key] for each in found])
            row[key] = float(values.mean())
            row[f"{key}, standard error"] = float(
                values.std(ddof=1) / len(values) ** 0.5
            )
        yield show(row)


def bins(folder: str, names: list[str], _) -> Iterator[dict]:
    """CRPS on 5 folds, by number of bins, beside gradient boosting's 19 quantiles."""
    for name in names:
        X, y = read(folder, NUMBERS[name])
        row: dict = {"data": name, "rows": len(y)}
        for n_bins in (10, 30, 100, 300):

            def crps(X, y, X_new, y_new, n_bins=n_bins):
                model = BinnedRegressor(n_bins=n_bins, random_state=0).fit(X, y)
                return model.predict_dist(X_new).crps(y_new)

            row[f"{n_bins} bins"] = over_folds(X, y, crps)
        if all(dtype.is_numeric() for dtype in X.dtypes):
            row["boosting, 19 quantiles"] = over_folds(X, y, boosting)
        yield show(row)


def boosting(X, y, X_new, y_new) -> np.ndarray:
    """CRPS of each row by the trapezoid rule over 19 quantiles."""
    levels = np.arange(1, 20) / 20
    quantiles = np.sort(
        np.stack(
            [
                HistGradientBoostingRegressor(
                    loss="quantile", quantile=level, early_stopping=True, random_state=0
                )
                .fit(X, y)
                .predict(X_new)
                for level in levels
            ],
            -1,
        ),
        -1,
    )
    short = y_new[:, None] - quantiles
    return 2 * np.maximum(levels * short, (levels - 1) * short).sum(-1) / 20


def losses(folder: str, names: list[str], n_splits: int) -> Iterator[dict]:
    """Scores by the loss trained on; half of at most 2,000 rows is held out."""
    for name in names:
        is_class = name in CLASSES
        X, y = read(folder, (CLASSES if is_class else NUMBERS)[name], 2000)
        words = ["ce", "emd2", "ce+emd2", "cce"] + ["crps+nll"] * (not is_class)
        row: dict = {"data": name, "rows": len(y), "splits": n_splits}
        for loss in words:
            found = []
            for seed in range(n_splits):
                learned, new = np.array_split(
                    np.random.default_rng(100 + seed).permutation(len(y)), 2
                )
                judge = class_scores if is_class else number_scores
                parts = X[learned.tolist()], y[learned], X[new.tolist()], y[new]
                found.append(judge(loss, *parts))
            row[loss] = dict(
                zip(("score", "log score"), np.mean(found, 0).tolist(), strict=True)
            )
        yield show(row)


def class_scores(loss: str, X, y, X_new, y_new) -> tuple[float, float]:
    """RPS and log score of the classifier."""
    classes = np.unique(np.concatenate([y, y_new]))
    model = OrdinalClassifier(loss, categories=list(classes), random_state=0).fit(X, y)
    probs = model.predict_proba(X_new)
    return (
        ranked_probability_score(y_new, probs, labels=classes),
        log_score(y_new, probs, labels=classes),
    )


def number_scores(loss: str, X, y, X_new, y_new) -> tuple[float, float]:
    """CRPS and log score of the regressor; infinite where a number has no density."""
    predicted = BinnedRegressor(loss, random_state=0).fit(X, y).predict_dist(X_new)
    return float(predicted.crps(y_new).mean()), float(-predicted.log_pdf(y_new).mean())


def over_folds(X, y: np.ndarray, rows: Callable) -> float:
    """Mean of a value per row over 5 folds that hold out every row once."""
    found = []
    for learned, new in KFold(5, shuffle=True, random_state=0).split(y):
        parts = X[learned.tolist()], y[learned], X[new.tolist()], y[new]
        found.append(rows(*parts))
    return float(np.concatenate(found).mean())


COLUMNS = 20
SIZES = {f"{n:,} rows x {COLUMNS} columns": n for n in (1_000, 50_000)}
FORECASTS = 20_000


def duration(folder: str, names: list[str], _) -> Iterator[dict]:
    """Seconds to fit by rows, and to forecast other rows, and the memory that takes.

    On one thread: on a busy machine, threads that wait for each other burn CPU seconds.
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(max(SIZES.values()) + FORECASTS, COLUMNS))
    y = X[:, 0] * X[:, 1] + np.sin(3 * X[:, 2]) + rng.normal(size=len(X)) / 2
    for name in names:
        n_rows = SIZES[name]
        torch.set_num_threads(1)
        model = BinnedRegressor(random_state=0, n_jobs=1)
        begun = time.process_time()
        model.fit(X[:n_rows], y[:n_rows])
        row = {
            "data": name,
            "fit, CPU s": time.process_time() - begun,
            "epochs": model.n_iter_,
        }
        new, truth = X[-FORECASTS:], y[-FORECASTS:]
        model.predict_dist(new[:1_000])
        held = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak is that from now on
        begun = time.process_time()
        predicted = model.predict_dist(new)
        row["forecast, CPU s"] = time.process_time() - begun
        row["forecast, MiB of the result"] = predicted.probs.nbytes / 2**20
        row["forecast, MiB at the peak"] = _memory("VmHWM") - held
        row["CRPS of new rows"] = float(predicted.crps(truth).mean())
        yield show(row | {"CRPS of the truth": 0.5 / np.pi**0.5})


def _memory(name: str) -> float:
    """A line of what Linux says of this process, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (kib,) = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(kib) / 1024


def show(row: dict) -> dict:
    """The row, printed."""
    print("  ".join(f"{key} {_text(value)}" for key, value in row.items()), flush=True)
    return row


def _text(value) -> str:
    match value:
        case float():
            return f"{value:.4g}"
        case dict():
            return " / ".join(map(_text, value.values()))
    return str(value)


PARTS = {
    "uci": (uci, tuple(UCI)),
    "bins": (bins, ("concrete", "ames", "abalone")),
    "losses": (losses, ("SWD", "LEV", "anes", "concrete", "bikes", "ames")),
    "time": (duration, tuple(SIZES)),
}
"""What measures a part, and the names of its rows."""


def main(folder: str, part: str, *words: str) -> None:
    """Measure what is not known of one part, and remember it."""
    measure, names = PARTS[part]
    asked = [word for word in words if not word.isdigit() and word != "--again"]
    n_splits = next((int(word) for word in words if word.isdigit()), 20)
    done = {} if "--again" in words else {row["data"] for row in _known().get(part, [])}
    wanted = [name for name in asked or names if name not in done]
    for row in measure(folder, wanted, n_splits):
        # Row by row: each may have taken minutes.
        known = _known()
        rows = {each["data"]: each for each in [*known.get(part, []), row]}
        text = json.dumps(known | {part: list(rows.values())}, indent=1)
        OUT.write_text(text + "\n")


def _known() -> dict[str, list[dict]]:
    return json.loads(OUT.read_text()) if OUT.exists() else {}


if __name__ == "__main__":
    main(*sys.argv[1:])
