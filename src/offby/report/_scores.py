"""Scores of every fold and seed, and the differences between losses."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from offby.comparison._result import Difference
from offby.report import _words as words
from offby.report._look import INK, Look, drawn
from offby.report._parts import Figure, Table

_CLEAR = ("worse", "slightly worse")


def from_best(differences: Sequence[Difference]) -> list[Difference]:
    """Those of each metric that compare with its best loss, which never loses."""
    beaten = {(d.metric, d.method) for d in differences}
    return [d for d in differences if (d.metric, d.other) not in beaten]


def differences(look: Look) -> Figure | None:
    """The differences from the best, with their intervals."""
    if not look.comparison.differences:
        return None
    shown = from_best(look.comparison.differences)
    clear = [d for d in shown if d.verdict in _CLEAR]
    title = (
        f"{len(clear)} of {len(shown)} differences from the best are clear of chance"
    )
    return Figure(
        title,
        drawn(_difference_panels(look, shown), "differences", title),
        _difference_table(look),
        "Dot: mean difference. Line: 95 % interval. Each panel has its own scale.",
    )


def _difference_panels(look: Look, found: Sequence[Difference]) -> Any:
    panels = []
    for metric in look.comparison.metrics:
        mine = [d for d in found if d.metric == metric.key]
        if not mine:
            continue
        values = [
            {"method": d.method, "mean": d.mean, "low": d.low, "high": d.high}
            for d in mine
        ]
        keys = [d.method for d in mine]
        base = alt.Chart(alt.Data(values=values))
        y = alt.Y("method:N", title=None, sort=keys)
        better = "←" if metric.lower_is_better else "→"
        x = alt.X("low:Q", title=f"minus {mine[0].other} ({better})")
        x = x.axis(tickCount=5)
        color = look.color(keys).legend(None)
        bar = base.mark_rule(strokeWidth=2).encode(x, alt.X2("high:Q"), y, color)
        dot = base.mark_point(filled=True, size=55, opacity=1)
        dot = dot.encode(alt.X("mean:Q"), y, color)
        zero = base.mark_rule(color=INK, strokeDash=[3, 2])
        zero = zero.encode(x=alt.datum(0))
        panel = alt.layer(zero, bar, dot).properties(
            width=270, height=22 * len(mine), title=metric.title
        )
        panels.append(panel)
    return _side_by_side(panels)


def _difference_table(look: Look) -> Table:
    """Every two losses, by each metric."""
    titles = {metric.key: metric.title for metric in look.comparison.metrics}
    rows = []
    for d in look.comparison.differences:
        digits = words.digits([d.mean, d.low, d.high])
        rows.append(
            (
                titles[d.metric],
                d.method,
                d.other,
                words.signed(d.mean, digits),
                f"{words.signed(d.low, digits)} to {words.signed(d.high, digits)}",
                f"{words.signed(100 * d.relative, 1)} %",
                f"{d.wins} of {d.pairs}",
                "–" if d.p_value is None else f"{d.p_value:.3f}",
                d.verdict,
            )
        )
    head = (
        "metric",
        "loss",
        "against",
        "difference",
        "95 % interval",
        "relative",
        "wins",
        "p (Holm)",
        "verdict",
    )
    caption = "Every two losses: the worse one against the better one by that metric"
    return Table(caption, head, tuple(rows), words=("loss", "against", "verdict"))


def scores(look: Look) -> Figure | None:
    """Every score of every fold and seed."""
    c = look.comparison
    if all(score.value is None for score in c.scores):
        return None
    seeds = words.count(c.run.seeds, "seed")
    title = f"Every score: {c.run.folds} folds, {seeds}"
    infinite = sum(score.infinite_rows for score in c.scores)
    note = "A gray line joins the scores of one fold and seed."
    if infinite:
        note += (
            f" {words.count(infinite, 'infinite row score')} cannot be drawn: a dot is "
            "the mean over the finite rows."
        )
    svg = drawn(_score_panels(look), "scores", title)
    return Figure(title, svg, _score_table(look), note)


def _score_panels(look: Look) -> Any:
    panels = []
    for metric in look.comparison.metrics:
        scores = [
            score
            for score in look.comparison.scores
            if score.metric == metric.key and score.value is not None
        ]
        if not scores:
            continue
        keys = [k for k in look.names if any(s.method == k for s in scores)]
        values = [
            {
                "method": score.method,
                "place": keys.index(score.method),
                "pair": f"{score.fold}/{score.seed}",
                "value": score.value,
            }
            for score in scores
        ]
        base = alt.Chart(alt.Data(values=values))
        low = metric.lower_is_better
        arrow = "← lower is better" if low else "→ higher is better"
        unit = f", {metric.unit}" if metric.unit else ""
        x = alt.X("value:Q", title=f"{arrow}{unit}").scale(zero=False)
        x = x.axis(tickCount=5)
        y = alt.Y("method:N", title=None, sort=keys)
        line = base.mark_line(color="#b4bac2", opacity=0.6, strokeWidth=0.8)
        line = line.encode(x, y, alt.Detail("pair:N"), alt.Order("place:Q"))
        dots = base.mark_point(filled=True, size=30, opacity=0.8)
        dots = dots.encode(x, y, look.color(keys).legend(None))
        panel = alt.layer(line, dots).properties(
            width=270, height=24 * len(keys), title=metric.title
        )
        panels.append(panel)
    return _side_by_side(panels)


def _score_table(look: Look) -> Table:
    c = look.comparison
    found = {(s.method, s.fold, s.seed, s.metric): s for s in c.scores}
    fits = dict.fromkeys((s.method, s.fold, s.seed) for s in c.scores)
    rows = []
    for method, fold, seed in fits:
        texts = []
        for metric in c.metrics:
            score = found.get((method, fold, seed, metric.key))
            text = "–" if score is None else words.number(score.value, 4)
            if score is not None and score.infinite_rows:
                text = words.infinite(score.infinite_rows)
            texts.append(text)
        rows.append((method, str(fold), str(seed), *texts))
    head = ("method", "fold", "seed", *(metric.title for metric in c.metrics))
    return Table("Score of each fold and seed", head, tuple(rows))


def _side_by_side(panels: Sequence[Any]) -> Any:
    # Each panel colors its own losses: one scale for all would deal the colors anew.
    return alt.concat(*panels, columns=2).resolve_scale(color="independent")
