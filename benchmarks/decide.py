"""Is a guess from a proper forecast as good as training on the metric itself?

    python benchmarks/decide.py DATA        all sets; names of sets restrict it
    python benchmarks/decide.py table       the table of docs/estimators.md

DATA is a folder with winequality.csv.gz, concrete.csv.gz and the like. For each set and
metric, one network is trained with ce+emd2 and decides by `decide(metric)`; another is
trained on the metric itself, as people do: emd1 for the MAE, the expected cost for
costs, a soft QWK for QWK. Both have the same settings, rows and seeds; nothing was
tuned. Three random splits, 20 % of the rows held out. Writes docs/decide.json.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sets import CLASSES, NUMBERS, read

from offby import BinnedRegressor, Bins, OrdinalClassifier
from offby.metrics import quadratic_weighted_kappa

OUT = Path(__file__).parents[1] / "docs" / "decide.json"
SPLITS, MOST_ROWS = 3, 2000
SETTINGS: dict[str, Any] = {"n_bags": 1}
OF_CLASSES = ("SWD", "LEV", "wine red", "abalone", "fair")
OF_NUMBERS = ("concrete", "abalone", "diamonds")


def expected_cost(costs: np.ndarray) -> Callable:
    """Mean cost of the mass, where `costs[guess, true]` is what a guess costs."""
    matrix = torch.tensor(costs, dtype=torch.float32)

    def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (logits.softmax(-1) * matrix.T.to(logits)[target]).sum(-1)

    return loss


def soft_kappa(places: np.ndarray) -> Callable:
    """1 - QWK of the masses, over the batch (de la Torre, Puig, Valls 2018)."""
    x = torch.tensor(places, dtype=torch.float32)

    def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        probs, y = logits.softmax(-1), x.to(logits)[target]
        off = (probs * (x.to(logits) - y[:, None]) ** 2).sum(-1)
        mean, spread = y.mean(), y.var(unbiased=False)
        chance = (probs * (x.to(logits) - mean) ** 2).sum(-1).mean() + spread
        return off / chance

    return loss


def squared_error(places: np.ndarray) -> Callable:
    """Squared error of the mean of the masses."""
    x = torch.tensor(places, dtype=torch.float32)
    scale = float(x.std()) ** 2

    def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        mean = logits.softmax(-1) @ x.to(logits)
        return (mean - x.to(logits)[target]) ** 2 / scale

    return loss


def asymmetric(places: np.ndarray) -> np.ndarray:
    """Guess x true: too low a guess costs three times as much."""
    off = places[None, :] - places[:, None]
    return np.maximum(3 * off, -off)


def class_rivals(places: np.ndarray) -> dict[str, tuple[Any, Any, str]]:
    """Metric -> what `decide` is asked, the rival's loss, how the rival guesses."""
    apart = np.abs(places[:, None] - places)
    costs = asymmetric(places)
    return {
        "MAE": ("mae", "emd1", "mae"),
        "accuracy": ("accuracy", "ce", "accuracy"),
        "within 1": ("within-1", expected_cost((apart > 1) * 1.0), "accuracy"),
        "QWK": ("qwk", soft_kappa(places), "accuracy"),
        "RMSE": ("rmse", squared_error(places), "rmse"),
        "cost": (_cost, expected_cost(costs), "accuracy"),
    }


def _cost(y: np.ndarray, guess: np.ndarray) -> np.ndarray:
    return np.maximum(3 * (y - guess), guess - y)


def measured(metric: str, y: np.ndarray, guess: np.ndarray) -> float:
    """The metric as a loss: lower is better."""
    off = np.abs(y - guess)
    match metric:
        case "MAE":
            return float(off.mean())
        case "RMSE":
            return float((off**2).mean() ** 0.5)
        case "MAPE":
            return float((off / np.abs(y)).mean())
        case "accuracy":
            return float((off > 0).mean())
        case "within 1":
            return float((off > 1).mean())
        case "QWK":
            return 1 - float(np.nan_to_num(quadratic_weighted_kappa(y, guess)))
    return float(_cost(y, guess).mean())


def splits(n: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(n)
        yield order[n // 5 :], order[: n // 5]


def of_classes(folder: str, name: str) -> Iterator[dict]:
    """Ours and the rivals on one set of classes."""
    X, y = read(folder, CLASSES[name], MOST_ROWS)
    places = np.unique(y)
    ours: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    for seed, (train, test) in enumerate(splits(len(y))):

        def forecast(loss, train=train, test=test, seed=seed):
            settings = {"categories": places.tolist(), "random_state": seed, **SETTINGS}
            model = OrdinalClassifier(loss=loss, **settings)
            model.fit(X[train.tolist()], y[train])
            return model.predict_dist(X[test.tolist()])

        proper = forecast("ce+emd2")
        for metric, (asked, loss, guessing) in class_rivals(places * 1.0).items():
            rival = forecast(loss).decide(guessing)
            ours.setdefault(metric, []).append(
                measured(metric, y[test], proper.decide(asked))
            )
            theirs.setdefault(metric, []).append(measured(metric, y[test], rival))
    yield from rows("classes", name, ours, theirs)


def of_numbers(folder: str, name: str) -> Iterator[dict]:
    """Ours and the rivals on one set of numbers."""
    X, y = read(folder, NUMBERS[name], MOST_ROWS)
    y = y.astype(float)
    ours: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    for seed, (train, test) in enumerate(splits(len(y))):
        bins = Bins.around(y[train], 50)
        centers = bins.centers.numpy()
        apart = np.abs(centers[:, None] - centers)
        spread = y[train].std()
        rivals = {
            "MAE": ("mae", expected_cost(apart / spread), "mae"),
            "RMSE": ("rmse", squared_error(centers), "rmse"),
            "MAPE": ("mape", expected_cost(apart / np.abs(centers)), "mae"),
            "cost": (_cost, expected_cost(asymmetric(centers) / spread), "accuracy"),
        }

        def forecast(loss, train=train, test=test, seed=seed, bins=bins):
            settings = {"n_bins": bins, "random_state": seed, **SETTINGS}
            model = BinnedRegressor(loss=loss, **settings)
            model.fit(X[train.tolist()], y[train])
            return model.predict_dist(X[test.tolist()])

        proper = forecast("ce+emd2")
        for metric, (asked, loss, guessing) in rivals.items():
            rival = forecast(loss).decide(guessing)
            ours.setdefault(metric, []).append(
                measured(metric, y[test], proper.decide(asked))
            )
            theirs.setdefault(metric, []).append(measured(metric, y[test], rival))
    yield from rows("numbers", name, ours, theirs)


def rows(kind: str, name: str, ours: dict, theirs: dict) -> Iterator[dict]:
    """A row per metric, printed."""
    for metric, values in ours.items():
        found = {
            "kind": kind,
            "data": name,
            "metric": metric,
            "decide": float(np.mean(values)),
            "trained on it": float(np.mean(theirs[metric])),
        }
        found["ratio"] = found["decide"] / found["trained on it"]
        found["ratio of splits"] = [
            own / other if other else 1.0
            for own, other in zip(values, theirs[metric], strict=True)
        ]
        print(json.dumps(found), flush=True)
        yield found


def table(found: list[dict]) -> str:
    """Ratio of the losses: below 1, deciding from the proper forecast is better."""
    metrics = list(dict.fromkeys(row["metric"] for row in found))
    lines = [
        "| data | " + " | ".join(metrics) + " |",
        "|---" * (len(metrics) + 1) + "|",
    ]
    for kind, name in dict.fromkeys((row["kind"], row["data"]) for row in found):
        cells = {
            row["metric"]: f"{row['ratio']:.2f}"
            for row in found
            if (row["kind"], row["data"]) == (kind, name)
        }
        title = f"{name} ({kind})"
        lines.append(
            f"| {title} | " + " | ".join(cells.get(m, "–") for m in metrics) + " |"
        )
    level = sum(row["ratio"] <= 1.01 for row in found)
    return (
        "\n".join(lines)
        + f"\n\nLevel (within 1 %) or better in {level} of {len(found)} cells."
    )


def main(arguments: list[str]) -> None:
    torch.set_num_threads(1)
    if arguments == ["table"]:
        print(table(json.loads(OUT.read_text(encoding="utf-8"))))
        return
    folder, *names = arguments
    for kind, sets, measure in (
        ("classes", OF_CLASSES, of_classes),
        ("numbers", OF_NUMBERS, of_numbers),
    ):
        for name in [name for name in sets if not names or name in names]:
            known = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else []
            kept = [row for row in known if (row["kind"], row["data"]) != (kind, name)]
            found = [*kept, *measure(folder, name)]
            OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
