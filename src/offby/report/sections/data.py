"""The data that were compared on."""

from itertools import accumulate, pairwise
from typing import Any

import altair as alt
import numpy as np

from offby.report._parts import Figure, Table
from offby.report.style import MANY, Look, drawn
from offby.results import phrases as words

_BAR = "#5b6b7c"
_WIDTH = 820


def histogram(look: Look) -> Figure:
    """Rows per class or bin."""
    data = look.comparison.data
    total = sum(data.counts) or 1
    what = "class" if data.kind == "classes" else "bin"
    title = _middle(look) if look.has_edges else _largest(look)
    table = Table(
        f"Rows per {what}",
        (what, "rows", "share"),
        tuple(
            (label, str(count), f"{100 * count / total:.1f} %")
            for label, count in zip(look.labels, data.counts, strict=False)
        ),
    )
    return Figure(title, drawn(_bars(look), "histogram", title), table)


def _largest(look: Look) -> str:
    counts = look.comparison.data.counts
    if not sum(counts):
        return "Rows per class"
    top = max(range(len(counts)), key=lambda place: counts[place])
    return (
        f"The largest class, {look.labels[top]}, holds "
        f"{words.percent(counts[top] / sum(counts))} of the rows; the smallest "
        f"{words.count(min(counts), 'row')}"
    )


def _middle(look: Look) -> str:
    data = look.comparison.data
    below = [0.0, *accumulate(data.counts)]
    low, high = np.interp([below[-1] / 4, 3 * below[-1] / 4], below, data.edges)
    widths = np.diff(data.edges)
    return words.minus(
        f"Half of the rows lie between {low:.4g} and {high:.4g}; the "
        f"{len(data.counts)} bins are {widths.min():.3g} to {widths.max():.3g} wide"
    )


def _bars(look: Look) -> Any:
    data = look.comparison.data
    y = alt.Y("count:Q", title="rows")
    if look.has_edges:
        # Rows per unit: of bins of equal counts, the heights would say nothing.
        values = [
            {"low": low, "high": high, "count": count / (high - low)}
            for (low, high), count in zip(
                pairwise(data.edges), data.counts, strict=True
            )
        ]
        chart = alt.Chart(alt.Data(values=values)).encode(
            alt.X("low:Q", title=data.target)
            .axis(titleLimit=_WIDTH)
            .scale(zero=False, nice=False),
            alt.X2("high:Q"),
            y.title("rows per unit"),
            y2=alt.datum(0),
        )
        stroke = 0 if len(values) > 3 * MANY else 0.7
        chart = chart.mark_bar(color=_BAR, stroke="#fff", strokeWidth=stroke)
    else:
        values = [
            {"x": name, "count": count}
            for name, count in zip(look.labels, data.counts, strict=False)
        ]
        chart = alt.Chart(alt.Data(values=values)).mark_bar(color=_BAR)
        chart = chart.encode(look.classes(_WIDTH), y)
    return chart.properties(width=_WIDTH, height=200)
