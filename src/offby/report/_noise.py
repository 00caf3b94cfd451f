"""What noise in bin edges, inputs and targets does to each loss."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from offby.comparison._result import Metric, Noise
from offby.report import _words as words
from offby.report._look import Look, drawn
from offby.report._parts import Figure, Table

_NOISES = {
    "edges": "Noise in the bin edges",
    "counts": "Another number of bins",
    "strategy": "Bins by the other strategy",
    "inputs": "Noise in the inputs",
    "neighbor": "Training labels moved to a neighbor",
    "random": "Training labels moved at random",
}
_LEVELS = {
    "edges": "noise as a share of the bin width",
    "counts": "number of bins as a share of the one chosen",
    "strategy": "0 % is the strategy chosen, 100 % the other one",
    "inputs": "noise as a share of the standard deviation of each input",
    "neighbor": "share of the labels moved",
    "random": "share of the labels moved",
}


def share(look: Look) -> str:
    """How many rows the noise of the target would move, in words."""
    found = look.comparison.noise_share
    if found is None:
        return ""
    what = "class" if look.comparison.data.kind == "classes" else "bin"
    told = "as given" if found.source == "given" else "as near neighbors tell it"
    return (
        f"The target has a noise of {found.spread:.3g} ({told}). Under such noise "
        f"{100 * found.share:.0f} % of the rows would change their {what}."
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
    svg = drawn(_panels(look, noises, metric), f"noise-{kind}", title)
    return Figure(title, svg, table, "Level: " + _LEVELS[kind] + ".")


def _finding(kind: str, noises: Sequence[Noise], metric: Metric) -> str:
    sign = 1 if metric.lower_is_better else -1
    hurt = {
        noise.method: sign * (last - first)
        for noise in noises
        for first, last in [(noise.scores[metric.key][0], noise.scores[metric.key][-1])]
        if first is not None and last is not None
    }
    if len(hurt) < 2 or kind in ("counts", "strategy"):
        return ""
    least, most = (f(hurt, key=lambda m: hurt[m]) for f in (min, max))
    return (
        f": by {metric.title}, {least} loses least "
        f"({words.signed(sign * hurt[least], words.digits([hurt[least]]))}), {most} "
        f"most ({words.signed(sign * hurt[most], words.digits([hurt[most]]))})"
    )


def _panels(look: Look, noises: Sequence[Noise], metric: Metric) -> Any:
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
    x = alt.X("level:Q", title="level").axis(
        values=levels, format="~%", grid=False, labelFlush=False
    )
    unit = f", {metric.unit}" if metric.unit else ""
    panels = []
    for field, title, zero in (
        ("score", f"{metric.title}{unit}", False),
        ("moved", "forecasts move", True),
    ):
        y = alt.Y(f"{field}:Q", title=title).scale(zero=zero).axis(tickCount=5)
        color = look.color(keys).legend(symbolType="stroke")
        line = base.mark_line(strokeWidth=2).encode(x, y, color, look.dash(keys))
        dots = base.mark_circle(size=30, opacity=1).encode(x, y, color)
        panels.append(alt.layer(line, dots).properties(width=290, height=190))
    return alt.hconcat(*panels)
