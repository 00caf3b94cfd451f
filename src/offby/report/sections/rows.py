"""Three rows of the data, and what each loss predicts for them."""

from typing import Any
from urllib.parse import quote

import altair as alt

from offby.report._parts import Figure, Table
from offby.report.style import INK, Look, drawn, panels, unique
from offby.results import Row
from offby.results import phrases as words

_SEEN = 0.002
"""Probability of a bin from which a reader can see it."""


def predicted(look: Look, row: Row) -> Figure:
    """What each loss predicts for one row, the true bin marked."""
    keys = [key for key in look.names if key in row.probs]
    labels = unique(row.grid.labels)
    title = f"{row.why[:1].upper()}{row.why[1:]}: row {row.number}, truth "
    if row.grid.edges:
        title += words.minus(f"{row.value:.4g}, in the bin ")
    title += labels[row.true]
    if keys:
        most, least = _apart(row)
        title += (
            f". {most} gives that {look.bin} "
            f"{words.percent(row.probs[most][row.true])}, "
            f"{least} {words.percent(row.probs[least][row.true])}"
        )
    table = Table(
        f"Predicted probability of each class or bin, row {row.number}",
        ("class or bin", *keys),
        tuple(
            (
                f"{label} (true)" if place == row.true else label,
                *(f"{row.probs[key][place]:.4f}" for key in keys),
            )
            for place, label in enumerate(labels)
        ),
    )
    return Figure(title, drawn(_picture(look, row), f"row{row.number}", title), table)


def link(look: Look, place: int, explainer: str) -> str:
    """Address of a row in the explainer, under the two losses furthest apart."""
    row = look.comparison.rows[place]
    models = ",".join(dict.fromkeys(_apart(row))) if row.probs else ""
    # A plus sign in an address is a space.
    return f"{quote(explainer)}#stop=0&row={place}&models={quote(models, safe=',')}"


def _apart(row: Row) -> tuple[str, str]:
    """The losses that give the truth most and least."""
    given = {key: probs[row.true] for key, probs in row.probs.items()}
    most, least = (f(given, key=lambda key: given[key]) for f in (max, min))
    return most, least


def _picture(look: Look, row: Row) -> Any:
    keys = [key for key in look.names if key in row.probs]
    top = max((max(row.probs[key]) for key in keys), default=1.0)
    y = alt.Y("p:Q", title="probability").axis(tickCount=4, format="~%")
    y = y.scale(domain=[0, top * 1.15 or 1.0], nice=False)
    color = look.color(keys).legend(None)
    columns, width = panels(len(keys))
    if row.grid.edges:
        layers = _spans(look, row, keys, y, color, width)
    else:
        layers = _bars(look, row, keys, y, color, width)
    chart = alt.layer(*layers).properties(width=width, height=110)
    facet = alt.Facet("method:N", title=None, sort=keys)
    return chart.facet(facet, columns=columns)


def _bars(look: Look, row: Row, keys, y, color, width: int) -> tuple[Any, Any]:
    """Classes side by side, a triangle over the truth."""
    values = [
        {"method": key, "x": label, "p": prob, "true": place == row.true}
        for key in keys
        for place, (label, prob) in enumerate(
            zip(unique(row.grid.labels), row.probs[key], strict=True)
        )
    ]
    base = alt.Chart(alt.Data(values=values))
    x = look.classes(width)
    mark = base.mark_point(
        shape="triangle-down", filled=True, size=70, color=INK, opacity=1
    )
    mark = mark.encode(x, y=alt.value(6)).transform_filter("datum.true")
    return base.mark_bar().encode(x, y, color), mark


def _spans(look: Look, row: Row, keys, y, color, width: int) -> tuple[Any, Any]:
    """Bins from edge to edge, where a loss sees something; a line at the truth."""
    every = row.grid.edges
    seen = [
        place
        for place in range(len(row.grid.labels))
        if place == row.true or any(row.probs[key][place] >= _SEEN for key in keys)
    ]
    edges = every[seen[0] : seen[-1] + 2]
    values = [
        {
            "method": key,
            "low": every[place],
            "high": every[place + 1],
            "p": row.probs[key][place],
        }
        for key in keys
        for place in seen
        if row.probs[key][place] >= _SEEN
    ]
    values += [{"method": key, "truth": row.value} for key in keys]
    base = alt.Chart(alt.Data(values=values))
    low, high = min(edges[0], row.value), max(edges[-1], row.value)
    x = alt.X("low:Q", title=look.comparison.data.target).scale(
        domain=[low, high], nice=False
    )
    x = x.axis(grid=False, tickCount=4, titleLimit=width)
    bars = base.mark_bar(strokeWidth=0.7).encode(
        x, alt.X2("high:Q"), y, color, y2=alt.datum(0), stroke=look.stroke(keys)
    )
    rule = base.mark_rule(color=INK, strokeDash=[3, 2], strokeWidth=1.5)
    rule = rule.encode(alt.X("truth:Q", title=look.comparison.data.target))
    return (
        bars.transform_filter("isValid(datum.low)"),
        rule.transform_filter("isValid(datum.truth)"),
    )
