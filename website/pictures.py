"""Pictures of a loss and of a ground, as SVG."""

from collections.abc import Callable
from functools import partial

import altair as alt
import torch
import vl_convert
from torch import Tensor

from offby import Bins, anatomy
from offby.grounds import Ground
from offby.losses.registry import Labels, Loss

FORECAST = (0.02, 0.30, 0.10, 0.05, 0.08, 0.40, 0.05)
TRUTH = 5
"""The forecast that docs/maths/anatomy.md takes apart, and its true class of seven."""
UP, DOWN, INK = "#0072b2", "#d55e00", "#57606a"
SETTINGS = {"sinkhorn": {"epsilon": 0.5}}
"""What a function needs beside its target, for the pictures."""
BINS = Bins.uniform(0.5, len(FORECAST) + 0.5, len(FORECAST))


def labels(truth: int) -> Labels:
    """The label of one row of the example, as a class and as a number."""
    value = torch.tensor(float(truth), dtype=torch.float64)
    return Labels(BINS.index(value), BINS.line(), value, BINS)


def on_rows(loss: Loss, truth: int) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss as a function of logits, for a row of class `truth`."""
    at = labels(truth)
    if loss.function is not None and loss.name in SETTINGS:
        needed = partial(loss.function, **SETTINGS[loss.name])
        return lambda logits, _: needed(logits, at.index, at.line)
    return lambda logits, _: loss.rows(logits, at)


def value(loss: Loss, forecast: Tensor, truth: int) -> float:
    """The loss of a forecast of the seven classes."""
    return float(on_rows(loss, truth)(forecast.double().log(), forecast))


def pushes(loss: Loss) -> Tensor:
    """The push on each logit at the forecast of the example."""
    logits = torch.tensor(FORECAST, dtype=torch.float64).log()
    return anatomy(on_rows(loss, TRUTH), logits, torch.tensor(TRUTH - 1)).pushes


def picture_of_pushes(loss: Loss) -> str:
    """The forecast above, and below it what a step of training does to each logit."""
    rows = [
        {"class": k + 1, "probability": p, "push": float(push)}
        for k, (p, push) in enumerate(zip(FORECAST, pushes(loss), strict=True))
    ]
    data = alt.Data(values=rows)
    axis = alt.X("class:O").axis(labelAngle=0).title("class (the truth is 5)")
    mass = alt.Chart(data).mark_bar(color="#afb8c1").encode(axis, y="probability:Q")
    push = (
        alt.Chart(data)
        .mark_bar()
        .encode(
            axis,
            alt.Y("push:Q").title("push on the logit"),
            color=alt.condition("datum.push > 0", alt.value(UP), alt.value(DOWN)),
        )
    )
    size = {"width": 320, "height": 110}
    return _svg(mass.properties(**size) & push.properties(**size))


def picture_of_costs(ground: Ground, names: list[str]) -> str:
    """The distances between the classes as shades, with their numbers."""
    rows = [
        {"from": a, "to": b, "distance": float(ground.cost[i, j])}
        for i, a in enumerate(names)
        for j, b in enumerate(names)
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        alt.X("to:N").sort(names).axis(labelAngle=0), alt.Y("from:N").sort(names)
    )
    shades = alt.Color("distance:Q").scale(scheme="blues").legend(None)
    text = alt.condition(
        f"datum.distance > {0.6 * float(ground.cost.max())}",
        alt.value("white"),
        alt.value("black"),
    )
    numbers = base.mark_text().encode(alt.Text("distance:Q", format=".3~g"), color=text)
    chart = base.mark_rect().encode(color=shades) + numbers
    return _svg(chart.properties(width=46 * len(names), height=34 * len(names)))


def _svg(chart: alt.TopLevelMixin) -> str:
    return vl_convert.vegalite_to_svg(chart.to_dict())
