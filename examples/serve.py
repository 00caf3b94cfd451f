"""Serve a model file over HTTP: forecasts of one row or of many.

    offby fit cars.csv -t price -o price.offby
    pip install fastapi uvicorn
    OFFBY_MODEL=price.offby uvicorn serve:app        # in the folder examples

    curl --json '{"size": 3.5, "color": "red"}' localhost:8000/forecast
    curl --json '[{"size": 3.5, "color": "red"}]' localhost:8000/forecasts

The rows are read as `offby predict` reads a table: a column that is missing or of
another type is named in the answer (code 422), odd values are listed as notes.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from fastapi import Body, FastAPI, HTTPException

from offby import models, tables

Row = dict[str, str | float | int | bool | None]

app = FastAPI(title="Forecasts by offby")


# %% The model, read once
@cache
def served() -> tuple[Any, models.About]:
    """The estimator and what is known of it, read once."""
    path = Path(os.environ["OFFBY_MODEL"])
    return models.load(path), models.describe(path)


# %% Rows in, forecasts out
def forecast(rows: list[Row]) -> dict[str, Any]:
    """Forecasts of some rows as plain values, and notes on what is odd in them."""
    estimator, about = served()
    if not rows:
        raise HTTPException(422, "the body must hold at least one row")
    try:
        table = tables.in_memory(pl.DataFrame(rows, infer_schema_length=None))
        found = tables.new_rows(
            table, about.columns, unused=(*about.unused, about.target)
        )
        columns = models.forecast_columns(estimator, found.X, models.Wanted())
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise HTTPException(422, str(error)) from error
    names = list(columns)
    values = zip(*(columns[name].tolist() for name in names), strict=True)
    return {
        "forecasts": [dict(zip(names, row, strict=True)) for row in values],
        "notes": list(found.notes),
    }


# %% The addresses
@app.get("/model")
def model() -> dict[str, Any]:
    """What the model was trained on, and how good it is."""
    return served()[1].to_dict()


@app.post("/forecast")
def one(row: Row = Body()) -> dict[str, Any]:  # noqa: B008
    """The forecast of one row."""
    found = forecast([row])
    return {**found["forecasts"][0], "notes": found["notes"]}


@app.post("/forecasts")
def many(rows: list[Row] = Body()) -> dict[str, Any]:  # noqa: B008
    """The forecasts of many rows, in their order."""
    return forecast(rows)
