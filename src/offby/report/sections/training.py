"""How long each loss trained, and how its validation score fell."""

import altair as alt

from offby.report.parts import Block, Figure, Table
from offby.report.style import Look, drawn
from offby.results import phrases


def content(look: Look) -> list[Block]:
    """What the section shows."""
    items = [item for item in look.comparison.training if item.curve]
    if not items:
        return []
    fast = min(items, key=lambda item: item.epochs)
    slow = max(items, key=lambda item: item.epochs)
    title = (
        f"{fast.method} is at its best first, after "
        f"{phrases.count(round(fast.epochs), 'epoch')}, {slow.method} last, after "
        f"{round(slow.epochs)}"
    )
    if round(fast.epochs) == round(slow.epochs):
        title = f"Every loss is at its best after about {fast.epochs:.0f} epochs"
    by = "validation score"
    if look.comparison.run.stop_on == "score":
        by = look.score
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
        "Training stops some epochs after the best one, and the best weights are kept. "
        "The curve is the mean over the networks that are still training, so its end "
        "shows only a few of them."
    )
    return [Figure(title, drawn(chart, "training", title), table, note)]
