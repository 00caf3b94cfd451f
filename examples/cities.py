"""Cities at the distances of the globe: any matrix of costs is a ground.

    python examples/cities.py

Flights that left New York in 2013: to which of 30 airports, by what the board of
departures says besides (carrier, airport, month, day of the week, time)? Orlando where
Tampa is right is a small mistake, Seattle a large one. The costs are great-circle
distances, from the coordinates of the airports. Four losses, of which the cross-entropy
knows no distance. Takes about two minutes on one core.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from ground_table import show

import offby
from offby.comparison.networks import Settings

DATA = Path(__file__).parent / "data"
EARTH = 6.371
"""Mean radius, in thousands of kilometers."""


# %% Distances on the globe
def great_circles(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Distances of places on the globe, in thousands of kilometers (haversine).

    >>> north_pole, equator = np.array([90.0, 0.0]), np.zeros(2)
    >>> round(float(great_circles(north_pole, equator)[0, 1] / EARTH), 4)
    1.5708
    """
    north, east = np.radians(latitude), np.radians(longitude)
    across = np.sin((north[:, None] - north) / 2) ** 2
    along = np.sin((east[:, None] - east) / 2) ** 2
    chord = across + np.cos(north)[:, None] * np.cos(north) * along
    return 2 * EARTH * np.arcsin(np.sqrt(chord))


# %% The flights
def table(rows: int) -> tuple[pl.DataFrame, np.ndarray, list[str], offby.Costs]:
    """Boards, destinations, the airports in their order, and their distances."""
    airports = pl.read_csv(DATA / "airports.csv.gz").sort("faa")
    names = airports["faa"].to_list()
    latitude, longitude = (airports[name].to_numpy() for name in ("lat", "lon"))
    costs = offby.Costs(great_circles(latitude, longitude))
    flights = pl.read_csv(DATA / "flights.csv.gz").sample(rows, seed=0)
    y = np.array([names.index(name) for name in flights["dest"]])
    X = flights.drop("dest").with_columns(pl.col(pl.String).cast(pl.Categorical))
    return X, y, names, costs


# %% The comparison
def main(rows: int, seeds: int, epochs: int = 200, folds: int = 5) -> None:
    """Compares the losses, then shows what the distance changes in a best guess."""
    X, y, names, costs = table(rows)
    print(f"The distances are of negative type: {costs.negative_type}.\n")
    found = offby.compare(
        X,
        y,
        ground=costs,
        labels=names,
        losses=["ce", "emd1", "emd2", "ce+emd2"],
        folds=folds,
        seeds=seeds,
        references=False,
        models=["network"],
        settings=Settings(max_iter=epochs),
    )
    show(found, "thousands of kilometers")

    print("Trained by the best loss on all flights but a tenth, which is then guessed:")
    tested = rows // 10
    model = offby.OrdinalClassifier(
        found.best_loss() or "ce",
        ground=costs,
        n_bags=1,
        max_iter=epochs,
        random_state=0,
    ).fit(X[tested:], y[tested:])
    probs = model.predict_dist(X[:tested]).probs
    cost = costs.cost.numpy()
    for rule, guess in (
        ("the likeliest airport", probs.argmax(1)),
        ("of least expected distance", model.predict(X[:tested])),
    ):
        right = 100 * (guess == y[:tested]).mean()
        off = 1000 * cost[guess, y[:tested]].mean()
        print(f"{rule:27s} {right:.0f} % right, off by {off:.0f} km")


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=1)
    main(**vars(parser.parse_args()))
