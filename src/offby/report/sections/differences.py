"""The differences between losses, with their intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from offby.report.arrows import off_the_axis
from offby.report.parts import Block, Figure, Table
from offby.report.reach import Reach, reach
from offby.report.style import INK, PLUS, Look, SharedData, drawn, headed, side_by_side
from offby.results import Comparison, Difference, Metric, phrases, ranking, said

_WIDTH = 270


def content(look: Look) -> list[Block]:
    """What the section shows."""
    return [_figure(look)] if look.comparison.differences else []


def _from_best(comparison: Comparison) -> list[Difference]:
    """Those that compare with the best loss by their metric."""
    return [
        difference
        for metric in comparison.metrics
        if (best := comparison.best_loss(metric)) is not None
        for difference in ranking.from_best(comparison.differences, metric.key, best)
    ]


def _figure(look: Look) -> Figure:
    """The differences from the best, with their intervals."""
    shown = _from_best(look.comparison)
    worse = [d for d in shown if d.verdict == "worse"]
    open_ = [d for d in shown if d.verdict == "not settled"]
    verbs = ["is" if len(some) == 1 else "are" for some in (worse, open_)]
    title = (
        f"Of {phrases.count(len(shown), 'difference')} from the best loss, "
        f"{len(worse)} {verbs[0]} settled as worse and {len(open_)} {verbs[1]} not "
        "settled"
    )
    return Figure(
        title,
        drawn(_difference_panels(look, shown), "differences", title),
        _difference_table(look),
        "The dot is the mean difference, and the line its interval. The dot is filled "
        "if the answer is settled: worse if the interval lies on that side of zero, "
        "practically equal if it lies within "
        f"{100 * look.comparison.run.rope:g} % of the best score (of log scores "
        f"{look.comparison.run.rope:g} nats). Each panel has its own scale. Where a "
        "loss is far behind, an arrow shows where it lies, with its difference. A loss "
        "with an infinite score is worse, and is in the table only.",
    )


def _difference_panels(look: Look, found: Sequence[Difference]) -> Any:
    panels = []
    for metric in look.comparison.metrics:
        mine = [d for d in found if d.metric == metric.key and not d.infinite_rows]
        if not mine:
            continue
        values = [
            {
                "method": d.method,
                "mean": d.mean,
                "low": d.low,
                "high": d.high,
                "clear": d.verdict != "not settled",
            }
            for d in mine
        ]
        keys = [d.method for d in mine]
        ends = {d.method: (d.low, d.mean, d.high) for d in mine}
        # The leader itself is at zero.
        shown = reach(
            {"": (0.0, 0.0, 0.0)} | ends, lower_is_better=metric.lower_is_better
        )
        digits = phrases.digits([d.mean for d in mine])
        panel = alt.layer(
            alt.Chart(SharedData(values=[{}]))
            .mark_rule(color=INK, strokeDash=[3, 2])
            .encode(x=alt.datum(0)),
            *_intervals(look, values, keys, shown, metric, mine[0].other),
            *off_the_axis(
                look,
                {key: phrases.signed(ends[key][1], digits) for key in shown.off},
                shown,
                keys,
                to_the_right=metric.lower_is_better,
            ),
        ).properties(width=_WIDTH, height=22 * len(mine), title=headed(metric, _WIDTH))
        panels.append(panel)
    return side_by_side(panels)


def _intervals(
    look: Look,
    values: Sequence[Mapping[str, Any]],
    keys: Sequence[str],
    shown: Reach,
    metric: Metric,
    best: str,
) -> list[Any]:
    """A line from end to end, and a dot at the mean, of those on the axis."""
    near = [value for value in values if shown.holds(value["method"])]
    base = alt.Chart(SharedData(values=near))
    y = alt.Y("method:N", title=None, sort=keys).scale(domain=keys)
    worse = "worse →" if metric.lower_is_better else "← worse"
    x = alt.X("low:Q", title=f"minus {best} ({worse})")
    x = x.axis(tickCount=5, labelExpr=PLUS, titleLimit=_WIDTH).scale(
        domain=[shown.low, shown.high], nice=False, padding=12
    )
    color = look.color(keys).legend(None)
    bar = base.mark_rule(strokeWidth=2).encode(x, alt.X2("high:Q"), y, color)
    ring = base.mark_point(fill="#ffffff", size=50, opacity=1, strokeWidth=2)
    ring = ring.encode(alt.X("mean:Q"), y, color)
    dot = base.mark_point(filled=True, size=70, opacity=1)
    dot = dot.encode(alt.X("mean:Q"), y, color).transform_filter("datum.clear")
    return [bar, ring, dot]


def _difference_table(look: Look) -> Table:
    """Every loss against the best one, by each metric."""
    titles = {metric.key: metric.title for metric in look.comparison.metrics}
    rows = []
    for d in look.comparison.differences:
        digits = phrases.digits([d.mean, d.low, d.high])
        ends = (phrases.signed(end, digits) for end in (d.low, d.high))
        rows.append(
            (
                titles[d.metric],
                d.method,
                d.other,
                phrases.signed(d.mean, digits),
                " to ".join(ends),
                f"{d.wins} of {d.pairs}",
                said.answer(d),
            )
        )
    head = (
        "metric",
        "loss",
        "against",
        "difference",
        "interval",
        "better in",
        "answer",
    )
    caption = "Each loss against the best one by that metric, on the same rows"
    return Table(caption, head, tuple(rows), text_columns=("loss", "against", "answer"))
