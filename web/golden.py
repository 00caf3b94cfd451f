"""Write golden.json: what offby's Python says of 200 random states of the page.

`check.mjs` holds the built page against it, in Node, to 1e-9. Run it again after a
change of a loss or of the states: `python web/golden.py`.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from offby import Bins, Circle, Tree, anatomy, losses, settles_at
from offby.grounds import Ground

STATES = 200
ENDS_EVERY = 8
"""A run to its end takes both sides longest: every eighth state has one, few bins and a
mild start, from which every loss arrives (some stall elsewhere, as the page shows)."""

Row = Callable[[Tensor, Tensor], Tensor]

ELSEWHERE = ("brier", "cdw-ce", "slace")
"""Losses of other people's papers, on every ground."""
ON_A_LINE = (
    *("ce", "emd1", "emd2", "cce", "ce+emd1", "ce+0.3*emd1", "ce+emd2"),
    *ELSEWHERE,
)
ON_A_CIRCLE = ("ce", "emd1", "emd2", "0.5*ce+2*emd2", *ELSEWHERE)
ON_A_TREE = (*ON_A_CIRCLE, "cce")
OF_NUMBERS = (*ON_A_LINE, "crps", "nll", "ce+crps")


def loss(name: str, ground: Ground, bins: Bins | None) -> Row:
    """The loss of that name on a ground; targets are classes, or numbers for crps."""

    def of_classes(single: str) -> Callable[[Tensor, Tensor], Tensor]:
        match single:
            case "ce":
                return losses.cross_entropy
            case "emd1":
                return lambda z, t: losses.wasserstein(z, t, ground)
            case "emd2":
                return lambda z, t: losses.squared_emd(z, t, ground)
            case "cce":
                return lambda z, t: losses.cumulative_cross_entropy(z, t, ground)
            case "brier":
                return losses.brier
            case "cdw-ce":
                return lambda z, t: losses.cdw_cross_entropy(z, t, ground)
            case "slace":
                return lambda z, t: losses.slace(z, t, ground)
        raise ValueError(f"the golden states must use known losses, got {single!r}")

    def of_numbers(single: str) -> Callable[[Tensor, Tensor], Tensor]:
        assert bins is not None
        grid: Bins = bins
        match single:
            case "crps":
                return lambda z, y: losses.histogram_crps(z, y, grid)
            case "nll":
                return lambda z, y: losses.histogram_nll(z, y, grid)
        row = of_classes(single)
        return lambda z, y: row(z, grid.index(y))

    terms = []
    for part in name.split("+"):
        factor, _, single = part.rpartition("*")
        row = (of_classes if bins is None else of_numbers)(single)
        terms.append((float(factor or 1), row))
    return lambda z, t: torch.stack([f * row(z, t) for f, row in terms]).sum(0)


def arc(n: int) -> Circle:
    """`n` hours of the day, distance along the shorter way round."""
    return Circle(24 * torch.arange(n, dtype=torch.float64) / n, period=24)


ANIMALS = [
    "mammal/dog/wolf",
    "mammal/dog/fox",
    "mammal/cat/lion",
    "mammal/cat/lynx",
    "bird/gull",
    "bird/owl",
    "fish/trout",
]


def states(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Random predictions and truths, on every ground the page knows."""
    kinds = ("one", "noisy", "soft", "number")
    for number in range(STATES):
        place = ("edges", "regular", "edges", "hours", "animals")[number % 5]
        runs = number % ENDS_EVERY == 0
        k = 7 if place == "animals" else int(rng.integers(3, 9 if runs else 21))
        line = place in ("edges", "regular")
        kind = "noisy" if runs else kinds[rng.integers(4 if line else 2)]
        edges = np.empty(0)
        if place == "edges":
            # On a grid of 1/64, so that JSON and both languages hold the same number.
            widths = np.exp(rng.normal(0, 1, k))
            edges = np.round(np.cumsum([rng.normal(0, 5), *(widths + 0.1)]) * 64) / 64
        elif place == "regular":
            edges = np.arange(k + 1) + 0.5
        logits = rng.normal(0, 0.5 if runs else (0.5, 2, 8)[number % 3], k)
        share = rng.dirichlet(np.full(k, 0.7))
        if kind == "soft" and number % 2:
            # Classes without mass, and cuts at which the two sides are equal.
            share = rng.multinomial(10, share) / 10
        truth = {
            "one": {"at": int(rng.integers(k))},
            "noisy": {"q": share.tolist()},
            "soft": {"q": share.tolist()},
            "number": {"y": float(rng.normal(*_middle(edges))) if line else 0.0},
        }[kind]
        yield {
            "ground": {"place": place, "k": k, "edges": list(map(float, edges))},
            "logits": logits.tolist(),
            "truth": {"kind": kind, **truth},
        }


def _middle(edges: np.ndarray) -> tuple[float, float]:
    low, high = (edges[0], edges[-1]) if len(edges) else (0.0, 1.0)
    return (low + high) / 2, (high - low) / 4


def judged(state: dict[str, Any], with_end: bool) -> dict[str, Any]:
    """A state with every loss taken apart, and where a run from it ends."""
    place, k = state["ground"]["place"], state["ground"]["k"]
    kind, truth = state["truth"]["kind"], state["truth"]
    bins = None
    ground: Ground
    match place:
        case "hours":
            ground, names = arc(k), ON_A_CIRCLE
        case "animals":
            ground, names = Tree.from_paths(ANIMALS), ON_A_TREE
        case _:
            bins = Bins(state["ground"]["edges"])
            ground = bins.line()
            names = OF_NUMBERS if kind == "number" else ON_A_LINE
    if kind != "number":
        bins = None
    logits = torch.tensor(state["logits"], dtype=torch.float64)
    found = {}
    for name in names:
        if name == "nll" and bins is not None:
            inside = bins.edges[0] <= truth["y"] <= bins.edges[-1]
            if not inside:
                continue
        row = loss(name, ground, bins)
        match kind:
            case "one":
                parts = [(1.0, torch.tensor(truth["at"]))]
            case "noisy":
                parts = [(f, torch.tensor(y)) for y, f in enumerate(truth["q"])]
            case "soft":
                parts = [(1.0, torch.tensor(truth["q"], dtype=torch.float64))]
            case _:
                parts = [(1.0, torch.tensor(truth["y"], dtype=torch.float64))]
        apart = [(f, anatomy(row, logits, target)) for f, target in parts]
        found[name] = {
            "value": digits(sum(f * a.value.numpy() for f, a in apart)),
            "weights": digits(sum(f * a.mass_weights.numpy() for f, a in apart)),
            "pushes": digits(sum(f * a.pushes.numpy() for f, a in apart)),
        }
        if name in ELSEWHERE:
            # Python takes these apart another way: the weights differ by a constant.
            if name != "brier":
                del found[name]["weights"]
            continue
        # On a circle the squared EMD is proper, not strictly: it may end elsewhere.
        if with_end and (place, name) != ("hours", "emd2"):
            found[name]["end"] = digits(settles_at(row, truth["q"]))
    return {**state, "losses": found}


def digits(numbers: Any) -> Any:
    """Twelve digits, so that the file is no larger than what is compared."""
    if np.ndim(numbers):
        return [digits(x) for x in numbers]
    return float(f"{float(numbers):.12g}")


def golden(every: int = 1, *, ends: bool = True) -> list[dict[str, Any]]:
    """The states with their answers, or one of so many; ends take most of the time."""
    rng = np.random.default_rng(7)
    return [
        judged(state, with_end=ends and number % ENDS_EVERY == 0)
        for number, state in enumerate(states(rng))
        if number % every == 0
    ]


if __name__ == "__main__":
    out = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).with_name("golden.json")
    out.write_text(json.dumps(golden(), allow_nan=False) + "\n", encoding="utf-8")
