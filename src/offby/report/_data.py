"""The data that were compared on."""

from typing import Any

import altair as alt

from offby.report import _words as words
from offby.report._look import MANY, Look, drawn
from offby.report._parts import Figure, Table

_BAR = "#5b6b7c"


def histogram(look: Look) -> Figure:
    """Rows per class or bin."""
    data = look.comparison.data
    total = sum(data.counts) or 1
    what = "class" if data.kind == "classes" else "bin"
    title = f"Rows per {what}"
    if data.counts:
        top = max(range(len(data.counts)), key=lambda place: data.counts[place])
        title = (
            f"The largest {what}, {look.labels[top]}, holds "
            f"{words.percent(data.counts[top] / total)} of the rows; the smallest "
            f"{words.count(min(data.counts), 'row')}"
        )
    table = Table(
        f"Rows per {what}",
        (what, "rows", "share"),
        tuple(
            (label, str(count), f"{100 * count / total:.1f} %")
            for label, count in zip(look.labels, data.counts, strict=False)
        ),
    )
    return Figure(title, drawn(_bars(look), "histogram", title), table)


def _bars(look: Look) -> Any:
    data = look.comparison.data
    y = alt.Y("count:Q", title="rows")
    if data.kind == "number" and len(data.edges) == len(data.counts) + 1:
        values = [
            {"low": low, "high": high, "count": count}
            for low, high, count in zip(
                data.edges, data.edges[1:], data.counts, strict=False
            )
        ]
        chart = alt.Chart(alt.Data(values=values)).encode(
            alt.X("low:Q", title=data.target).scale(zero=False, nice=False),
            alt.X2("high:Q"),
            y,
        )
        stroke = 0 if len(values) > 2 * MANY else 0.7
        chart = chart.mark_bar(color=_BAR, stroke="#fff", strokeWidth=stroke)
    else:
        values = [
            {"x": name, "count": count}
            for name, count in zip(look.labels, data.counts, strict=False)
        ]
        chart = alt.Chart(alt.Data(values=values)).mark_bar(color=_BAR)
        chart = chart.encode(look.classes(data.target), y)
    return chart.properties(width=820, height=200)
