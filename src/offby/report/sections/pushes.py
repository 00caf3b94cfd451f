"""How each loss pushes the logits during training."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from offby.report.parts import Block, Figure, Table
from offby.report.style import MANY, PLUS, Look, SharedData, drawn
from offby.results import Pushes, phrases


def content(look: Look) -> list[Block]:
    """What the section shows."""
    found = look.comparison.pushes
    if not found:
        return []
    title = _push_title(found, look.bin)
    offsets = sorted({offset for push in found for offset in push.offsets})
    columns = [
        (push, dict(zip(push.offsets, push.mean_push, strict=True))) for push in found
    ]
    table = Table(
        f"Mean push on the logit, by {look.bin} minus true {look.bin}",
        ("loss", "stage", *(phrases.signed(offset, 0) for offset in offsets)),
        tuple(
            (
                push.method,
                push.stage,
                *(
                    phrases.signed(known[offset], 4) if offset in known else "–"
                    for offset in offsets
                ),
            )
            for push, known in columns
        ),
        text_columns=("stage",),
    )
    note = (
        f"Above zero, the logit of that {look.bin} is pushed up. The three pictures "
        "of a loss have the same scale; other losses have scales of their own."
    )
    svg = drawn(_push_panels(look, found), "pushes", title)
    return [Figure(title, svg, table, note)]


def _push_title(found: Sequence[Pushes], what: str) -> str:
    up = []
    for push in found:
        near = [
            value
            for offset, value in zip(push.offsets, push.mean_push, strict=True)
            if abs(offset) == 1
        ]
        if push.stage == "end" and near and sum(near) > 0:
            up.append(push.method)
    if not up:
        return f"At the end, no loss pushes the neighbors of the true {what} up"
    verb = "pushes" if len(up) == 1 else "push"
    return (
        f"At the end, {phrases.listed(up)} {verb} the neighbors of the true {what} up"
    )


def _push_panels(look: Look, found: Sequence[Pushes]) -> Any:
    """One line of panels per loss."""
    lines = []
    keys = [k for k in look.names if any(p.method == k for p in found)]
    stages = ["start", "middle", "end"]
    for place, key in enumerate(keys):
        values = [
            {"stage": push.stage, "offset": offset, "push": value}
            for push in found
            if push.method == key
            for offset, value in zip(push.offsets, push.mean_push, strict=True)
        ]
        last = place == len(keys) - 1
        x = alt.X("offset:Q", title=f"{look.bin} − true {look.bin}" if last else None)
        x = x.axis(format="d", tickMinStep=1, grid=False, labelExpr=PLUS)
        # One width for the labels of all losses, or the panels do not line up.
        y = alt.Y("push:Q", title=key).axis(tickCount=4, minExtent=34)
        color = look.color_of(key)
        many = len({value["offset"] for value in values}) > MANY
        base = alt.Chart(SharedData(values=values))
        if many:
            marks = base.mark_area(color=color, opacity=0.75, interpolate="step")
        else:
            marks = base.mark_bar(color=color, size=9)
        marks = marks.encode(x, y)
        zero = base.mark_rule(color="#8b929a").encode(y=alt.datum(0))
        column = alt.Column("stage:N", title=None, sort=stages)
        if place:
            column = column.header(labels=False)
        line = alt.layer(marks, zero).properties(width=235, height=85)
        lines.append(line.facet(column=column))
    return alt.vconcat(*lines, spacing=8)
