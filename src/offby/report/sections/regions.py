"""Where the forecasts of the best loss are good, and where they are not."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from offby.report.parts import Block, Figure, Table
from offby.report.style import Look, SharedData, drawn
from offby.results import Region, phrases

_WIDTH = 620
_BAR = 22
"""Height of a bar and its gap."""


def content(look: Look) -> list[Block]:
    """A figure for the parts of the target, and one for the groups."""
    found = look.comparison.regions
    kinds = dict.fromkeys(one.by for one in found)
    return [_figure(look, by, [one for one in found if one.by == by]) for by in kinds]


def _figure(look: Look, by: str, found: Sequence[Region]) -> Figure:
    score = look.score
    what = look.comparison.data.target if by == "target" else by
    names = _names(look, by, found)
    worst = max(range(len(found)), key=lambda place: found[place].score)
    title = f"The errors are largest where {what} is {names[worst]}"
    digits = phrases.digits([one.score for one in found])
    signed = all(one.bias is not None for one in found)
    table = Table(
        f"Mean {score}{' and bias' if signed else ''} of {found[0].method} by {what}",
        (what, "rows", score, *(["bias"] if signed else [])),
        tuple(
            (
                name,
                f"{one.n_rows:,}",
                phrases.number(one.score, digits),
                *([] if one.bias is None else [phrases.signed(one.bias, digits)]),
            )
            for name, one in zip(names, found, strict=True)
        ),
        (what,),
    )
    note = f"Forecasts of {found[0].method} for held-out rows."
    if signed:
        note = (
            "The bias is the mean of the median forecast minus the truth: above zero, "
            f"the forecasts are too high. {note}"
        )
    # Forecasts lie between the extremes, so rows at the ends always look worse.
    if by == "target" and signed:
        note += (
            " Rows at the ends of the target are harder for every model, because a "
            "forecast can only be too low or only too high there."
        )
    return Figure(
        title, drawn(_bars(look, names, found, score, what), by, title), table, note
    )


def _names(look: Look, by: str, found: Sequence[Region]) -> list[str]:
    """Names of the parts: classes by their labels, numbers as they are printed."""
    data = look.comparison.data
    if by == "target" and data.kind == "classes":
        labels = {
            f"{p:.4g}": n for p, n in zip(data.positions, look.labels, strict=False)
        }
        return [labels.get(one.label, one.label) for one in found]
    return [phrases.minus(one.label) for one in found]


def _bars(
    look: Look, names: Sequence[str], found: Sequence[Region], score: str, what: str
) -> Any:
    values = [
        {"part": name, "score": one.score}
        for name, one in zip(names, found, strict=True)
    ]
    chart = alt.Chart(SharedData(values=values))
    chart = chart.mark_bar(color=look.color_of(found[0].method)).encode(
        alt.X("score:Q", title=f"mean {score}").scale(zero=True),
        alt.Y("part:N", title=what, sort=list(names)).axis(
            labelLimit=180, titleLimit=_BAR * len(found)
        ),
    )
    return chart.properties(width=_WIDTH, height=_BAR * len(found))
