"""One look for all charts: a color and a dash per loss.

Altair writes the specification, vl-convert draws it as SVG.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup, escape

from offby.results import Comparison, Method, Metric, phrases

_COLORS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#b8860b",
    "#56b4e9",
    "#7a3db8",
    "#8b0a1a",
)
_DASHES = (
    (),
    (6, 3),
    (2, 2),
    (8, 3, 2, 3),
    (12, 3),
    (4, 4),
    (1, 3),
    (9, 2, 2, 2, 2, 2),
)
_REFERENCE_COLORS = ("#6b6b6b", "#9a9a9a", "#3f3f3f")
PLUS = "datum.value ? (datum.value > 0 ? '+' : '') + datum.label : datum.label"
"""Labels of an axis of differences: signed, but for zero."""
MANY = 25
"""From this many bins on, bars become an area: single bars are too thin to see."""
INK = "#1b1f24"

_FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"
_UNSEEN = (
    r' (xmlns(:\w+)?|class|role|aria-\w+|pointer-events|version)="[^"]*"'
    rf'| font-family="{_FONT}"| opacity="1"'
)
"""Attributes that change nothing in a picture that has one label and one font."""

_CONFIG = {
    "aria": False,
    "background": "#ffffff",
    "font": _FONT,
    "view": {"stroke": "#d5d9de"},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "gridColor": "#eceef1",
        "domainColor": "#8b929a",
        "tickColor": "#8b929a",
        "labelFontSize": 11,
        "titleFontSize": 12,
        "labelLimit": 130,
    },
    "axisQuantitative": {"labelOverlap": "greedy", "labelSeparation": 6},
    "padding": {"left": 14, "top": 5, "right": 18, "bottom": 5},
    "header": {
        "labelColor": INK,
        "labelFontSize": 12,
        "labelFontWeight": "bold",
        "labelLimit": 220,
        "titleColor": INK,
    },
    "legend": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "labelLimit": 240,
        "symbolSize": 300,
        "symbolStrokeWidth": 2.5,
    },
    "title": {"color": INK, "fontSize": 12},
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


@dataclass(frozen=True)
class Look:
    """How the methods, classes and bins of one comparison look in every chart."""

    comparison: Comparison
    explainer: str = ""
    """Name of the explainer page that lies beside the report, if there is one."""

    @cached_property
    def _styles(self) -> dict[str, Style]:
        return styles(self.comparison.methods)

    @cached_property
    def names(self) -> list[str]:
        """Keys of all methods, in the order in which they are always shown."""
        return [method.key for method in self.comparison.methods]

    @cached_property
    def labels(self) -> list[str]:
        """Names of the classes or bins, no two the same."""
        data = self.comparison.data
        names = unique(data.labels)
        return names if data.kind == "classes" else [phrases.minus(n) for n in names]

    @property
    def bin(self) -> str:
        """What a class or bin is called."""
        return "class" if self.comparison.data.kind == "classes" else "bin"

    @property
    def unit(self) -> str:
        """What distances on the target are counted in."""
        data = self.comparison.data
        if data.ground is not None:
            return "units of distance"
        return "classes" if data.kind == "classes" else data.target

    @property
    def score(self) -> str:
        """The score of whole forecasts that regions and columns are judged by."""
        data = self.comparison.data
        if data.ground is not None:
            return "energy score"
        return "RPS" if data.kind == "classes" else "CRPS"

    @property
    def has_edges(self) -> bool:
        """Whether the target is a number in bins whose edges are known."""
        data = self.comparison.data
        return data.kind == "number" and len(data.edges) == len(data.counts) + 1

    @property
    def many(self) -> bool:
        """Whether there are too many bins for single bars."""
        return len(self.labels) > MANY

    @property
    def positions(self) -> Sequence[float]:
        """Where each class or bin lies."""
        data = self.comparison.data
        if len(data.positions) == len(data.labels):
            return data.positions
        return [float(place) for place in range(len(data.labels))]

    def color_of(self, key: str) -> str:
        """The color of one method."""
        return self._styles[key].color

    def color(self, keys: Sequence[str]) -> alt.Color:
        """The field "method" as color."""
        scale = alt.Scale(domain=keys, range=[self._styles[key].color for key in keys])
        return alt.Color("method:N", title=None, scale=scale)

    def stroke(self, keys: Sequence[str]) -> alt.Stroke:
        """The field "method" as color of an outline."""
        scale = alt.Scale(domain=keys, range=[self._styles[key].color for key in keys])
        return alt.Stroke("method:N", title=None, scale=scale, legend=None)

    def dash(self, keys: Sequence[str]) -> alt.StrokeDash:
        """The field "method" as dashes."""
        dashes = [list(self._styles[key].dash) or [1, 0] for key in keys]
        scale = alt.Scale(domain=keys, range=dashes)
        return alt.StrokeDash("method:N", title=None, scale=scale)

    def classes(self, width: int) -> Any:
        """The field "x" as classes or bins, side by side in a panel of that width."""
        wide = max(map(len, self.labels), default=0) > 3 and len(self.labels) > 4
        x = alt.X("x:N", title=self.comparison.data.target, sort=self.labels)
        return x.axis(
            labelAngle=-40 if wide else 0,
            labelLimit=70,
            labelOverlap=True,
            titleLimit=width,
        )

    def swatch(self, key: str) -> Markup:
        """A short line in the color and dash of the method."""
        style = self._styles[key]
        dash = " ".join(map(str, style.dash)) or "none"
        return Markup(
            '<svg class="swatch" width="30" height="10" viewBox="0 0 30 10" '
            'aria-hidden="true"><rect width="30" height="10" rx="2" fill="#ffffff"/>'
            f'<path d="M2 5H28" stroke="{style.color}" stroke-width="3" '
            f'stroke-dasharray="{dash}"/></svg>'
        )


class SharedData(alt.Data):
    """Rows of a chart that its copies share.

    Every step of drawing with Altair copies the chart, and most of the time went into
    copies of the rows, which nobody changes.
    """

    def __deepcopy__(self, memo: Any) -> "SharedData":
        """The same rows."""
        return self


def panels(count: int) -> tuple[int, int]:
    """Panels side by side, in lines as full as can be, and the width of each."""
    lines = -(-count // 5)
    columns = -(-count // max(lines, 1)) or 1
    return columns, min(185, 780 // columns)


def headed(metric: Metric, width: int) -> alt.TitleParams:
    """The metric as the title of a panel of that width."""
    return alt.TitleParams(metric.title, limit=width)


def side_by_side(panels: Sequence[Any]) -> Any:
    """Two panels in a line, each with a color scale of its own."""
    # Each panel colors its own losses: one scale for all would deal the colors anew.
    return alt.concat(*panels, columns=2).resolve_scale(color="independent")


def drawn(chart: Any, name: str, label: str) -> Markup:
    """The chart as SVG inside a page, where no other chart has its `name`.

    The drawing library escapes the text it draws.
    """
    # Checking the whole against the schema takes long, and finds nothing that the
    # drawing itself would not.
    spec: Mapping[str, Any] = chart.to_dict(validate=False)
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    svg = vl_convert.vegalite_to_svg({**spec, "config": _CONFIG}, vl_version=version)
    return Markup(_inline(svg, name, label))


def _inline(svg: str, prefix: str, label: str) -> str:
    """The SVG as part of a page: own ids, named for a screen reader, and lean.

    vl-convert counts its ids over the life of the process, so they are numbered again.
    """
    names: dict[str, str] = {}
    for found in re.findall(r'\bid="([^"]+)"', svg):
        names.setdefault(found, f"{prefix}-{len(names)}")
    for old, new in names.items():
        svg = svg.replace(f'id="{old}"', f'id="{new}"')
        svg = svg.replace(f"url(#{old})", f"url(#{new})")
    # Of what it writes, nearly half is invisible: empty paths, and labels inside a
    # picture that has one of its own.
    svg = re.sub(r'<path[^<>]* d=""[^<>]*/>', "", svg)
    svg = re.sub(r"<[a-z][^<>]*>", _lean, svg)
    svg = svg.replace("<g></g>", "")
    given = f'role="img" aria-label="{escape(label)}" font-family="{_FONT}"'
    return svg.replace("<svg", f"<svg {given}", 1)


def _lean(tag: re.Match[str]) -> str:
    text = re.sub(_UNSEEN, "", tag[0])
    # A hundredth of a pixel is enough.
    return re.sub(
        r'(?<= d=")[^"]*', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), text
    )
