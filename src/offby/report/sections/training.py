"""How the losses train: their pushes on the logits, and their learning curves."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from offby.report._parts import Figure, Table
from offby.report.style import MANY, PLUS, Look, drawn
from offby.results import Pushes
from offby.results import phrases as words


def pushes(look: Look) -> Figure | None:
    """How each loss pushes the logits."""
    found = look.comparison.pushes
    if not found:
        return None
    title = _push_title(found, look.bin)
    offsets = sorted({offset for push in found for offset in push.offsets})
    columns = [
        (push, dict(zip(push.offsets, push.mean_push, strict=True))) for push in found
    ]
    table = Table(
        f"Mean push on the logit, by {look.bin} minus true {look.bin}",
        ("loss", "stage", *(words.signed(offset, 0) for offset in offsets)),
        tuple(
            (
                push.method,
                push.stage,
                *(
                    words.signed(known[offset], 4) if offset in known else "–"
                    for offset in offsets
                ),
            )
            for push, known in columns
        ),
        words=("stage",),
    )
    note = (
        f"Above zero: the logit of that {look.bin} is pushed up. Each loss has its own "
        "scale, the same in its three pictures."
    )
    return Figure(title, drawn(_push_panels(look, found), "pushes", title), table, note)


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
    return f"At the end, {words.listed(up)} {verb} the neighbors of the true {what} up"


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
        base = alt.Chart(alt.Data(values=values))
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


def curves(look: Look) -> Figure | None:
    """How long each loss trained."""
    items = [item for item in look.comparison.training if item.curve]
    if not items:
        return None
    fast = min(items, key=lambda item: item.epochs)
    slow = max(items, key=lambda item: item.epochs)
    title = (
        f"{fast.method} is at its best first, after "
        f"{words.count(round(fast.epochs), 'epoch')}, {slow.method} last, after "
        f"{round(slow.epochs)}"
    )
    if round(fast.epochs) == round(slow.epochs):
        title = f"Every loss is at its best after about {fast.epochs:.0f} epochs"
    by = "validation score"
    if look.comparison.run.stop_on == "score":
        by = "CRPS" if look.comparison.data.kind == "number" else "RPS"
        by = f"{by} of the validation rows"
    seconds = look.comparison.timing.fits
    table = Table(
        "Training, mean over the fits",
        ("loss", "best epoch", "seconds in all", f"best {by}", "last"),
        tuple(
            (
                item.method,
                f"{item.epochs:.1f}",
                f"{seconds.get(item.method, 0.0):.2f}",
                f"{min(item.curve):.4f}",
                f"{item.curve[-1]:.4f}",
            )
            for item in items
        ),
    )
    keys = [item.method for item in items]
    values = [
        {"method": item.method, "epoch": epoch, "score": score}
        for item in items
        for epoch, score in enumerate(item.curve, start=1)
    ]
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_line(strokeWidth=2)
        .encode(
            alt.X("epoch:Q", title="epoch").axis(tickMinStep=1),
            alt.Y("score:Q", title=f"{by} (↓ better)").scale(zero=False),
            look.color(keys),
            look.dash(keys),
        )
        .properties(width=640, height=260)
    )
    note = (
        "Training ends some epochs after the best one, whose weights are kept. Mean "
        "over the networks still in training: late parts rest on few."
    )
    return Figure(title, drawn(chart, "training", title), table, note)
