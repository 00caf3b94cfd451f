"""What noise in bin edges, inputs and targets does to each loss."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from offby.report._parts import Figure, Table
from offby.report.style import Look, drawn
from offby.results import Metric, Noise
from offby.results import phrases as words

_NOISES = {
    "edges": "Noise in the bin edges",
    "counts": "Another number of bins",
    "strategy": "Bins by the other strategy",
    "inputs": "Noise in the inputs",
    "neighbor": "Training labels moved to a neighbor",
    "random": "Training labels moved at random",
}
_LEVELS = {
    "edges": "noise, as a share of the bin width",
    "counts": "bins, as a share of those chosen",
    "strategy": "0 %: strategy chosen, 100 %: the other",
    "inputs": "noise, as a share of each input's spread",
    "neighbor": "share of labels moved",
    "random": "share of labels moved",
}


def share(look: Look) -> str:
    """How many rows the noise of the target would move, in words."""
    found = look.comparison.noise_share
    if found is None:
        return ""
    told = "as given" if found.source == "given" else "as near neighbors tell it"
    return (
        f"The target has noise with a standard deviation of {found.spread:.3g} "
        f"{look.unit} ({told}). Under such noise {words.percent(found.share)} of the "
        f"rows would change their {look.bin}."
    )


def noise(look: Look) -> list[Figure]:
    """What each kind of noise does to each loss."""
    c = look.comparison
    metric = next((m for m in c.metrics if m.answers), None)
    if metric is None:
        return []
    return [_of(look, kind, metric) for kind in dict.fromkeys(n.kind for n in c.noise)]


def _of(look: Look, kind: str, metric: Metric) -> Figure:
    noises = [noise for noise in look.comparison.noise if noise.kind == kind]
    title = _NOISES[kind] + _finding(kind, noises, metric)
    shown = [m for m in look.comparison.metrics if m.key in noises[0].scores]
    rows = [
        (
            noise.method,
            f"{100 * level:g} %",
            words.number(noise.moved[i], 4),
            words.number(noise.miscalibration[i], 4),
            *(words.number(noise.scores[m.key][i], 4) for m in shown),
        )
        for noise in noises
        for i, level in enumerate(noise.levels)
    ]
    table = Table(
        _NOISES[kind],
        (
            "loss",
            "level",
            "forecasts move",
            "miscalibration",
            *(m.title for m in shown),
        ),
        tuple(rows),
    )
    svg = drawn(_panels(look, noises, metric, _LEVELS[kind]), f"noise-{kind}", title)
    return Figure(title, svg, table)


def _finding(kind: str, noises: Sequence[Noise], metric: Metric) -> str:
    sign = 1 if metric.lower_is_better else -1
    hurt = {
        noise.method: sign * (last - first)
        for noise in noises
        for first, last in [(noise.scores[metric.key][0], noise.scores[metric.key][-1])]
        if first is not None and last is not None
    }
    if len(hurt) < 2:
        return ""
    if kind in ("counts", "strategy"):
        # Neither end is the better one: what counts is how much the choice decides.
        apart = {
            noise.method: max(known) - min(known)
            for noise in noises
            if (known := [s for s in noise.scores[metric.key] if s is not None])
        }
        least, most = (f(apart, key=lambda m: apart[m]) for f in (min, max))
        digits = words.digits([apart[least], apart[most]])
        return (
            f": by {metric.title}, it matters least to {least} "
            f"({words.number(apart[least], digits)}), most to {most} "
            f"({words.number(apart[most], digits)})"
        )
    least, most = (f(hurt, key=lambda m: hurt[m]) for f in (min, max))
    digits = words.digits([hurt[least], hurt[most]])
    return (
        f": by {metric.title}, {least} is hurt least "
        f"({words.signed(sign * hurt[least], digits)}), {most} most "
        f"({words.signed(sign * hurt[most], digits)})"
    )


def _panels(look: Look, noises: Sequence[Noise], metric: Metric, level: str) -> Any:
    """Score, and how far forecasts move, by the level of the noise."""
    keys = [noise.method for noise in noises]
    values = [
        {
            "method": noise.method,
            "level": level,
            "score": noise.scores[metric.key][i],
            "moved": noise.moved[i],
        }
        for noise in noises
        for i, level in enumerate(noise.levels)
    ]
    base = alt.Chart(alt.Data(values=values))
    levels = list(noises[0].levels)
    x = alt.X("level:Q", title=level).axis(
        values=levels, format="~%", grid=False, labelFlush=False
    )
    unit = f", in {metric.unit}" if metric.unit else ""
    arrow = "↓ better" if metric.lower_is_better else "↑ better"
    panels = []
    for field, title, zero in (
        ("score", f"{metric.title}{unit} ({arrow})", False),
        ("moved", f"forecasts move, in {look.unit}", True),
    ):
        y = alt.Y(f"{field}:Q", title=None).scale(zero=zero).axis(tickCount=5)
        color = look.color(keys).legend(symbolType="stroke")
        line = base.mark_line(strokeWidth=2).encode(x, y, color, look.dash(keys))
        dots = base.mark_circle(size=30, opacity=1).encode(x, y, color)
        panel = alt.layer(line, dots).properties(
            width=290, height=190, title=alt.TitleParams(title, limit=290)
        )
        panels.append(panel)
    return alt.hconcat(*panels)
