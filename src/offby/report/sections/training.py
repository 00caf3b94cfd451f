"""How long each loss trained, and how its validation score fell."""

from collections.abc import Sequence

import altair as alt

from offby.report.parts import Block, Figure, Table
from offby.report.reach import reach
from offby.report.style import Look, SharedData, drawn
from offby.results import Training, phrases


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
    digits = phrases.digits([min(item.curve) for item in items])
    table = Table(
        "Training, mean over the fits",
        ("loss", "best epoch", "seconds in all", f"best {by}", "last"),
        tuple(
            (
                item.method,
                f"{item.epochs:.1f}",
                f"{seconds.get(item.method, 0.0):.2f}",
                phrases.number(min(item.curve), digits),
                phrases.number(item.curve[-1], digits),
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
        alt.Chart(SharedData(values=values))
        .mark_line(strokeWidth=2, clip=True)
        .encode(
            alt.X("epoch:Q", title="epoch").axis(tickMinStep=1),
            alt.Y("score:Q", title=f"{by} (↓ better)", scale=_scale(items)),
            look.color(keys),
            look.dash(keys),
        )
        .properties(width=640, height=260)
    )
    note = (
        "Training stops some epochs after the best one, and the best weights are kept. "
        "The curve is the mean over the networks that are still training, so its end "
        "shows only a few of them. The picture is cut above the scores of the first "
        "epochs, which are far higher."
    )
    return [Figure(title, drawn(chart, "training", title), table, note)]


def _scale(items: Sequence[Training]) -> alt.Scale:
    """As high as the contenders are after a tenth of their epochs.

    The first epochs, and a loss that stays far behind, would press the rest together.
    """
    best = {item.method: min(item.curve) for item in items}
    near = reach({key: (least, least, least) for key, least in best.items()})
    early = max(
        item.curve[len(item.curve) // 10] for item in items if near.holds(item.method)
    )
    low = min(best.values())
    top = max(early, near.high)
    return alt.Scale(domain=[low, top + 0.05 * (top - low)], nice=True, zero=False)
