"""Static SVG charts of a comparison: Altair writes the spec, vl-convert draws it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert

from offby.comparison._result import (
    Calibration,
    Comparison,
    Difference,
    Method,
    Metric,
    Noise,
    Pushes,
    Row,
)

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7a3db8")
_DASHES = ((), (6, 3), (2, 2), (8, 3, 2, 3), (12, 3), (4, 4), (1, 3))
_REFERENCE_COLORS = ("#6b6b6b", "#9a9a9a", "#3f3f3f")
_MANY = 25
"""From this many bins on, bars become an area: single bars are too thin to see."""
_INK = "#1b1f24"

_CONFIG = {
    "aria": False,
    "background": "#ffffff",
    "font": "system-ui, -apple-system, 'Segoe UI', sans-serif",
    "view": {"stroke": "#d5d9de"},
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "titleFontWeight": "normal",
        "gridColor": "#eceef1",
        "domainColor": "#8b929a",
        "tickColor": "#8b929a",
        "labelFontSize": 11,
        "titleFontSize": 12,
        "labelLimit": 130,
    },
    "axisQuantitative": {"labelOverlap": "greedy"},
    "padding": {"left": 5, "top": 5, "right": 18, "bottom": 5},
    "header": {
        "labelColor": _INK,
        "labelFontSize": 12,
        "labelFontWeight": "bold",
        "labelLimit": 220,
        "titleColor": _INK,
    },
    "legend": {
        "labelColor": _INK,
        "titleColor": _INK,
        "labelFontSize": 12,
        "labelLimit": 240,
        "symbolSize": 300,
        "symbolStrokeWidth": 2.5,
    },
    "title": {"color": _INK, "fontSize": 12},
    "facet": {"spacing": 16},
    "mark": {"aria": False},
}


@dataclass(frozen=True)
class Style:
    """How one method looks in every chart."""

    color: str
    dash: tuple[int, ...]


def styles(methods: Sequence[Method]) -> dict[str, Style]:
    """One color and one dash per method; references are gray."""
    result = {}
    losses = references = 0
    for method in methods:
        if method.reference:
            color = _REFERENCE_COLORS[references % len(_REFERENCE_COLORS)]
            result[method.key] = Style(color, _DASHES[-1 - references % len(_DASHES)])
            references += 1
        else:
            # A second round of the colors meets other dashes.
            shift = losses + losses // len(_COLORS)
            result[method.key] = Style(
                _COLORS[losses % len(_COLORS)], _DASHES[shift % len(_DASHES)]
            )
            losses += 1
    return result


def unique(names: Sequence[str]) -> list[str]:
    """The names, with a number added to any that came before."""
    seen: set[str] = set()
    result = []
    for name in names:
        new, count = name, 1
        while new in seen:
            count += 1
            new = f"{name} ({count})"
        seen.add(new)
        result.append(new)
    return result


def from_best(differences: Sequence[Difference]) -> list[Difference]:
    """Those of each metric that compare with its best loss, which never loses."""
    beaten = {(d.metric, d.method) for d in differences}
    return [d for d in differences if (d.metric, d.other) not in beaten]


class Charts:
    """Draws the charts of one comparison, with one look per method."""

    def __init__(self, comparison: Comparison):
        """Draw from `comparison`; nothing else is read."""
        self._comparison = comparison
        self._styles = styles(comparison.methods)
        self._names = [method.key for method in comparison.methods]
        self._labels = unique(comparison.data.labels)
        self._drawn = 0

    def histogram(self, label: str) -> str:
        """Rows per class or bin."""
        data = self._comparison.data
        y = alt.Y("count:Q", title="rows")
        if data.kind == "number" and len(data.edges) == len(data.counts) + 1:
            values = [
                {"low": low, "high": high, "count": count}
                for low, high, count in zip(
                    data.edges, data.edges[1:], data.counts, strict=False
                )
            ]
            chart = alt.Chart(alt.Data(values=values)).encode(
                alt.X("low:Q", title=data.target).scale(zero=False, nice=False),
                alt.X2("high:Q"),
                y,
            )
            stroke = 0 if len(values) > 2 * _MANY else 0.7
            chart = chart.mark_bar(color="#5b6b7c", stroke="#fff", strokeWidth=stroke)
        else:
            values = [
                {"x": name, "count": count}
                for name, count in zip(self._labels, data.counts, strict=False)
            ]
            chart = (
                alt.Chart(alt.Data(values=values))
                .mark_bar(color="#5b6b7c")
                .encode(self._ordinal_x(data.target), y)
            )
        return self._svg(chart.properties(width=820, height=200), label)

    def predicted(self, row: Row, label: str) -> str:
        """What each loss predicts for one row, the true bin marked."""
        many = len(self._labels) > _MANY
        keys = [key for key in self._names if key in row.probs]
        positions = self._positions()
        values = [
            {
                "method": key,
                "x": positions[place] if many else self._labels[place],
                "p": prob,
                "true": place == row.true,
            }
            for key in keys
            for place, prob in enumerate(row.probs[key])
        ]
        top = max((value["p"] for value in values), default=1.0)
        base = alt.Chart(alt.Data(values=values))
        target = self._comparison.data.target
        if many:
            x: Any = alt.X("x:Q", title=target).scale(zero=False, nice=False)
            x = x.axis(grid=False, tickCount=5)
        else:
            x = self._ordinal_x(target)
        y = alt.Y("p:Q", title="probability").axis(tickCount=4, format="~%")
        y = y.scale(domain=[0, top * 1.15 or 1.0], nice=False)
        color = self._color(keys).legend(None)
        if many:
            bars = base.mark_area(interpolate="step", opacity=0.75).encode(x, y, color)
            rule = base.mark_rule(color=_INK, strokeDash=[3, 2], strokeWidth=1.5)
            mark = rule.encode(x).transform_filter("datum.true")
        else:
            bars = base.mark_bar().encode(x, y, color)
            mark = (
                base.mark_point(
                    shape="triangle-down", filled=True, size=70, color=_INK, opacity=1
                )
                .encode(x, y=alt.value(6))
                .transform_filter("datum.true")
            )
        columns, width = _panels(len(keys))
        chart = alt.layer(bars, mark).properties(width=width, height=110)
        facet = alt.Facet("method:N", title=None, sort=keys)
        return self._svg(chart.facet(facet, columns=columns), label)

    def pushes(self, pushes: Sequence[Pushes], label: str) -> str:
        """Mean push by class minus true class, one line of panels per method."""
        lines = []
        keys = [k for k in self._names if any(p.method == k for p in pushes)]
        stages = ["start", "middle", "end"]
        for place, key in enumerate(keys):
            values = [
                {"stage": push.stage, "offset": offset, "push": value}
                for push in pushes
                if push.method == key
                for offset, value in zip(push.offsets, push.mean_push, strict=True)
            ]
            last = place == len(keys) - 1
            x = alt.X("offset:Q", title="class − true class" if last else None)
            x = x.axis(format="+d", tickMinStep=1, grid=False)
            # One width for the labels of all losses, or the panels do not line up.
            y = alt.Y("push:Q", title=key).axis(tickCount=4, minExtent=34)
            look = self._styles[key].color
            many = len({value["offset"] for value in values}) > _MANY
            base = alt.Chart(alt.Data(values=values))
            if many:
                marks = base.mark_area(
                    color=look, opacity=0.75, interpolate="step"
                ).encode(x, y)
            else:
                marks = base.mark_bar(color=look, size=9).encode(x, y)
            zero = base.mark_rule(color="#8b929a").encode(y=alt.datum(0))
            column = alt.Column("stage:N", title=None, sort=stages)
            if place:
                column = column.header(labels=False)
            panels = alt.layer(marks, zero).properties(width=235, height=85)
            lines.append(panels.facet(column=column))
        return self._svg(alt.vconcat(*lines, spacing=8), label)

    def calibration(self, calibration: Sequence[Calibration], label: str) -> str:
        """PIT share reached minus level, with the band of a calibrated forecast."""
        keys = [item.method for item in calibration]
        values = [
            {
                "method": item.method,
                "level": level,
                "gap": reached - level,
                "low": -item.band,
                "high": item.band,
            }
            for item in calibration
            for level, reached in zip(item.levels, item.reached, strict=True)
        ]
        base = alt.Chart(alt.Data(values=values))
        x = alt.X("level:Q", title="level").scale(domain=[0, 1])
        x = x.axis(tickCount=3, format="~%")
        y = alt.Y("low:Q", title="share − level").axis(tickCount=5, format="+~%")
        band = base.mark_area(color="#d9dee4", opacity=0.8).encode(
            x, y, alt.Y2("high:Q")
        )
        zero = base.mark_rule(color="#8b929a").encode(y=alt.datum(0))
        line = base.mark_line(strokeWidth=2).encode(
            x,
            alt.Y("gap:Q"),
            self._color(keys).legend(None),
            self._dash(keys).legend(None),
        )
        columns, width = _panels(len(keys))
        chart = alt.layer(band, zero, line).properties(width=width, height=120)
        facet = alt.Facet("method:N", title=None, sort=keys)
        return self._svg(chart.facet(facet, columns=columns), label)

    def differences(self, label: str) -> str:
        """Difference from the best, as a share of its score, with 95 % interval."""
        found = from_best(self._comparison.differences)
        panels = []
        for metric in self._comparison.metrics:
            mine = [d for d in found if d.metric == metric.key]
            if not mine:
                continue
            values = [
                {
                    "method": d.method,
                    "mean": d.mean,
                    "low": d.low,
                    "high": d.high,
                }
                for d in mine
            ]
            keys = [d.method for d in mine]
            base = alt.Chart(alt.Data(values=values))
            y = alt.Y("method:N", title=None, sort=keys)
            better = "←" if metric.lower_is_better else "→"
            x = alt.X("low:Q", title=f"minus {mine[0].other} ({better})")
            x = x.axis(tickCount=5)
            color = self._color(keys).legend(None)
            bar = base.mark_rule(strokeWidth=2).encode(x, alt.X2("high:Q"), y, color)
            dot = base.mark_point(filled=True, size=55, opacity=1)
            dot = dot.encode(alt.X("mean:Q"), y, color)
            zero = base.mark_rule(color=_INK, strokeDash=[3, 2])
            zero = zero.encode(x=alt.datum(0))
            panel = alt.layer(zero, bar, dot).properties(
                width=270, height=22 * len(mine), title=metric.title
            )
            panels.append(panel)
        return self._svg(alt.concat(*panels, columns=2), label)

    def scores(self, label: str) -> str:
        """Every score of every fold and seed; a line joins what was paired."""
        panels = []
        for metric in self._comparison.metrics:
            scores = [
                score
                for score in self._comparison.scores
                if score.metric == metric.key and score.value is not None
            ]
            if not scores:
                continue
            keys = [k for k in self._names if any(s.method == k for s in scores)]
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
            dots = dots.encode(x, y, self._color(keys).legend(None))
            panel = alt.layer(line, dots).properties(
                width=270, height=24 * len(keys), title=metric.title
            )
            panels.append(panel)
        return self._svg(alt.concat(*panels, columns=2), label)

    def training(self, label: str) -> str:
        """Mean validation score after each epoch."""
        curves = [item for item in self._comparison.training if item.curve]
        keys = [item.method for item in curves]
        values = [
            {"method": item.method, "epoch": epoch, "score": score}
            for item in curves
            for epoch, score in enumerate(item.curve, start=1)
        ]
        chart = (
            alt.Chart(alt.Data(values=values))
            .mark_line(strokeWidth=2)
            .encode(
                alt.X("epoch:Q", title="epoch").axis(tickMinStep=1),
                alt.Y("score:Q", title="validation score").scale(zero=False),
                self._color(keys),
                self._dash(keys),
            )
        )
        return self._svg(chart.properties(width=640, height=260), label)

    def noise(self, noises: Sequence[Noise], metric: Metric, label: str) -> str:
        """Score, and how far forecasts move, by the level of a noise."""
        keys = [noise.method for noise in noises]
        values = [
            {
                "method": noise.method,
                "level": level,
                "score": noise.scores[metric.key][i],
                "moved": noise.moved[i],
            }
            for noise in noises
            for i, level in enumerate(noise.levels)
        ]
        base = alt.Chart(alt.Data(values=values))
        levels = list(noises[0].levels)
        x = alt.X("level:Q", title="level").axis(
            values=levels, format="~%", grid=False, labelFlush=False
        )
        unit = f", {metric.unit}" if metric.unit else ""
        panels = []
        for field, title, zero in (
            ("score", f"{metric.title}{unit}", False),
            ("moved", "forecasts move", True),
        ):
            y = alt.Y(f"{field}:Q", title=title).scale(zero=zero).axis(tickCount=5)
            color = self._color(keys).legend(symbolType="stroke")
            line = base.mark_line(strokeWidth=2).encode(x, y, color, self._dash(keys))
            dots = base.mark_circle(size=30, opacity=1).encode(x, y, color)
            panels.append(alt.layer(line, dots).properties(width=290, height=190))
        return self._svg(alt.hconcat(*panels), label)

    def swatch(self, key: str) -> str:
        """A short line in the color and dash of the method."""
        style = self._styles[key]
        dash = " ".join(map(str, style.dash)) or "none"
        return (
            '<svg class="swatch" width="30" height="10" viewBox="0 0 30 10" '
            'aria-hidden="true"><rect width="30" height="10" rx="2" fill="#ffffff"/>'
            f'<path d="M2 5H28" stroke="{style.color}" stroke-width="3" '
            f'stroke-dasharray="{dash}"/></svg>'
        )

    def _positions(self) -> Sequence[float]:
        data = self._comparison.data
        if len(data.positions) == len(data.labels):
            return data.positions
        return [float(place) for place in range(len(data.labels))]

    def _ordinal_x(self, title: str) -> Any:
        wide = max(map(len, self._labels), default=0) > 3 and len(self._labels) > 4
        angle = -40 if wide else 0
        x = alt.X("x:N", title=title, sort=self._labels)
        return x.axis(labelAngle=angle, labelLimit=70, labelOverlap=True)

    def _color(self, keys: Sequence[str]) -> alt.Color:
        colors = [self._styles[key].color for key in keys]
        scale = alt.Scale(domain=keys, range=colors)
        return alt.Color("method:N", title=None, scale=scale)

    def _dash(self, keys: Sequence[str]) -> alt.StrokeDash:
        dashes = [list(self._styles[key].dash) or [1, 0] for key in keys]
        scale = alt.Scale(domain=keys, range=dashes)
        return alt.StrokeDash("method:N", title=None, scale=scale)

    def _svg(self, chart: Any, label: str) -> str:
        self._drawn += 1
        spec: Mapping[str, Any] = chart.to_dict()
        spec = {**spec, "config": _CONFIG}
        version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
        svg = vl_convert.vegalite_to_svg(spec, vl_version=version)
        return _inline(svg, f"c{self._drawn}", label)


def _panels(count: int) -> tuple[int, int]:
    """Panels side by side, in lines as full as can be, and the width of each."""
    lines = -(-count // 5)
    columns = -(-count // max(lines, 1)) or 1
    return columns, min(185, 780 // columns)


def _inline(svg: str, prefix: str, label: str) -> str:
    """The SVG as part of a page: own ids, named for a screen reader.

    vl-convert counts its ids over the life of the process, so they are numbered again.
    """
    names: dict[str, str] = {}
    for found in re.findall(r'\bid="([^"]+)"', svg):
        names.setdefault(found, f"{prefix}-{len(names)}")
    for old, new in names.items():
        svg = svg.replace(f'id="{old}"', f'id="{new}"')
        svg = svg.replace(f"url(#{old})", f"url(#{new})")
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{_escape(label)}"', 1)


def _escape(text: str) -> str:
    for raw, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(raw, safe)
    return text
