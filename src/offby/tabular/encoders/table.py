"""The encoder of a whole table: each column by the kind of what it holds."""

import warnings

import narwhals as nw
import numpy as np
from sklearn.compose import make_column_transformer

from offby.tabular.encoders.categories import Words
from offby.tabular.encoders.dates import Dates, is_moment
from offby.tabular.encoders.numbers import PiecewiseLinear, is_number
from offby.tabular.encoders.text import Texts, is_text, skrub_is_here


def piecewise_encoder(X):
    """An unfitted transformer for the columns of `X`, richer than `features.encoder`.

    Numbers go through `PiecewiseLinear`, dates through `Dates`, strings of 40 or more
    different values through `Texts` if skrub is installed, other text and categories
    through `Words`.
    """
    encoders = {
        "numbers": PiecewiseLinear(),
        "dates": Dates(),
        "texts": Texts(),
        "words": Words(),
    }
    # By place: names may be anything, and have been compared with those of training.
    places: dict[str, list[int]] = {kind: [] for kind in encoders}
    if isinstance(X, np.ndarray):
        places["numbers"] = list(range(X.shape[1]))
    else:
        frame = nw.from_native(X, eager_only=True)
        for place, column in enumerate(frame.iter_columns()):
            places[_kind(column)].append(place)
    return make_column_transformer(
        *((encoder, places[kind]) for kind, encoder in encoders.items()),
        verbose_feature_names_out=False,
    )


def _kind(column: nw.Series) -> str:
    dtype = column.dtype
    if is_number(dtype):
        return "numbers"
    if is_moment(dtype):
        return "dates"
    if dtype.is_nested() or dtype == nw.Binary or dtype == nw.Time:
        raise ValueError(
            "columns must hold numbers, text, categories, dates or durations, but "
            f"column {column.name!r} is of type {dtype}; take it apart or drop it"
        )
    if not is_text(column):
        return "words"
    if skrub_is_here():
        return "texts"
    warnings.warn(
        f"column {column.name!r} holds text, which only skrub can take apart: run "
        "pip install offby[text], or make it categorical if it holds categories",
        stacklevel=5,
    )
    return "words"


def column_of(encoder) -> np.ndarray:
    """Of each value that a fitted encoder gives: which column it comes from."""
    parts, first = [np.empty(0, dtype=int)], 0
    for _, part, names in encoder.transformers_:
        if len(names):
            parts.append(first + part.column_of_)
            first += len(names)
    return np.concatenate(parts)
