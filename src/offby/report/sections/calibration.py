"""Whether predicted probabilities come true, and how sharp they are."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from offby.report.parts import Block, Figure, Heading, Paragraph, Table
from offby.report.sections.reliability import reliability
from offby.report.style import PLUS, Look, SharedData, drawn, panels
from offby.results import Calibration, phrases

_NO_LINE = (
    "The classes lie on no line, so that none is below another. Whether the "
    "probabilities of a class or less come true, and intervals, are left out."
)


def content(look: Look) -> list[Block]:
    """What the section shows."""
    blocks: list[Block] = []
    if (whole := _pit(look)) is not None:
        blocks += [Heading("The whole distribution"), whole]
    if look.comparison.coverage:
        blocks += [Heading("Do the intervals hold?"), _intervals(look)]
    if (events := reliability(look)) is not None:
        blocks += [Heading("Single events"), events]
    if (parts := _forecasts(look)) is not None:
        blocks += [
            *([Paragraph(_NO_LINE)] if look.comparison.data.ground else []),
            Heading("How sharp are the forecasts?"),
            Paragraph(_explained(look), soft=True),
            parts,
        ]
    return blocks


def _intervals(look: Look) -> Table:
    """How often the truth lies in the intervals, and how wide they are."""
    found = look.comparison.coverage
    levels = sorted({one.level for one in found})
    unit = look.unit
    digits = phrases.digits([one.width for one in found])
    cells: dict[str, list[str]] = {}
    for one in sorted(found, key=lambda one: one.level):
        cells.setdefault(one.method, []).extend(
            (f"{100 * one.share:.1f} %", phrases.number(one.width, digits))
        )
    head = ["loss"]
    for level in levels:
        head += [f"{100 * level:.0f} % interval holds", f"its mean width ({unit})"]
    caption = "How many held-out rows lie in the central intervals"
    if look.comparison.data.kind == "classes":
        caption += (
            "; intervals of whole classes hold more than they promise, because they "
            "cannot end inside a class"
        )
    rows = tuple((name, *row) for name, row in cells.items())
    return Table(caption, tuple(head), rows)


def _explained(look: Look) -> str:
    """How to read the table of forecasts."""
    if look.comparison.data.ground is not None:
        return (
            "Sharpness is the root of half the mean squared distance of two draws from "
            "a forecast; on a line that is its standard deviation. The last columns "
            "are the distances of one guess per forecast from the truth. The median is "
            "the class of the least expected distance, the best guess for the MAE."
        )
    classes = look.comparison.data.kind == "classes"
    score, base = (
        ("RPS", "the class frequencies")
        if classes
        else ("CRPS", "one forecast for all rows")
    )
    return (
        "Sharpness is the mean standard deviation of the forecasts. The "
        f"{score} has three parts: miscalibration (what recalibrating would save), "
        "minus discrimination (how much the forecasts tell rows apart), plus "
        f"uncertainty (the score of {base}). They come from an isotonic regression at "
        "every threshold (CORP). The last columns are the errors of one guess per "
        "forecast. The median is the best guess for the MAE, the mean for the RMSE."
    )


def _pit(look: Look) -> Figure | None:
    """PIT share reached minus level, with the band of a calibrated forecast."""
    items = look.comparison.calibration
    if not items:
        return None
    gaps = {
        item.method: max(
            (
                abs(reached - level)
                for level, reached in zip(item.levels, item.reached, strict=True)
            ),
            default=0.0,
        )
        for item in items
    }
    out = [item.method for item in items if gaps[item.method] > item.band]
    if not out:
        title = "Every loss stays inside the band of a calibrated forecast"
    elif len(out) == len(items):
        title = "No loss stays inside the band of a calibrated forecast"
    else:
        verb = "leaves" if len(out) == 1 else "leave"
        title = f"{phrases.listed(out)} {verb} the band of a calibrated forecast"
    table = Table(
        "Largest distance from the level",
        ("loss", "largest distance", "half-width of the band", "inside"),
        tuple(
            (
                item.method,
                f"{gaps[item.method]:.4f}",
                f"{item.band:.4f}",
                "yes" if gaps[item.method] <= item.band else "no",
            )
            for item in items
        ),
    )
    note = (
        "The PIT of a row is the probability that was predicted for the true value or "
        "less. If a forecast is calibrated, 30 % of the rows have a PIT of at most 30 "
        "%, and so on for every level. The line shows the share of rows minus the "
        "level. The gray band is where a calibrated forecast stays in 95 of 100 "
        "cases."
    )
    return Figure(title, drawn(_pit_panels(look, items), "pit", title), table, note)


def _pit_panels(look: Look, items: Sequence[Calibration]) -> Any:
    keys = [item.method for item in items]
    values = [
        {
            "method": item.method,
            "level": level,
            "gap": reached - level,
            "low": -item.band,
            "high": item.band,
        }
        for item in items
        for level, reached in zip(item.levels, item.reached, strict=True)
    ]
    base = alt.Chart(SharedData(values=values))
    x = alt.X("level:Q", title="level").scale(domain=[0, 1])
    x = x.axis(tickCount=3, format="~%")
    y = alt.Y("low:Q", title="share − level").axis(
        tickCount=5, format="~%", labelExpr=PLUS, minExtent=38
    )
    band = base.mark_area(color="#d9dee4", opacity=0.8).encode(x, y, alt.Y2("high:Q"))
    zero = base.mark_rule(color="#8b929a").encode(y=alt.datum(0))
    line = base.mark_line(strokeWidth=2).encode(
        x,
        alt.Y("gap:Q"),
        look.color(keys).legend(None),
        look.dash(keys).legend(None),
    )
    columns, width = panels(len(keys))
    chart = alt.layer(band, zero, line).properties(width=width, height=120)
    facet = alt.Facet("method:N", title=None, sort=keys)
    return chart.facet(facet, columns=columns)


def _forecasts(look: Look) -> Table | None:
    """Sharpness, parts of the score, and the errors of three guesses."""
    items = look.comparison.forecasts
    if not items:
        return None
    parts = any(item.corp for item in items)
    head = ["loss", "sharpness"]
    if parts:
        head += ["miscalibration", "discrimination", "uncertainty"]
    head += [
        f"{measure} of the {guess.rule}"
        for measure in ("MAE", "RMSE")
        for guess in items[0].guesses
    ]
    digits = phrases.digits([guess.rmse for item in items for guess in item.guesses])
    fine = phrases.digits([part for item in items for part in item.corp or ()])
    rows = [
        (
            item.method,
            phrases.number(item.sharpness, digits),
            *(phrases.number(part, fine) for part in item.corp or (None,) * 3 * parts),
            *(phrases.number(guess.mae, digits) for guess in item.guesses),
            *(phrases.number(guess.rmse, digits) for guess in item.guesses),
        )
        for item in items
    ]
    number = look.comparison.data.kind == "number"
    caption = "Over all held-out rows, first seed; sharpness and errors in " + (
        "units of the target" if number else look.unit
    )
    return Table(caption, tuple(head), tuple(rows))
