"""Arrows at the edge of a chart, for what lies beyond it."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from offby.report.reach import Reach
from offby.report.style import Look, SharedData


def off_the_axis(
    look: Look,
    texts: Mapping[str, str],
    shown: Reach,
    keys: Sequence[str],
    *,
    to_the_right: bool,
) -> list[Any]:
    """A layer that names the methods beyond the axis, with an arrow towards them.

    Args:
        look: The look of the comparison.
        texts: The number of each method that lies beyond.
        shown: The part of the axis that is drawn.
        keys: All methods of the chart, from top to bottom.
        to_the_right: Whether they lie at its upper end.

    Returns:
        One layer, or none if nothing lies beyond.
    """
    if not texts:
        return []
    edge = shown.high if to_the_right else shown.low
    values = [
        {
            "method": key,
            "edge": edge,
            "says": f"{text} →" if to_the_right else f"← {text}",
        }
        for key, text in texts.items()
    ]
    mark = alt.Chart(SharedData(values=values)).mark_text(
        align="right" if to_the_right else "left", fontSize=11, fontWeight="bold"
    )
    y = alt.Y("method:N", title=None, sort=list(keys)).scale(domain=list(keys))
    color = look.color(keys).legend(None)
    return [mark.encode(alt.X("edge:Q"), y, alt.Text("says:N"), color)]
