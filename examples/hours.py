"""Hours of the day lie on a circle: 23 and 0 are neighbors.

    python examples/hours.py

Bike rentals in Washington in 2011: at which hour of the day was this row recorded? The
weather and the riders say it only roughly, so that a good forecast spreads over some
hours, also across midnight. Three losses on `Circle`, beside the cross-entropy, which
knows no distance. On arcs, so that distances are hours. Takes about two minutes on one
core.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from ground_table import show

import offby
from offby.comparison.networks import Settings
from offby.metrics import interval_coverage, interval_width

HOURS = offby.Circle.regular(24)


# %% The rentals
def table(rows: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Rentals of random hours, and the hour of the day of each."""
    path = Path(__file__).parent / "data" / "bikes.csv.gz"
    bikes = pl.read_csv(path).sample(rows, seed=0)
    X = bikes.drop("hr").with_columns(pl.col("weathersit").cast(pl.Categorical))
    return X, bikes["hr"].to_numpy()


# %% The comparison
def main(rows: int, seeds: int, epochs: int = 200, folds: int = 5) -> None:
    """Compares the losses, then forecasts around midnight with the best."""
    X, y = table(rows)
    found = offby.compare(
        X,
        y,
        ground=HOURS,
        losses=["ce", "emd1", "emd2", "ce+emd2"],
        folds=folds,
        seeds=seeds,
        references=False,
        models=["network"],
        settings=Settings(max_iter=epochs),
    )
    show(found, "hours")

    print("Trained by the best loss on all rows but a tenth, which is then guessed:")
    tested, line = rows // 10, np.abs(np.arange(24)[:, None] - np.arange(24))
    model = offby.OrdinalClassifier(
        found.best_loss() or "ce",
        ground=HOURS,
        n_bags=1,
        max_iter=epochs,
        random_state=0,
    ).fit(X[tested:], y[tested:])
    guess = model.predict(X[:tested])
    around = HOURS.cost.numpy()[guess, y[:tested]].mean()
    along = line[guess, y[:tested]].mean()
    print(f"off by {around:.2f} hours around the circle, {along:.2f} on a line")
    arcs(X, y, epochs)


# %% Intervals around the circle
def arcs(X: pl.DataFrame, y: np.ndarray, epochs: int) -> None:
    """Intervals of the hour as a number on a circle, for half of the rows."""
    half = len(y) // 2
    model = offby.BinnedRegressor(
        "ce", period=24, n_bags=1, max_iter=epochs, random_state=0
    ).fit(X[half:], y[half:])
    for conformal in (False, True):
        ends = model.predict_interval(X[:half], 0.9, conformal=conformal)
        held = interval_coverage(y[:half], *ends.T, period=24)
        wide = interval_width(*ends.T, period=24)
        passing = (ends[:, 1] < ends[:, 0]).mean()
        print(
            f"arcs of 90 %{', conformal' if conformal else ''}: {100 * held:.0f} % of "
            f"new rows inside, {wide:.1f} hours long; {100 * passing:.0f} % of them "
            "pass midnight"
        )


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=1)
    main(**vars(parser.parse_args()))
