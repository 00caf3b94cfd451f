"""Three rows of the data, and what each loss predicts for them."""

from typing import Any
from urllib.parse import quote

import altair as alt

from offby.comparison._result import Row
from offby.report import _words as words
from offby.report._look import INK, Look, drawn, panels
from offby.report._parts import Figure, Table


def predicted(look: Look, row: Row) -> Figure:
    """What each loss predicts for one row, the true bin marked."""
    keys = [key for key in look.names if key in row.probs]
    true = look.labels[row.true]
    title = f"{row.why[:1].upper()}{row.why[1:]}: row {row.number}, truth {true}"
    if keys:
        most, least = _apart(row)
        title += (
            f". {most} gives it {words.percent(row.probs[most][row.true])}, "
            f"{least} {words.percent(row.probs[least][row.true])}"
        )
    table = Table(
        f"Predicted probability of each class or bin, row {row.number}",
        ("class or bin", *keys),
        tuple(
            (
                f"{label} (true)" if place == row.true else label,
                *(f"{row.probs[key][place]:.4f}" for key in keys),
            )
            for place, label in enumerate(look.labels)
        ),
    )
    return Figure(title, drawn(_bars(look, row), f"row{row.number}", title), table)


def link(look: Look, place: int, explainer: str) -> str:
    """Address of a row in the explainer, under the two losses furthest apart."""
    row = look.comparison.rows[place]
    models = ",".join(dict.fromkeys(_apart(row))) if row.probs else ""
    # A plus sign in an address is a space.
    return f"{quote(explainer)}#stop=0&row={place}&models={quote(models, safe=',')}"


def _apart(row: Row) -> tuple[str, str]:
    """The losses that give the truth most and least."""
    given = {key: probs[row.true] for key, probs in row.probs.items()}
    return max(given, key=lambda key: given[key]), min(given, key=lambda key: given[key])


def _bars(look: Look, row: Row) -> Any:
    keys = [key for key in look.names if key in row.probs]
    values = [
        {
            "method": key,
            "x": look.positions[place] if look.many else look.labels[place],
            "p": prob,
            "true": place == row.true,
        }
        for key in keys
        for place, prob in enumerate(row.probs[key])
    ]
    top = max((value["p"] for value in values), default=1.0)
    base = alt.Chart(alt.Data(values=values))
    target = look.comparison.data.target
    if look.many:
        x: Any = alt.X("x:Q", title=target).scale(zero=False, nice=False)
        x = x.axis(grid=False, tickCount=5)
    else:
        x = look.classes(target)
    y = alt.Y("p:Q", title="probability").axis(tickCount=4, format="~%")
    y = y.scale(domain=[0, top * 1.15 or 1.0], nice=False)
    color = look.color(keys).legend(None)
    if look.many:
        bars = base.mark_area(interpolate="step", opacity=0.75).encode(x, y, color)
        rule = base.mark_rule(color=INK, strokeDash=[3, 2], strokeWidth=1.5)
        mark = rule.encode(x).transform_filter("datum.true")
    else:
        bars = base.mark_bar().encode(x, y, color)
        mark = (
            base.mark_point(
                shape="triangle-down", filled=True, size=70, color=INK, opacity=1
            )
            .encode(x, y=alt.value(6))
            .transform_filter("datum.true")
        )
    columns, width = panels(len(keys))
    chart = alt.layer(bars, mark).properties(width=width, height=110)
    facet = alt.Facet("method:N", title=None, sort=keys)
    return chart.facet(facet, columns=columns)
