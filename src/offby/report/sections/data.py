"""The data that were compared on: how often each class or number comes."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import altair as alt
import numpy as np

from offby.report.parts import Block, Figure, Items, Table
from offby.report.style import MANY, Look, SharedData, drawn
from offby.results import phrases

_BAR = "#5b6b7c"
_CUT = "#b35900"
_WIDTH = 820
_HEIGHT = 200
_FAR = 4.0
"""How many times as high as all others a bar is before it is cut."""
_FEW = 0.5
"""Largest share of the bins that are cut."""
_NAMED = 3
"""Cut bars that the note names."""


def content(look: Look) -> list[Block]:
    """What the section shows."""
    notes = look.comparison.data.notes
    return [_histogram(look), *([Items(notes)] if notes else [])]


def _histogram(look: Look) -> Figure:
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
    if not look.has_edges:
        svg = drawn(_bars_of_classes(look), "histogram", title)
        return Figure(title, svg, table)
    heights = densities(data.edges, data.counts)
    cut = cut_bars(heights)
    svg = drawn(_bars_of_bins(look, heights, cut), "histogram", title)
    note = (
        "The area of a bar is its number of rows, because the bins have different "
        "widths."
    )
    return Figure(title, svg, table, f"{note} {_of_cut(look, cut)}".rstrip())


def densities(edges: Sequence[float], counts: Sequence[int]) -> list[float]:
    """Rows per unit of the target in each bin."""
    return [
        count / (high - low)
        for (low, high), count in zip(pairwise(edges), counts, strict=True)
    ]


def cut_bars(heights: Sequence[float]) -> list[int]:
    """Bins whose bars are so high that all others would be invisible beside them.

    Where many rows have the very same number (a count of 0, a rounded minute), its bin
    is narrow and its bar very high. Bars are cut above the lowest wide gap between
    consecutive heights; at most half of the bars are cut.
    """
    order = sorted(
        (place for place, height in enumerate(heights) if height > 0),
        key=lambda place: -heights[place],
    )
    most = int(_FEW * len(order))
    gaps = [heights[a] / heights[b] for a, b in pairwise(order)][:most]
    far = [place for place, gap in enumerate(gaps) if gap >= _FAR]
    return sorted(order[: far[-1] + 1]) if far else []


def _of_cut(look: Look, cut: Sequence[int]) -> str:
    """Which bars are cut, and how many rows they hold."""
    if not cut:
        return ""
    data = look.comparison.data
    shown = sorted(cut, key=lambda place: -data.counts[place])[:_NAMED]
    named = [
        f"{phrases.count(data.counts[place], 'row')} from {look.labels[place]}"
        for place in shown
    ]
    rest = len(cut) - len(shown)
    more = f", and {phrases.count(rest, 'other')}" if rest else ""
    bars = "A narrow bar is" if len(cut) == 1 else f"{len(cut)} narrow bars are"
    return (
        f"{bars} cut at the triangle, because the others would be too low to see "
        f"beside it: {', '.join(named)}{more}."
    )


def _largest(look: Look) -> str:
    counts = look.comparison.data.counts
    if not sum(counts):
        return "Rows per class"
    top = max(range(len(counts)), key=lambda place: counts[place])
    return (
        f"The largest class, {look.labels[top]}, holds "
        f"{phrases.percent(counts[top] / sum(counts))} of the rows, the smallest "
        f"{phrases.count(min(counts), 'row')}"
    )


def _middle(look: Look) -> str:
    data = look.comparison.data
    below = [0.0, *accumulate(data.counts)]
    low, high = np.interp([below[-1] / 4, 3 * below[-1] / 4], below, data.edges)
    widths = np.diff(data.edges)
    return phrases.minus(
        f"Half of the rows lie between {phrases.plain(low)} and "
        f"{phrases.plain(high)}; the "
        f"{len(data.counts)} bins are {phrases.plain(widths.min())} to "
        f"{phrases.plain(widths.max())} wide"
    )


def _bars_of_classes(look: Look) -> Any:
    values = [
        {"x": name, "count": count}
        for name, count in zip(look.labels, look.comparison.data.counts, strict=False)
    ]
    chart = alt.Chart(SharedData(values=values)).mark_bar(color=_BAR)
    chart = chart.encode(look.classes(_WIDTH), alt.Y("count:Q", title="rows"))
    return chart.properties(width=_WIDTH, height=_HEIGHT)


def _bars_of_bins(look: Look, heights: Sequence[float], cut: Sequence[int]) -> Any:
    """Rows per unit: of bins of equal counts, the heights would say nothing."""
    data = look.comparison.data
    whole = [height for place, height in enumerate(heights) if place not in cut]
    top = 1.25 * max(whole, default=1.0) if cut else max(heights, default=1.0)
    values = [
        {
            "low": low,
            "high": high,
            "middle": (low + high) / 2,
            "height": min(height, top),
            "cut": place in cut,
        }
        for place, ((low, high), height) in enumerate(
            zip(pairwise(data.edges), heights, strict=True)
        )
    ]
    base = alt.Chart(SharedData(values=values))
    x = alt.X("low:Q", title=data.target)
    x = x.axis(titleLimit=_WIDTH).scale(zero=False, nice=False)
    y = alt.Y("height:Q", title="rows per unit")
    if cut:
        y = y.scale(domain=[0, top * 1.05], nice=False)
    stroke = 0 if len(values) > 3 * MANY else 0.7
    bars = base.mark_bar(color=_BAR, stroke="#fff", strokeWidth=stroke)
    bars = bars.encode(x, alt.X2("high:Q"), y, y2=alt.datum(0))
    layers = [bars.transform_filter("!datum.cut") if cut else bars]
    if cut:
        # A line, because a bar of no visible width is no bar.
        at = alt.X("middle:Q")
        line = base.mark_rule(color=_CUT, strokeWidth=2)
        tip = base.mark_point(
            shape="triangle-up", filled=True, size=60, color=_CUT, opacity=1
        )
        layers += [
            line.encode(at, y, y2=alt.datum(0)).transform_filter("datum.cut"),
            tip.encode(at, y).transform_filter("datum.cut"),
        ]
    return alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT)
