"""A table that does not fit into memory: `partial_fit`, one row group after another.

    python examples/larger_than_memory.py

Writes a Parquet file of drawn rows and trains on it twice: on as many rows at random as
one row group holds, by `fit`, as one would with what fits into memory; and, going on
from a first sample, on all row groups in turn by `partial_fit`. A row group is read,
trained on and forgotten, so that memory does not grow with the file. The first call
makes the bins and the codes of the columns: give it rows from everywhere in the file.
Takes about two minutes on one core.
"""

import argparse
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from offby import BinnedRegressor

COLUMNS = [f"x{number}" for number in range(8)]


# %% Rows, drawn
def drawn(n_rows: int, seed: int) -> pl.DataFrame:
    """Rows whose target is wider where `x2` is large, and mixed by `group`."""
    draws = np.random.default_rng(seed)
    X = draws.normal(size=(n_rows, len(COLUMNS)))
    group = draws.integers(4, size=n_rows)
    center = 2 * np.sin(2 * X[:, 0]) + X[:, 1] * (group - 1.5)
    y = center + np.exp(0.5 * X[:, 2]) * draws.standard_t(4, size=n_rows)
    names = pl.Series("group", np.array(["a", "b", "c", "d"])[group])
    return pl.DataFrame(X, schema=COLUMNS).with_columns(names, y=y)


# %% One row group at a time
def row_groups(path: Path, size: int) -> Iterator[pl.DataFrame]:
    """The table in parts of its row groups, of which one is in memory at a time."""
    table = pl.scan_parquet(path)
    n_rows = table.select(pl.len()).collect().item()
    for start in range(0, n_rows, size):
        yield table.slice(start, size).collect()


# %% Both ways
def score(model: BinnedRegressor, new: pl.DataFrame) -> float:
    """Mean CRPS."""
    forecast = model.predict_dist(new.drop("y"))
    return float(forecast.crps(new["y"].to_numpy()).mean())


def main(rows: int, size: int, passes: int, max_iter: int = 200) -> dict[str, float]:
    """Train both ways and score them on rows of their own."""
    new = drawn(5_000, seed=1)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.parquet")
        drawn(rows, seed=0).write_parquet(path, row_group_size=size)
        table = pl.scan_parquet(path)
        # The rows of the file are in no order, so every k-th is a random sample.
        sample = table.gather_every(max(1, rows // size)).collect()
        model = BinnedRegressor(n_bags=1, max_iter=max_iter, random_state=0)
        model.fit(sample.drop("y"), sample["y"])
        found["fit on a sample"] = score(model, new)

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(passes):
            for part in row_groups(path, size):
                model.partial_fit(part.drop("y"), part["y"])
        found["partial_fit on all rows"] = score(model, new)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    print(f"{rows:,} rows in row groups of {size:,}; 5,000 rows held out\n")
    print("| trained by | CRPS |\n|---|---|")
    for name, value in found.items():
        print(f"| {name} | {value:.4f} |")
    print(f"\nThe peak of memory grew by {grown / 1024:.0f} MiB during partial_fit.")
    return found


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=10_000, help="of a row group")
    parser.add_argument("--passes", type=int, default=1)
    asked = parser.parse_args()
    main(asked.rows, asked.size, asked.passes)
