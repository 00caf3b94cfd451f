"""Three rows of the data, and what each loss predicts for them."""

from typing import Any
from urllib.parse import quote

import altair as alt
from markupsafe import Markup

from offby.report.parts import Block, Figure, Paragraph, Table
from offby.report.style import INK, Look, SharedData, drawn, panels, unique
from offby.results import Row, phrases

_SEEN = 0.002
"""Probability of a bin from which a reader can see it."""


def content(look: Look) -> list[Block]:
    """What the section shows: a figure for each row."""
    found = look.comparison.rows
    if not found:
        return []
    mark = "A black triangle marks the truth."
    if look.has_edges:
        mark = (
            "A bar shows the probability of its bin, which is its mass and not its "
            "density: a wide bin has a high bar because it covers more. The dashed "
            "line marks the truth."
        )
        if any(_shows_tail(look, row) for row in found):
            mark += (
                " A bin named below or above a number has no other end; half of its "
                "mass lies within its bar."
            )
    end = (
        f"The links open {look.explainer}, which was written beside this report. If it "
        "is missing, offby explain writes it again from the JSON at the end of this "
        "page."
        if look.explainer
        else Markup(
            "The command <code>offby explain comparison.json</code> writes a page on "
            "which you can move these predictions by hand and see what each loss makes "
            "of them. The JSON is at the end of this page."
        )
    )
    return [
        Paragraph(mark),
        *(_predicted(look, place) for place in range(len(found))),
        Paragraph(end, soft=True, on_screen_only=True),
    ]


def _predicted(look: Look, place: int) -> Figure:
    """What each loss predicts for one row, the true bin marked."""
    row = look.comparison.rows[place]
    keys = [key for key in look.names if key in row.probs]
    labels = unique(row.grid.labels)
    title = f"{row.why[:1].upper()}{row.why[1:]}: row {row.number}, truth "
    if row.grid.edges:
        labels = [phrases.minus(label) for label in labels]
        title += phrases.minus(f"{phrases.plain(row.value)}, in the bin ")
    title += labels[row.true]
    if keys:
        most, least = _apart(row)
        title += (
            f". {most} gives that {look.bin} "
            f"{phrases.percent(row.probs[most][row.true])}, "
            f"{least} {phrases.percent(row.probs[least][row.true])}"
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
    svg = drawn(_picture(look, row), f"row{row.number}", title)
    return Figure(title, svg, table, link=_link(look, place))


def _link(look: Look, place: int) -> str:
    """Address of a row in the explainer, under the two losses furthest apart."""
    if not look.explainer:
        return ""
    row = look.comparison.rows[place]
    models = ",".join(dict.fromkeys(_apart(row))) if row.probs else ""
    # A plus sign in an address is a space.
    return (
        f"{quote(look.explainer)}#stop=0&row={place}&models={quote(models, safe=',')}"
    )


def _apart(row: Row) -> tuple[str, str]:
    """The losses that give the truth most and least."""
    given = {key: probs[row.true] for key, probs in row.probs.items()}
    most, least = (f(given, key=lambda key: given[key]) for f in (max, min))
    return most, least


def _picture(look: Look, row: Row) -> Any:
    keys = [key for key in look.names if key in row.probs]
    top = max((max(row.probs[key]) for key in keys), default=1.0)
    y = alt.Y("p:Q", title=f"probability of the {look.bin}").axis(
        tickCount=4, format="~%"
    )
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
    base = alt.Chart(SharedData(values=values))
    x = look.classes(width)
    mark = base.mark_point(
        shape="triangle-down", filled=True, size=70, color=INK, opacity=1
    )
    mark = mark.encode(x, y=alt.value(6)).transform_filter("datum.true")
    return base.mark_bar().encode(x, y, color), mark


def _seen(row: Row, keys: list[str]) -> list[int]:
    """The bins in which a loss sees something, and that of the truth."""
    return [
        place
        for place in range(len(row.grid.labels))
        if place == row.true or any(row.probs[key][place] >= _SEEN for key in keys)
    ]


def _shows_tail(look: Look, row: Row) -> bool:
    """Whether a bin that reaches to infinity is drawn."""
    if row.grid.tails == "none":
        return False
    seen = _seen(row, [key for key in look.names if key in row.probs])
    lower = row.grid.tails != "upper-half-normal" and 0 in seen
    upper = row.grid.tails != "lower-half-normal"
    return lower or (upper and len(row.grid.labels) - 1 in seen)


def _spans(look: Look, row: Row, keys, y, color, width: int) -> tuple[Any, Any]:
    """Bins from edge to edge, where a loss sees something; a line at the truth."""
    target = look.comparison.data.target
    every, seen = row.grid.edges, _seen(row, keys)
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
    base = alt.Chart(SharedData(values=values))
    low, high = min(edges[0], row.value), max(edges[-1], row.value)
    x = alt.X("low:Q", title=target).scale(domain=[low, high], nice=False)
    x = x.axis(grid=False, tickCount=4, titleLimit=width)
    bars = base.mark_bar(strokeWidth=0.7).encode(
        x, alt.X2("high:Q"), y, color, y2=alt.datum(0), stroke=look.stroke(keys)
    )
    rule = base.mark_rule(color=INK, strokeDash=[3, 2], strokeWidth=1.5)
    rule = rule.encode(alt.X("truth:Q", title=target))
    return (
        bars.transform_filter("isValid(datum.low)"),
        rule.transform_filter("isValid(datum.truth)"),
    )
