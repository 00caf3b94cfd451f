"""The data sets that the benchmarks of the estimators read, from a folder of files."""

from dataclasses import dataclass

import numpy as np
import polars as pl

CLARITY = ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"]


@dataclass(frozen=True)
class Source:
    """Where the columns and the target of a set come from."""

    file: str
    target: str
    drop: tuple[str, ...] = ()
    color: str | None = None
    """Of wine: the rows to keep."""
    unique: bool = False
    """Whether rows that repeat another are left out."""
    order: tuple[str, ...] = ()
    limits: tuple[float, float] | None = None


CLASSES = {
    "ESL": Source("esl", "y"),
    "SWD": Source("swd", "y"),
    "LEV": Source("lev", "y"),
    "ERA": Source("era", "y"),
    "anes": Source("anes96_pid", "PID"),
    "wine red": Source("winequality", "quality", color="red", unique=True),
    "fair": Source("fair_rate_marriage", "rate_marriage"),
    "wine white": Source("winequality", "quality", color="white", unique=True),
    "abalone": Source("abalone", "rings", limits=(3, 20)),
    "clarity": Source("diamonds", "clarity", order=tuple(CLARITY)),
}
NUMBERS = {
    "concrete": Source("concrete", "compressive_strength"),
    "abalone": Source("abalone", "rings"),
    "bikes": Source("bikeshare2011_islp", "bikers", ("casual", "registered")),
    "california": Source("california_housing", "MedHouseVal"),
    "diamonds": Source("diamonds", "price"),
    "ames": Source("ames", "Sale_Price"),
}

UCI = {
    "wine red": Source("winequality", "quality", color="red"),
    "concrete": NUMBERS["concrete"],
}


def read(
    folder: str, source: Source, most_rows: int | None = None
) -> tuple[pl.DataFrame, np.ndarray]:
    """Columns and target, at most so many random rows; text as categories."""
    frame = pl.read_csv(
        f"{folder}/{source.file}.csv.gz",
        infer_schema_length=None,
        null_values=["", "NA"],
    ).drop(source.drop)
    if source.color:
        frame = frame.filter(pl.col("color") == source.color).drop("color")
    if source.unique:
        frame = frame.unique(maintain_order=True)
    if most_rows is not None and len(frame) > most_rows:
        frame = frame.sample(most_rows, seed=0)
    y = frame[source.target]
    if source.order:
        y = y.replace_strict(list(source.order), list(range(len(source.order))))
    if source.limits:
        y = y.clip(*source.limits)
    frame = frame.drop(source.target).with_columns(
        pl.col(pl.String).cast(pl.Categorical)
    )
    return frame, y.to_numpy().astype(float)
