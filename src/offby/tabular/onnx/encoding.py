"""The encoders of a table as nodes of a graph."""

from typing import Any

import numpy as np

from offby.tabular.encoders.categories import CategoryEncoder
from offby.tabular.encoders.dates import DateEncoder
from offby.tabular.encoders.numbers import PiecewiseLinear
from offby.tabular.encoders.table import TableEncoder
from offby.tabular.onnx.graph import DOUBLE, FLOAT, Graph

GAP = ""
"""What stands for a gap among strings, which ONNX has no gaps for."""
PARTS_OF_DATE = ("days since 1970", "day of the year", "day of the week", "hour")


def encoded(graph: Graph, encoder: TableEncoder, names: list[str] | None) -> str:
    """Rows x encoded values, float32.

    Args:
        graph: The graph; it gets an input for each column, or a single one, "X".
        encoder: The fitted encoder.
        names: The columns of the training frame; None for an array.

    Raises:
        ValueError: If a column cannot be encoded within ONNX.
    """
    if not encoder.positions_:
        raise ValueError(
            "export needs at least one column that held values in training, got none; "
            "fit the model to a table that holds something"
        )
    if names is None:
        if set(encoder.positions_) != {"numbers"}:
            raise ValueError(
                "export names its inputs by the columns, whose names must be text, got "
                "names of another type; rename the columns before fitting"
            )
        n_columns = len(encoder.positions_["numbers"])
        X = graph.input("X", "DOUBLE", ["rows", n_columns])
        return numbers(graph, X, encoder.encoders_["numbers"])
    parts = []
    for kind, positions in encoder.positions_.items():
        columns, fitted = [names[at] for at in positions], encoder.encoders_[kind]
        match fitted:
            case PiecewiseLinear():
                parts.append(numbers(graph, _together(graph, columns), fitted))
            case DateEncoder():
                given = [
                    name
                    for column, is_duration in zip(
                        columns, fitted.durations_, strict=True
                    )
                    for name in date_inputs(column, is_duration)
                ]
                X = _together(graph, given)
                parts.append(numbers(graph, X, fitted.linear_))
            case CategoryEncoder():
                parts += [
                    categories(graph, name, values, bool(has_rare))
                    for name, values, has_rare in zip(
                        columns, fitted.categories_, fitted.has_rare_, strict=True
                    )
                ]
            case _:
                raise ValueError(
                    "export can write numbers, dates and categories, but "
                    f"{', '.join(map(repr, columns))} holds text whose pieces ONNX "
                    "cannot cut; drop the column, make it categorical, or serve the "
                    "model with offby (examples/serve.py)"
                )
    return graph("Concat", *parts, axis=1)


def date_inputs(column: str, is_duration: bool) -> list[str]:
    """The inputs that a column of dates or durations becomes."""
    if is_duration:
        return [f"{column}: days"]
    return [f"{column}: {part}" for part in PARTS_OF_DATE]


def _together(graph: Graph, names: list[str]) -> str:
    """Columns of numbers, each an input, side by side: rows x columns."""
    axis = graph.constant([1], np.int64)
    each = [
        graph("Unsqueeze", graph.input(name, "DOUBLE", ["rows"]), axis)
        for name in names
    ]
    return graph("Concat", *each, axis=1)


def numbers(graph: Graph, X: str, fitted: PiecewiseLinear) -> str:
    """As `PiecewiseLinear.transform`: all in float64, then float32."""
    most = np.finfo(np.float64).max / 2
    missing = graph("IsNaN", X)
    bounded = graph("Clip", X, graph.constant(-most), graph.constant(most))
    filled = graph("Where", missing, graph.constant(fitted.center_), bounded)
    away = graph("Sub", filled, graph.constant(fitted.center_))
    z = graph("Div", away, graph.constant(fitted.scale_))
    third = graph("Div", z, graph.constant(3.0))
    squares = graph("Mul", third, third)
    parts = [graph("Div", z, graph("Sqrt", graph("Add", squares, graph.constant(1.0))))]
    for at, knots in enumerate(fitted.knots_):
        if len(knots) < 2:
            continue
        one = graph("Gather", filled, graph.constant([at], np.int64), axis=1)
        from_start = graph("Sub", one, graph.constant(knots[:-1]))
        share = graph("Div", from_start, graph.constant(np.diff(knots)))
        inside = graph("Clip", share, graph.constant(0.0), graph.constant(1.0))
        parts.append(graph("Sub", inside, graph.constant(0.5)))
    had_gaps = np.flatnonzero(fitted.gaps_)
    if len(had_gaps):
        kept = graph("Gather", missing, graph.constant(had_gaps, np.int64), axis=1)
        parts.append(graph("Cast", kept, to=DOUBLE))
    return graph("Cast", graph("Concat", *parts, axis=1), to=FLOAT)


def categories(graph: Graph, name: str, values: list[Any], has_rare: bool) -> str:
    """As `CategoryEncoder.transform` of one column: a column for each value."""
    dtype, shape = kind_of(name, values)
    given = graph.input(name, dtype, shape)
    # Where all were rare, there is nothing to look up: whatever comes is the first.
    keys = [GAP if value is None else value for value in values] or [GAP]
    table = {
        "keys_strings" if dtype == "STRING" else "keys_int64s": keys,
        "values_int64s": list(range(len(keys))),
        "default_int64": len(values),
    }
    code = graph("LabelEncoder", given, domain="ai.onnx.ml", **table)
    # Codes beyond the width, of new values, have no column: one more, which is cut off.
    depth = graph.constant([len(values) + 1], np.int64)
    ends = graph.constant(np.array([0.0, 1.0], np.float32))
    hot = graph("OneHot", code, depth, ends)
    kept = graph.constant(np.arange(len(values) + has_rare), np.int64)
    return graph("Gather", hot, kept, axis=1)


def kind_of(name: str, values: list[Any]) -> tuple[str, list[str]]:
    """Type and shape of the input of a column of categories.

    Raises:
        ValueError: If the categories are neither strings nor whole numbers.
    """
    known = [value for value in values if value is not None]
    if all(isinstance(value, str) for value in known):
        if GAP in known and None in values:
            raise ValueError(
                f"export writes a gap as an empty string, but column {name!r} has both "
                "gaps and empty strings; make them one before fitting"
            )
        return "STRING", ["rows"]
    if all(isinstance(value, int) for value in known) and None not in values:
        return "INT64", ["rows"]
    odd = next((v for v in known if not isinstance(v, str)), None)
    raise ValueError(
        f"export needs categories that are strings, or whole numbers without gaps, but "
        f"column {name!r} holds {odd!r}; make the column text before fitting"
    )
