"""Scores of every fold and seed, and the differences between losses."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from offby.report._parts import Figure, Table
from offby.report.style import INK, PLUS, Look, drawn
from offby.results import Difference, Metric
from offby.results import phrases as words

_CLEAR = ("worse", "slightly worse")
_WIDTH = 270


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
    verb = "is" if len(clear) == 1 else "are"
    title = (
        f"{len(clear)} of {len(shown)} differences from the best {verb} clear of chance"
    )
    if not clear:
        title = "No difference from the best is clear of chance"
    if 0 < len(clear) < 4:
        titles = {metric.key: metric.title for metric in look.comparison.metrics}
        title += ": " + words.listed(
            [f"{d.method} by {titles[d.metric]}" for d in clear]
        )
    return Figure(
        title,
        drawn(_difference_panels(look, shown), "differences", title),
        _difference_table(look),
        "Dot: mean difference, filled where it is clear of chance after Holm's "
        "correction for the number of pairs. Line: 95 % interval of this pair alone. "
        "Each panel has its own scale.",
    )


def _difference_panels(look: Look, found: Sequence[Difference]) -> Any:
    panels = []
    for metric in look.comparison.metrics:
        mine = [d for d in found if d.metric == metric.key]
        if not mine:
            continue
        values = [
            {
                "method": d.method,
                "mean": d.mean,
                "low": d.low,
                "high": d.high,
                "clear": d.verdict in _CLEAR,
            }
            for d in mine
        ]
        keys = [d.method for d in mine]
        base = alt.Chart(alt.Data(values=values))
        y = alt.Y("method:N", title=None, sort=keys)
        worse = "worse →" if metric.lower_is_better else "← worse"
        x = alt.X("low:Q", title=f"minus {mine[0].other} ({worse})")
        x = x.axis(tickCount=5, labelExpr=PLUS, titleLimit=_WIDTH).scale(
            nice=False, padding=12
        )
        color = look.color(keys).legend(None)
        bar = base.mark_rule(strokeWidth=2).encode(x, alt.X2("high:Q"), y, color)
        ring = base.mark_point(fill="#ffffff", size=50, opacity=1, strokeWidth=2)
        ring = ring.encode(alt.X("mean:Q"), y, color)
        dot = base.mark_point(filled=True, size=70, opacity=1)
        dot = dot.encode(alt.X("mean:Q"), y, color).transform_filter("datum.clear")
        zero = base.mark_rule(color=INK, strokeDash=[3, 2])
        zero = zero.encode(x=alt.datum(0))
        panel = alt.layer(zero, bar, ring, dot).properties(
            width=_WIDTH, height=22 * len(mine), title=_headed(metric)
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
    title = _score_title(look)
    infinite = sum(score.infinite_rows for score in c.scores)
    note = "A gray line joins the scores of one fold and seed."
    if infinite:
        note += (
            f" {words.count(infinite, 'infinite row score')} cannot be drawn: a dot is "
            "the mean over the finite rows."
        )
    svg = drawn(_score_panels(look), "scores", title)
    return Figure(title, svg, _score_table(look), note)


def _score_title(look: Look) -> str:
    """Who wins how often, by what matters most."""
    c = look.comparison
    fits = {(score.fold, score.seed) for score in c.scores}
    over = f"{words.count(len(fits), 'pair')} of fold and seed"
    for metric in c.metrics:
        sign = 1 if metric.lower_is_better else -1
        found: dict[tuple[int, int], dict[str, float]] = {}
        references = {method.key for method in c.methods if method.reference}
        for s in c.scores:
            if s.metric == metric.key and s.value is not None and not s.infinite_rows:
                found.setdefault((s.fold, s.seed), {})[s.method] = sign * s.value
        wins = [
            min(losses, key=lambda key: losses[key])
            for scores in found.values()
            if (losses := {k: v for k, v in scores.items() if k not in references})
        ]
        if wins:
            most = max(dict.fromkeys(wins), key=wins.count)
            if [wins.count(key) for key in set(wins)].count(wins.count(most)) > 1:
                return f"By {metric.title}, no one loss is best over {over}"
            return (
                f"By {metric.title}, {most} is the best loss in {wins.count(most)} of "
                f"{over}"
            )
    return f"Every score, {over}"


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
        arrow = "← better" if metric.lower_is_better else "better →"
        title = f"{metric.unit} ({arrow})" if metric.unit else arrow
        x = alt.X("value:Q", title=title).scale(zero=False, nice=False, padding=10)
        x = x.axis(tickCount=5, titleLimit=_WIDTH)
        y = alt.Y("method:N", title=None, sort=keys)
        line = base.mark_line(color="#b4bac2", opacity=0.6, strokeWidth=0.8)
        line = line.encode(x, y, alt.Detail("pair:N"), alt.Order("place:Q"))
        dots = base.mark_point(filled=True, size=30, opacity=0.8)
        dots = dots.encode(x, y, look.color(keys).legend(None))
        panel = alt.layer(line, dots).properties(
            width=_WIDTH, height=24 * len(keys), title=_headed(metric)
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


def _headed(metric: Metric) -> alt.TitleParams:
    return alt.TitleParams(metric.title, limit=_WIDTH)


def _side_by_side(panels: Sequence[Any]) -> Any:
    # Each panel colors its own losses: one scale for all would deal the colors anew.
    return alt.concat(*panels, columns=2).resolve_scale(color="independent")
