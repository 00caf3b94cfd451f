"""Scores of every held-out row, for the study of the verdicts (verdict.py).

    python benchmarks/verdict_scores.py DATA [--runs DIR] [--seeds N] [--out FILE]

trains five losses on SWD, LEV and red wine (sets.py; DATA is the folder of their
files), in three folds and 25 or 50 seeds, and writes docs/verdict_scores.npz: three
scores of each row under each network, and under ensembles that average the forecasts of
five.
Takes about an hour on one core; with a folder of runs it goes on where it was. Prints
the variance of a fold's mean over what its rows explain, once for rows by themselves,
once with those of the same inputs as a group.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import sets
from verdict_replay import Stored
from verdict_runs import ratios

from offby import compare, metrics
from offby.comparison import export
from offby.tabular.copies import first_copies

LOSSES = ("ce", "emd1", "emd2", "cce", "ce+emd2")
SEEDS = {"SWD": 50, "LEV": 25, "wine red": 25}
FOLDS = 3
ENSEMBLE = 5
OUT = Path(__file__).parents[1] / "docs" / "verdict_scores.npz"


def columns(data: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs as numbers, and classes by their codes."""
    X, y = sets.read(data, sets.CLASSES[name])
    X = X.with_columns(pl.col(pl.Categorical).to_physical())
    return X.to_numpy().astype(float), np.unique(y, return_inverse=True)[1]


def forecasts(X, y, seeds: int, runs: Path) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (losses x seeds x rows x classes), and the fold of each row."""
    file = runs / "forecasts.parquet"
    compare(
        X,
        y,
        losses=LOSSES,
        folds=FOLDS,
        seeds=seeds,
        references=False,
        all_fits=True,
        run_dir=runs,
        predictions=file,
    )
    table = pl.read_parquet(file).sort("method", "seed", "row")
    classes = [name for name in table.columns if name.startswith("p_")]
    shape = (seeds, len(y), len(classes))
    probs = [
        table.filter(pl.col("method") == loss).select(classes).to_numpy().reshape(shape)
        for loss in LOSSES
    ]
    return np.stack(probs), table["fold"].to_numpy()[: len(y)]


def scores(probs: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """RPS, log score and absolute error of the median: losses x seeds x rows."""
    flat = probs.reshape(-1, probs.shape[-1])
    truth = np.tile(y, len(flat) // len(y))
    found = {
        "rps": metrics.rows.ranked_probability_score(truth, flat),
        # Half precision ends at 65,504; an infinite score stays infinite.
        "log": metrics.rows.log_score(truth, flat),
        "mae": np.abs(metrics.median_class(flat) - truth),
    }
    return {
        key: value.reshape(probs.shape[:-1]).astype(np.float16)
        for key, value in found.items()
    }


def ensembles(probs: np.ndarray) -> np.ndarray:
    """Mean forecasts of disjoint groups of networks, in the place of the seeds."""
    n = probs.shape[1] // ENSEMBLE
    kept = probs[:, : n * ENSEMBLE]
    groups = (len(probs), n, ENSEMBLE, *probs.shape[2:])
    return kept.reshape(groups).mean(2)


def main() -> None:
    """Train, score and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--runs", type=Path, default=None)
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    export.check("forecasts.parquet")
    stored: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, usual in SEEDS.items():
            seeds = asked.seeds or usual
            X, y = columns(asked.data, name)
            runs = (asked.runs or Path(temporary)) / name.replace(" ", "-")
            runs.mkdir(parents=True, exist_ok=True)
            probs, fold = forecasts(X, y, seeds, runs)
            stored[f"{name}/fold"] = fold.astype(np.uint8)
            for kind, said in (("networks", probs), ("ensembles", ensembles(probs))):
                for key, value in scores(said, y).items():
                    stored[f"{name}/{kind}/{key}"] = value
            print(f"{name}: {len(y)} rows, {seeds} seeds", flush=True)
            found = {k: v.astype(float) for k, v in scores(probs, y).items()}
            as_run = Stored(name, "networks", fold, found)
            for key in found:
                alone, _ = ratios(as_run, key)
                grouped, _ = ratios(as_run, key, first_copies(X))
                print(f"  {key}: ratio {alone:.1f}, in groups {grouped:.1f}")
    np.savez_compressed(asked.out, **stored)
    print(f"wrote {asked.out.name}, {asked.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
