"""What noise in bin edges, inputs and targets does to each loss."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from offby.report.parts import Block, Figure, Items, Paragraph, Table
from offby.report.style import Look, SharedData, drawn
from offby.results import Comparison, Metric, Noise, phrases

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


def _share(look: Look) -> str:
    """How many rows the noise of the target would move, in phrases."""
    found = look.comparison.noise_share
    if found is None:
        return ""
    source = (
        "as you said"
        if found.source == "given"
        else "estimated from rows with similar features"
    )
    return (
        f"The target has noise with a standard deviation of {found.spread:.3g} "
        f"{look.unit} ({source}). With such noise "
        f"{phrases.percent(found.share)} of the rows would be in another {look.bin}."
    )


def content(look: Look) -> list[Block]:
    """What the section shows: a figure for each kind of noise."""
    c = look.comparison
    metric = next((m for m in c.metrics if m.answers), None)
    if metric is None or not c.noise:
        return []
    kinds = dict.fromkeys(noise.kind for noise in c.noise)
    return [
        *([Paragraph(said)] if (said := _share(look)) else []),
        *([Items(c.takeovers)] if c.takeovers else []),
        Paragraph(
            "To study noise in bin edges and labels, networks are trained again with "
            f"the first seed on the first {min(3, c.run.folds)} folds. Noise in the "
            "inputs is given to the trained networks of all folds. Each picture shows "
            "the score on held-out rows, and how far the forecasts move: the mean "
            f"{_moved(look)} distance from the forecasts without noise, in the unit of "
            f"the target.{_left_out(c)}",
            soft=True,
        ),
        *(_of(look, kind, metric) for kind in kinds),
    ]


def _left_out(c: Comparison) -> str:
    """Which losses have no curve, and why."""
    shown = {noise.method for noise in c.noise}
    names = [name for name in c.losses if name not in shown]
    if not names:
        return ""
    verb = "is" if len(names) == 1 else "are"
    return (
        f" {phrases.listed(names)} {verb} worse without noise already, and not trained "
        "again."
    )


def _moved(look: Look) -> str:
    """The distance of two forecasts; energy distance where classes are on no line."""
    return "Wasserstein-1" if look.comparison.data.ground is None else "energy"


def _of(look: Look, kind: str, metric: Metric) -> Figure:
    noises = [noise for noise in look.comparison.noise if noise.kind == kind]
    title = _NOISES[kind] + _finding(kind, noises, metric)
    shown = [m for m in look.comparison.metrics if m.key in noises[0].scores]
    calibrated = any(noise.miscalibration for noise in noises)
    fine = {
        m.key: phrases.digits(
            [s for noise in noises for s in noise.scores[m.key] if s is not None]
        )
        for m in shown
    }
    moves = phrases.digits([move for noise in noises for move in noise.moved])
    rows = [
        (
            noise.method,
            f"{100 * level:g} %",
            phrases.number(noise.moved[i], moves),
            *([phrases.number(noise.miscalibration[i], 4)] if calibrated else []),
            *(phrases.number(noise.scores[m.key][i], fine[m.key]) for m in shown),
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
            *(["miscalibration"] if calibrated else []),
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
        digits = phrases.digits([apart[least], apart[most]])
        return (
            f": by {metric.title}, it matters least to {least} "
            f"({phrases.number(apart[least], digits)}), most to {most} "
            f"({phrases.number(apart[most], digits)})"
        )
    least, most = (f(hurt, key=lambda m: hurt[m]) for f in (min, max))
    digits = phrases.digits([hurt[least], hurt[most]])
    return (
        f": by {metric.title}, {least} is hurt least "
        f"({phrases.signed(sign * hurt[least], digits)}), {most} most "
        f"({phrases.signed(sign * hurt[most], digits)})"
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
    base = alt.Chart(SharedData(values=values))
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
