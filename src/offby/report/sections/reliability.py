"""Reliability diagrams: how often a predicted event happens, at three thresholds."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from offby.report.parts import Figure, Table
from offby.report.style import Look, SharedData, drawn
from offby.results import Reliability, phrases

_ACROSS = 5
_FEW = 8
"""Points of a curve below which they are marked: a line through one shows nothing."""
_SIDE = 128
"""Pixels of the side of a panel."""


def reliability(look: Look) -> Figure | None:
    """The curve of every loss at every threshold, with the parts of the score."""
    found = look.comparison.reliability
    if not found:
        return None
    title = _finding(look, found)
    rows = [
        (
            curve.method,
            event(look, curve.threshold),
            phrases.number(curve.miscalibration, 4),
            phrases.number(curve.discrimination, 4),
            phrases.number(curve.uncertainty, 4),
        )
        for curve in found
    ]
    table = Table(
        "Parts of the Brier score of each event",
        ("loss", "event", "miscalibration", "discrimination", "uncertainty"),
        tuple(rows),
        text_columns=("event",),
    )
    note = (
        "The horizontal axis is the predicted probability. The vertical axis is how "
        "often the event came true, by isotonic regression. On the diagonal both "
        "agree; above it, the event came true more often than was predicted. The gray "
        "band is where a calibrated forecast lies in 95 of 100 cases, point by point. "
        "It is wide where there are few rows."
    )
    return Figure(title, drawn(_blocks(look, found), "reliability", title), table, note)


def event(look: Look, threshold: float) -> str:
    """ "At most a class or number", named as the reader named it."""
    data = look.comparison.data
    if data.kind == "classes" and threshold in look.positions:
        return f"at most {look.labels[list(look.positions).index(threshold)]}"
    return phrases.minus(f"at most {phrases.plain(threshold)}")


def _finding(look: Look, found: Sequence[Reliability]) -> str:
    cost = {
        method: sum(c.miscalibration for c in found if c.method == method)
        for method in dict.fromkeys(curve.method for curve in found)
    }
    least, most = (f(cost, key=lambda m: cost[m]) for f in (min, max))
    many = len({curve.threshold for curve in found})
    over = "at the threshold" if many == 1 else f"over {many} thresholds"
    said = f"{least} has the least miscalibration {over}"
    if cost[most] <= 0 or len(cost) == 1:
        return f"{most}: predicted against observed {over}"
    times = cost[most] / cost[least] if cost[least] > 0 else float("inf")
    if times < 1.1:
        return f"All losses are miscalibrated about alike {over}"
    how = f", {times:.1f} times as much" if times < 100 else ""
    return f"{said}, {most} the most{how}"


def _blocks(look: Look, found: Sequence[Reliability]) -> Any:
    """Panels of thresholds (down) by losses (across), as many as fit."""
    keys = list(dict.fromkeys(curve.method for curve in found))
    lines = -(-len(keys) // _ACROSS)
    across = -(-len(keys) // lines)
    blocks = [
        _block(look, [c for c in found if c.method in keys[i : i + across]])
        for i in range(0, len(keys), across)
    ]
    # Each block colors its own losses: one scale for all would deal the colors anew.
    whole = alt.vconcat(*blocks, spacing=22)
    return whole.resolve_scale(color="independent", strokeDash="independent")


def _block(look: Look, found: Sequence[Reliability]) -> Any:
    keys = list(dict.fromkeys(curve.method for curve in found))
    events = list(dict.fromkeys(event(look, c.threshold) for c in found))
    values = [
        {
            "method": curve.method,
            "event": event(look, curve.threshold),
            "predicted": predicted,
            "happened": happened,
            "low": low,
            "high": high,
            "few": len(curve.predicted) < _FEW,
        }
        for curve in found
        for predicted, happened, low, high in zip(
            curve.predicted, curve.happened, curve.low, curve.high, strict=True
        )
    ]
    base = alt.Chart(SharedData(values=values))
    x = alt.X("predicted:Q", title="predicted").scale(domain=[0, 1])
    x = x.axis(values=[0, 0.5, 1], format="~%", labelFlush=True)
    y = alt.Y("low:Q", title="came true").scale(domain=[0, 1])
    y = y.axis(values=[0, 0.5, 1], format="~%")
    band = base.mark_area(color="#d9dee4", opacity=0.8).encode(x, y, alt.Y2("high:Q"))
    ends = {"x": alt.datum(0), "y": alt.datum(0)}
    diagonal = base.mark_rule(color="#8b929a", strokeWidth=0.8).encode(
        **ends, x2=alt.datum(1), y2=alt.datum(1)
    )
    line = base.mark_line(strokeWidth=2).encode(
        x,
        alt.Y("happened:Q"),
        look.color(keys).legend(None),
        look.dash(keys).legend(None),
    )
    dots = base.mark_circle(size=22, opacity=1).transform_filter("datum.few")
    dots = dots.encode(x, alt.Y("happened:Q"), look.color(keys).legend(None))
    panel = alt.layer(band, diagonal, line, dots).properties(width=_SIDE, height=_SIDE)
    return panel.facet(
        column=alt.Column("method:N", title=None, sort=keys),
        row=alt.Row("event:N", title=None, sort=events),
    )
