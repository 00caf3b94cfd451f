"""Scores of every fold and seed."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from offby.report.arrows import off_the_axis
from offby.report.parts import Block, Figure, Table
from offby.report.reach import reach
from offby.report.style import Look, SharedData, drawn, headed, side_by_side
from offby.results import Score, phrases

_WIDTH = 270


def content(look: Look) -> list[Block]:
    """What the section shows."""
    c = look.comparison
    if all(score.value is None for score in c.scores):
        return []
    title = _score_title(look)
    infinite = sum(score.infinite_rows for score in c.scores)
    note = (
        "A gray line joins the scores that belong to one fold and seed. Where a method "
        "is far behind, an arrow shows where it lies, with its mean score."
    )
    if infinite:
        note += (
            f" {phrases.count(infinite, 'infinite row score')} cannot be drawn. A dot "
            "is the mean over the other rows."
        )
    svg = drawn(_score_panels(look), "scores", title)
    return [Figure(title, svg, _score_table(look), note)]


def _score_title(look: Look) -> str:
    """Who wins how often, by what matters most."""
    c = look.comparison
    fits = {(score.fold, score.seed) for score in c.scores}
    over = f"{phrases.count(len(fits), 'pair')} of fold and seed"
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
        shown = reach(_extents(scores), lower_is_better=metric.lower_is_better)
        values = [
            {
                "method": score.method,
                "place": keys.index(score.method),
                "pair": f"{score.fold}/{score.seed}",
                "value": score.value,
            }
            for score in scores
            if shown.holds(score.method)
        ]
        base = alt.Chart(SharedData(values=values))
        arrow = "← better" if metric.lower_is_better else "better →"
        title = f"{metric.unit} ({arrow})" if metric.unit else arrow
        x = alt.X("value:Q", title=title).scale(
            domain=[shown.low, shown.high], zero=False, nice=False, padding=10
        )
        x = x.axis(tickCount=5, titleLimit=_WIDTH)
        y = alt.Y("method:N", title=None, sort=keys).scale(domain=keys)
        line = base.mark_line(color="#b4bac2", opacity=0.6, strokeWidth=0.8)
        line = line.encode(x, y, alt.Detail("pair:N"), alt.Order("place:Q"))
        dots = base.mark_point(filled=True, size=30, opacity=0.8)
        dots = dots.encode(x, y, look.color(keys).legend(None))
        means = {key: look.comparison.mean(key, metric.key) for key in shown.off}
        digits = phrases.digits([mean for mean in means.values() if mean is not None])
        far = off_the_axis(
            look,
            {key: phrases.number(mean, digits) for key, mean in means.items()},
            shown,
            keys,
            to_the_right=metric.lower_is_better,
        )
        panel = alt.layer(line, dots, *far).properties(
            width=_WIDTH, height=24 * len(keys), title=headed(metric, _WIDTH)
        )
        panels.append(panel)
    return side_by_side(panels)


def _extents(scores: Sequence[Score]) -> dict[str, tuple[float, float, float]]:
    """The lowest score of each method, the mean, and the highest."""
    found: dict[str, list[float]] = {}
    for score in scores:
        if score.value is not None:
            found.setdefault(score.method, []).append(score.value)
    return {key: (min(vs), sum(vs) / len(vs), max(vs)) for key, vs in found.items()}


def _score_table(look: Look) -> Table:
    c = look.comparison
    found = {(s.method, s.fold, s.seed, s.metric): s for s in c.scores}
    fits = dict.fromkeys((s.method, s.fold, s.seed) for s in c.scores)
    rows = []
    for method, fold, seed in fits:
        texts = []
        for metric in c.metrics:
            score = found.get((method, fold, seed, metric.key))
            text = "–" if score is None else phrases.number(score.value, 4)
            if score is not None and score.infinite_rows:
                text = phrases.infinite(score.infinite_rows)
            texts.append(text)
        rows.append((method, str(fold), str(seed), *texts))
    head = ("method", "fold", "seed", *(metric.title for metric in c.metrics))
    return Table("Score of each fold and seed", head, tuple(rows))
