"""`examine`: what a loss does, found by trying it. Page: docs/own-loss.md."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from offby.grounds import Ground, Line
from offby.theory.anatomy import LossFunction, anatomy
from offby.theory.minimizers import settles_at


@dataclass(frozen=True, eq=False)
class Examination:
    """What was found out about a loss of ordered classes; `print` it for sentences."""

    name: str
    frequencies: Float[np.ndarray, "tries classes"]
    """Frequencies of labels that it was tried on."""
    ends: Float[np.ndarray, "tries classes"]
    """Where training for ever on each of them ends."""
    bias: float
    """Largest total variation between the two: 0 of a proper loss, at most 1."""
    feels_distance: bool
    """Whether wrong mass cost more the farther it was from the truth, in all tries."""
    push_when_wrong: float
    """How hard it pushes the true class up where a network is wrong by 20 logits, in
    units of how hard it pushes where all classes are alike."""

    @property
    def seems_proper(self) -> bool:
        """Whether it ended at the frequencies in all tries."""
        return self.bias < 1e-3

    def __str__(self) -> str:
        if self.seems_proper:
            ends = "It ended at the frequencies of the labels: it seems to be proper."
        elif (self.ends.max(-1) > 0.99).all():
            ends = (
                "It ended with all mass on one class: it is not proper, and its "
                "probabilities mean nothing."
            )
        else:
            worst = int(np.abs(self.ends - self.frequencies).sum(-1).argmax())
            f, end = _list(self.frequencies[worst]), _list(self.ends[worst])
            ends = f"It is not proper: labels of frequencies {f} ended at {end}."
        feels = "costs" if self.feels_distance else "does not always cost"
        wrong = "keeps pushing" if self.push_when_wrong > 0.1 else "goes flat"
        return (
            f"{self.name}: {ends} Wrong mass {feels} more the farther it is from the "
            f"truth. Where the network is confident and wrong, it {wrong}."
        )


def examine(
    loss: LossFunction, n_classes: int = 5, ground: Ground | None = None
) -> Examination:
    """Try a loss out: is it proper, does it feel distance, does it go flat?

    It finds by descent where training ends on three kinds of labels (a bell, a U, a
    slope), moves mass to and fro around each class, and looks at a confident mistake.
    What holds in these tries need not hold always: it is evidence, not a proof. Of a
    thousand classes it would take long; five show it.

    Args:
        loss: Any function of logits and class indices that gives one value per row; a
            criterion needs `reduction="none"`.
        n_classes: How many classes to try it on, at least 3.
        ground: How far apart the classes are, to judge by; and passed to the loss as
            its third argument, if given. `Line.regular(n_classes)` by default.

    Raises:
        ValueError: If the loss does not give one value per row.

    >>> from offby.losses import wasserstein
    >>> print(examine(wasserstein))
    wasserstein: It ended with all mass on one class: it is not proper, and its \
probabilities mean nothing. Wrong mass costs more the farther it is from the truth. \
Where the network is confident and wrong, it goes flat.
    """
    if n_classes < 3:
        raise ValueError(
            f"n_classes must be at least 3, got {n_classes}; of two classes there is "
            "one distance only"
        )
    settings = () if ground is None else (ground,)
    on = ground or Line.regular(n_classes)

    def rows(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return loss(z, y, *settings)

    k = np.arange(n_classes)
    middle = (n_classes - 1) / 2
    shapes = (
        np.exp(-((k - middle) ** 2) / n_classes),
        0.2 + np.abs(k - middle) ** 2 / middle**2,
        np.exp(-k / 2) + 0.05,
    )
    frequencies = np.array([shape / shape.sum() for shape in shapes])
    ends = np.array([settles_at(loss, f, ground) for f in frequencies])
    bias = float(np.abs(ends - frequencies).sum(-1).max() / 2)
    wrong = torch.zeros(n_classes, dtype=torch.float64)
    wrong[0] = 20.0
    last = torch.tensor(n_classes - 1)
    confident, even = (
        anatomy(rows, z[None], last[None]).pushes[0, -1].item()
        for z in (wrong, torch.zeros_like(wrong))
    )
    return Examination(
        _name_of(loss),
        frequencies,
        ends,
        bias,
        _feels_distance(rows, on),
        confident / even if even else 0.0,
    )


def _feels_distance(rows: Callable[..., torch.Tensor], on: Ground) -> bool:
    """Whether a swap of mass with a class farther from the truth never costs less."""
    cost = on.cost.cpu()
    n_classes = len(cost)
    costs_more = []
    for y in range(n_classes):
        for near in range(n_classes):
            for far in range(n_classes):
                if y == near or not cost[near, y] < cost[far, y] * (1 - 1e-9):
                    continue
                p = torch.full((n_classes,), 0.05, dtype=torch.float64)
                p[y], p[near] = 0.5, 0.35
                swapped = p.clone()
                swapped[[near, far]] = p[[far, near]]
                z = torch.stack([p, swapped]).log()
                here, there = rows(z, torch.tensor([y, y])).tolist()
                costs_more.append(there > here + 1e-9 * abs(here))
    return all(costs_more)


def _name_of(loss: Any) -> str:
    while isinstance(loss, functools.partial):
        loss = loss.func
    return getattr(loss, "__name__", None) or type(loss).__name__


def _list(masses: np.ndarray) -> str:
    return "[" + ", ".join(f"{mass:.2f}" for mass in masses) + "]"
