"""What a row costs, by the number of classes: each loss on each ground, and rivals.

    python benchmarks/family.py docs/family

writes docs/family.json and docs/family.svg. Forward and backward in float32, on one
thread, on batches of up to 400,000 numbers (fewer where a row costs much); median of
repeats, in processor time, which other work on the machine disturbs less than the
clock. Rivals that are not installed are left out, and the JSON says so. Takes about
five minutes on one core. `--smoke` runs everything once on ten classes.
"""

import argparse
import functools
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import altair as alt
import torch
import vl_convert
from torch import Tensor

from offby import Bins, Circle, Costs, Line, Tree, losses
from offby.grounds import Ground

CLASSES = (10, 100, 1_000, 10_000, 100_000)
PATIENCE = 1.0
"""Seconds for one call: slower routes are not tried with more classes."""
PACKAGES = ("torch", "pot", "geomloss", "dlordinal", "numpy")


@dataclass(frozen=True)
class Route:
    """One way to compute one loss."""

    label: str
    group: str
    """The panel of the chart."""
    make: Callable[[int], Callable[[Tensor, Tensor], Tensor]]
    """From a number of classes to the loss of logits and target."""
    target: str = "class"
    """"class", "distribution" or "number"."""
    most_classes: int = 100_000
    numbers: int = 400_000
    """Size of a batch, rows times classes."""


def tree(n: int) -> Tree:
    """Every node has ten children, until there are leaves enough."""
    level, parents = [0], [-1]
    while len(level) * 10 < n:
        first = len(parents)
        parents += [node for node in level for _ in range(10)]
        level = list(range(first, len(parents)))
    parents += [level[k % len(level)] for k in range(n)]
    return Tree(parents)


def chord(n: int) -> Circle:
    return Circle.regular(n, "chord")


def costs(n: int) -> Costs:
    points = torch.rand(n, 2, generator=torch.Generator().manual_seed(0))
    return Costs.from_features(points)


def on(loss: Callable[..., Tensor], ground: Callable[[int], Ground], **settings):
    """The loss on that ground, which is made once."""

    def make(n: int):
        return functools.partial(_on, loss, ground(n), settings)

    return make


def _on(loss, ground, settings, logits, target):
    return loss(logits, target, ground, **settings)


def on_bins(loss: Callable[..., Tensor]):
    """The loss on evenly spaced bins."""

    def make(n: int):
        bins = Bins.uniform(0, 1, n)
        return lambda logits, value: loss(logits, value, bins)

    return make


def torchs_own(n: int):
    return functools.partial(torch.nn.functional.cross_entropy, reduction="none")


def pot_1d(n: int):
    import ot

    x = torch.arange(n, dtype=torch.float32)[:, None]

    def loss(logits: Tensor, q: Tensor) -> Tensor:
        p = logits.softmax(-1).T
        places = x.expand(-1, p.shape[1])
        return ot.wasserstein_1d(places, places, p, q.T, p=1)

    return loss


def pot_emd(n: int):
    import ot

    cost = costs(n).cost

    def loss(logits: Tensor, q: Tensor) -> Tensor:
        p, q = logits.double().softmax(-1), q.double()
        q = q / q.sum(-1, keepdim=True)
        return torch.stack([ot.emd2(a, b, cost) for a, b in zip(p, q, strict=True)])

    return loss


def geomloss_samples(n: int):
    from geomloss import SamplesLoss

    x = torch.linspace(0, 1, n)[:, None]
    divergence = SamplesLoss("sinkhorn", p=1, blur=0.05, backend="tensorized")

    def loss(logits: Tensor, q: Tensor) -> Tensor:
        places = x.expand(len(q), -1, -1).contiguous()
        return divergence(logits.softmax(-1), places, q, places)

    return loss


def dlordinal_emd(n: int):
    from dlordinal.losses import EMDLoss

    return EMDLoss(num_classes=n)


CLASS, TWO = "against a class", "against a distribution"
OURS = [
    Route("cross-entropy", CLASS, lambda n: losses.cross_entropy),
    Route("Wasserstein, line", CLASS, on(losses.wasserstein, Line.regular)),
    Route("Wasserstein, tree", CLASS, on(losses.wasserstein, tree)),
    Route("squared EMD, line", CLASS, on(losses.squared_emd, Line.regular)),
    Route("squared EMD, tree", CLASS, on(losses.squared_emd, tree)),
    Route("squared EMD, arc", CLASS, on(losses.squared_emd, Circle.regular)),
    Route("squared EMD, chord", CLASS, on(losses.squared_emd, chord)),
    Route(
        "squared EMD, costs",
        CLASS,
        on(losses.squared_emd, costs),
        most_classes=1_000,
    ),
    Route(
        "cumulative CE, line", CLASS, on(losses.cumulative_cross_entropy, Line.regular)
    ),
    Route("cumulative CE, tree", CLASS, on(losses.cumulative_cross_entropy, tree)),
    Route("histogram CRPS", CLASS, on_bins(losses.histogram_crps), target="number"),
    Route(
        "Wasserstein, line", TWO, on(losses.wasserstein, Line.regular), "distribution"
    ),
    Route(
        "Wasserstein p=2, line",
        TWO,
        on(losses.wasserstein, Line.regular, p=2),
        "distribution",
    ),
    Route("Wasserstein, tree", TWO, on(losses.wasserstein, tree), "distribution"),
    Route(
        "Wasserstein, arc", TWO, on(losses.wasserstein, Circle.regular), "distribution"
    ),
    Route(
        "Wasserstein, costs",
        TWO,
        on(losses.wasserstein, costs),
        "distribution",
        most_classes=1_000,
        numbers=4_000,
    ),
    Route(
        "Sinkhorn, line",
        TWO,
        on(losses.sinkhorn, lambda n: Line.regular(n).normalized(), epsilon=0.05),
        "distribution",
        most_classes=1_000,
        numbers=4_000,
    ),
    Route(
        "squared EMD, line", TWO, on(losses.squared_emd, Line.regular), "distribution"
    ),
]
RIVALS = [
    Route("torch cross_entropy", CLASS, torchs_own),
    Route("dlordinal EMDLoss", CLASS, dlordinal_emd, most_classes=10_000),
    Route("POT wasserstein_1d", TWO, pot_1d, "distribution"),
    Route("POT emd2", TWO, pot_emd, "distribution", most_classes=1_000, numbers=4_000),
    Route(
        "geomloss Sinkhorn",
        TWO,
        geomloss_samples,
        "distribution",
        most_classes=1_000,
        numbers=4_000,
    ),
]


def microseconds_per_row(route: Route, n: int, smoke: bool) -> tuple[float, float, int]:
    """One row's share of a call: median, distance of the quartiles; and the rows."""
    generator = torch.Generator().manual_seed(n)
    rows = max(2, min(8192, route.numbers // n))
    logits = torch.randn(rows, n, generator=generator).requires_grad_()
    match route.target:
        case "class":
            target = torch.randint(n, (rows,), generator=generator)
        case "distribution":
            target = torch.randn(rows, n, generator=generator).softmax(-1)
        case _:
            target = torch.rand(rows, generator=generator)
    loss = route.make(n)

    def call() -> float:
        begun = time.process_time()
        torch.autograd.grad(loss(logits, target).sum(), logits)
        return time.process_time() - begun

    first = call()
    repeats = 1 if smoke else max(3, min(30, int(0.4 / max(first, 1e-3))))
    taken = [call() for _ in range(repeats)]
    quarters = statistics.quantiles(taken, n=4) if len(taken) > 1 else [0, taken[0], 0]
    per_row = 1e6 / rows
    return (
        statistics.median(taken) * per_row,
        (quarters[2] - quarters[0]) * per_row,
        rows,
    )


def measure(smoke: bool) -> dict:
    """Every route at every number of classes it can take."""
    torch.set_num_threads(1)
    points, absent = [], []
    for route in (*OURS, *RIVALS):
        for n in CLASSES[:1] if smoke else CLASSES:
            if n > route.most_classes:
                break
            try:
                cost, spread, rows = microseconds_per_row(route, n, smoke)
            except ModuleNotFoundError as missing:
                absent.append(f"{route.label}: no {missing.name}")
                break
            points.append(
                {
                    "route": route.label,
                    "panel": route.group,
                    "rival": route in RIVALS,
                    "classes": n,
                    "rows": rows,
                    "us_per_row": round(cost, 3),
                    "quartiles_apart": round(spread, 3),
                }
            )
            print(f"{route.group:24s} {route.label:24s} {n:7d} {cost:12.2f} us/row")
            if cost * rows / 1e6 > PATIENCE:
                break
    return {
        "what": "processor time of forward and backward, float32, one thread",
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "load_average": os.getloadavg()[0],
        "absent": absent,
        "growth": growth(points),
        "points": points,
    }


def growth(points: list[dict]) -> list[dict]:
    """The power of K by which a row's cost grows, from 1,000 classes on."""
    found = []
    for panel, route in dict.fromkeys((p["panel"], p["route"]) for p in points):
        line = [p for p in points if (p["panel"], p["route"]) == (panel, route)]
        last = line[-1]
        first = next((p for p in line if p["classes"] >= 1_000), last)
        if last["classes"] > first["classes"]:
            times = math.log(last["us_per_row"] / first["us_per_row"])
            power = times / math.log(last["classes"] / first["classes"])
            found.append({"panel": panel, "route": route, "power": round(power, 2)})
    return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def draw(points: list[dict]) -> str:
    """The picture as SVG: one panel for each kind of target."""

    def panel(title: str) -> alt.Chart:
        rows = [point for point in points if point["panel"] == title]
        return (
            alt.Chart(alt.Data(values=rows), width=380, height=320, title=title)
            .mark_line(point=True)
            .encode(
                x=alt.X("classes:Q", title="classes").scale(type="log"),
                y=alt.Y("us_per_row:Q", title="microseconds per row").scale(
                    type="log", domain=[0.1, 1_000_000]
                ),
                color=alt.Color("route:N", title=None).scale(scheme="tableau20"),
                strokeDash=alt.StrokeDash("rival:N", title="rival"),
            )
        )

    chart = alt.hconcat(panel(CLASS), panel(TWO)).resolve_scale(color="independent")
    return vl_convert.vegalite_to_svg(chart.configure(background="white").to_dict())


def main(out: str | None, smoke: bool) -> None:
    """Measure, then draw."""
    found = measure(smoke)
    if out is not None:
        Path(out + ".json").write_text(json.dumps(found, indent=1) + "\n")
        Path(out + ".svg").write_text(draw(found["points"]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?")
    parser.add_argument("--smoke", action="store_true")
    main(**vars(parser.parse_args()))
