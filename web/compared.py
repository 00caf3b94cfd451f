"""Write compared.json: comparisons as the page gets them, and their losses as trained.

`check.mjs` holds the number that the built page shows for each row and loss against
the loss that `offby compare` trains with, to 1e-9: the unit of the training, its scale
and its tails. Run it again after a change of either: `python web/compared.py`.
"""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from offby import Bins, Circle, Costs, Tree, explain
from offby.comparison.describe import data_of
from offby.comparison.diagnostics import telling_rows
from offby.comparison.fits import Fit
from offby.comparison.problem import Fold, Problem, Rows
from offby.explain.grounds import drawn
from offby.losses.registry import parse
from offby.theory import anatomy

ON_A_CIRCLE = ("ce", "emd1", "emd2", "ce+emd2", "brier", "cdw-ce", "slace")
OF_CLASSES = (*ON_A_CIRCLE, "cce")
BEINGS = ("oak", "wolf", "gull", "lynx", "fox", "owl")
KINDS = {"oak": "plant", "gull": "animal/bird", "owl": "animal/bird"}
OF_NUMBERS = (*OF_CLASSES, "crps", "nll", "ce+crps", "0.5*nll+2*emd1")
MODELS = ("ce", "emd2")


def problems() -> Iterator[tuple[str, Problem]]:
    """Data of every kind that a comparison can be made on."""
    rng = np.random.default_rng(11)
    X = rng.normal(size=(240, 2))
    prices = np.exp(12 + 0.6 * X[:, 0] + 0.3 * rng.normal(size=240)).round(-2)
    numbers = Problem(X, prices, "number", (), 12, "quantile", 3, 5, bounds="auto")
    yield "prices", numbers
    yield "log prices", numbers.with_transforms(["log"] * 3)
    yield "normal scores", numbers.with_transforms(["quantile"] * 3)
    for tails in ("half-normal", "upper-half-normal"):
        tailed = numbers.with_transforms(["log"] * 3)
        # As the folds would be if their grids had tails.
        vars(tailed)["folds"] = [_with_tails(fold, tails) for fold in tailed.folds]
        yield f"log prices, {tails}", tailed
    codes = np.searchsorted([-1.0, 0.2, 0.9], X[:, 0] + 0.3 * rng.normal(size=240))
    hours = rng.permutation(np.arange(240) % 24)
    places = tuple(map(float, range(24)))
    for way in ("arc", "chord"):
        yield (
            f"hours, {way}",
            Problem(
                X,
                hours,
                "classes",
                places,
                0,
                "quantile",
                3,
                5,
                ground=Circle(list(places), 24, way),
            ),
        )
    sixth = rng.permutation(np.arange(240) % 6)
    # Branches whose classes do not stand together, and edges of several lengths.
    tree = Tree.from_paths(
        [f"{KINDS.get(being, 'animal/mammal')}/{being}" for being in BEINGS],
        lengths={"animal": 3.0, "animal/mammal": 0.5, "plant/oak": 0.25},
    )
    costs = Costs.from_features(rng.normal(size=(6, 2)).round(3))
    for name, ground in (("beings, a tree", tree), ("places, costs", costs)):
        steps = tuple(map(float, range(6)))
        problem = Problem(X, sixth, "classes", steps, 0, "quantile", 3, 5)
        yield name, replace(problem, ground=ground)
    yield (
        "ages",
        Problem(X, codes, "classes", (0.0, 18.0, 30.0, 65.0), 0, "quantile", 3, 5),
    )


def _with_tails(fold: Fold, tails: Any) -> Fold:
    """Few bins in the middle, so that the tails hold many rows."""
    assert fold.bins is not None
    kept = [0, *range(4, fold.bins.n_bins - 3), fold.bins.n_bins]
    return replace(fold, bins=Bins(fold.bins.edges[kept], tails=tails))


def compared(problem: Problem, name: str) -> dict[str, Any]:
    """The data in the page, and what each loss says of each row in training."""
    rng = np.random.default_rng(3)
    fold = problem.folds[0]
    n_classes = fold.line.n_classes
    labels = [f"class {place}" for place in range(n_classes)]
    if isinstance(problem.ground, Tree):
        labels = list(problem.ground.leaves)
    fits = {
        model: [_guesses(rng, len(fold.test.numbers), n_classes)] for model in MODELS
    }
    made: Any = SimpleNamespace(
        data=data_of(problem, name, "target", labels, ()),
        rows=telling_rows(problem, fits, labels),
    )
    (text,) = re.findall(r'id="data">(.*?)</script>', explain.render(made))
    shown = drawn(made.data.ground, tuple(labels)) if made.data.ground else None
    rows = [
        {
            model: _trained(
                fold, row.number, row.probs[model], shown.order if shown else None
            )
            for model in MODELS
        }
        for row in made.rows
    ]
    return {"data": json.loads(text), "rows": rows}


def _guesses(rng: np.random.Generator, n_rows: int, n_classes: int) -> Fit:
    probs = rng.dirichlet(np.full(n_classes, 0.6), n_rows)
    return Fit(fold=0, seed=0, form="probs", outputs=probs, seconds=0.0)


def _trained(
    fold: Fold, number: int, probs: tuple[float, ...], order: Sequence[int] | None
) -> dict[str, Any]:
    """Every loss of one forecast, as this fold trains with it, in the page's order."""
    at = np.flatnonzero(fold.test.numbers == number)
    labels = fold.labels(Rows(fold.test.numbers[at], None, fold.test.y[at], None))
    logits = torch.tensor([probs], dtype=torch.float64).log()
    found = {}
    names = OF_CLASSES if fold.bins is None else OF_NUMBERS
    if isinstance(fold.ground, Circle | Costs):
        names = ON_A_CIRCLE
    for name in names:
        loss = parse(name)
        taken = anatomy.anatomy(
            lambda z, _, loss=loss: loss.rows(z, labels), logits, labels.index
        )
        pushes = taken.pushes[0].tolist()
        found[name] = {
            "value": float(f"{float(taken.value):.12g}"),
            "pushes": [float(f"{pushes[k]:.12g}") for k in order or range(len(pushes))],
        }
    return found


def whole() -> dict[str, Any]:
    """Every comparison by its name."""
    return {name: compared(problem, name) for name, problem in problems()}


if __name__ == "__main__":
    out = Path(sys.argv[1] if sys.argv[1:] else Path(__file__).with_suffix(".json"))
    out.write_text(json.dumps(whole(), allow_nan=False) + "\n", encoding="utf-8")
