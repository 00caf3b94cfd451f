"""Scores of every held-out row, for the study of the verdicts (verdict.py).

    python benchmarks/verdict_scores.py DATA [--runs DIR]

trains five losses on SWD, LEV and red wine (sets.py; DATA is the folder of their
files), in three folds and 12 seeds, and writes docs/verdict_scores.npz: three scores of
each row under each network that `compare` trains, and which rows have the same inputs.
Takes about ten minutes on one core; with a folder of runs it goes on where it was.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import sets

from offby import compare, metrics
from offby.comparison import export
from offby.tabular.copies import first_copies

LOSSES = ("ce", "emd1", "emd2", "cce", "ce+emd2")
SETS = ("SWD", "LEV", "wine red")
SEEDS = 12
FOLDS = 3
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


def main() -> None:
    """Train, score and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--runs", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    export.check("forecasts.parquet")
    stored: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in SETS:
            X, y = columns(asked.data, name)
            runs = (asked.runs or Path(temporary)) / name.replace(" ", "-")
            runs.mkdir(parents=True, exist_ok=True)
            probs, fold = forecasts(X, y, SEEDS, runs)
            stored[f"{name}/fold"] = fold.astype(np.uint8)
            stored[f"{name}/groups"] = first_copies(X)
            for key, value in scores(probs, y).items():
                stored[f"{name}/{key}"] = value
            print(f"{name}: {len(y)} rows", flush=True)
    np.savez_compressed(asked.out, **stored)
    print(f"wrote {asked.out.name}, {asked.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
