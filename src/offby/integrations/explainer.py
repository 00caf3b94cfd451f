"""The explainer page on one's own logits: docs/integrations.md."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from offby import explain
from offby._checks import on_host
from offby.bins import Bins
from offby.grounds import Circle, Line

__all__ = ["Logits", "page"]

Logits: TypeAlias = Tensor | ArrayLike
_MOST_ROWS = 50
"""Of which the page offers a choice."""


def page(
    logits: Logits | Mapping[str, Logits],
    target: Logits,
    ground: Line | Circle | Bins | None = None,
    *,
    labels: Sequence[str] | None = None,
    name: str = "your rows",
) -> str:
    """The page on which to drag the mass of one's own forecasts, as one HTML file.

    It shows the first 50 rows, and opens on the one on which two losses differ most.

    Args:
        logits: rows x classes, or those of one row; or a dict of them, by the loss that
            each was trained with, as {"ce": ..., "ce+emd2": ...}. Logits alone are
            taken for those of "ce".
        target: The class of each row, or its number if `ground` is `Bins`.
        ground: Where the classes lie; by default on a line, one apart.
        labels: Names of the classes; by default numbers from 0, or the bins' bounds.
        name: Of the data, for the page.

    Raises:
        TypeError: If the ground is another one.
        ValueError: If shapes do not fit, logits hold NaN, or there are more than 300
            classes.

    >>> from offby import Line
    >>> html = page([[2.0, 1.0, 0.0]], [1], Line([0, 1, 5]))
    >>> html.startswith("<!doctype html>")
    True
    """
    by_loss = logits if isinstance(logits, Mapping) else {"ce": logits}
    if not by_loss:
        raise ValueError('logits must hold those of a loss, as {"ce": ...}, got none')
    masses = {loss: _masses(loss, given) for loss, given in by_loss.items()}
    first, rows = next(iter(masses.items()))
    shape = rows.shape
    for loss, each in masses.items():
        if each.shape != shape:
            raise ValueError(
                f"logits of all losses must be of one shape, got {shape} of {first} "
                f"and {each.shape} of {loss}"
            )
    if not 2 <= shape[1] <= explain.MOST_BINS:
        raise ValueError(
            f"the page draws 2 to {explain.MOST_BINS} classes, got {shape[1]:,}"
        )
    places = _places(ground, shape[1], labels)
    index, value = _truth(target, shape[0], ground, places["positions"])
    disputed = _most_disputed(list(masses.values()))
    return explain.fill(
        places
        | {
            "name": name,
            "target": "the target",
            "measure": {"unit": 1.0, "edges": places["edges"], "scale": ""},
            "rows": [
                {
                    "why": "most disputed" if row == disputed else "as given",
                    "number": row,
                    "true": int(index[row]),
                    "value": float(value[row]),
                    "onScale": float(value[row]),
                    "probs": {
                        loss: each[row].tolist() for loss, each in masses.items()
                    },
                }
                for row in range(min(shape[0], _MOST_ROWS))
            ],
        }
    )


def _masses(loss: str, logits: Logits) -> np.ndarray:
    """Probabilities, rows x classes."""
    scores = np.atleast_2d(np.asarray(on_host(logits), np.float64))
    if scores.ndim != 2 or not scores.size:
        raise ValueError(
            f"logits must be rows x classes, got shape {scores.shape} of {loss}; take "
            "the rows that you want to see"
        )
    top = scores.max(axis=1)
    if not np.isfinite(top).all() or np.isnan(scores).any():
        row = int(np.argmax(~np.isfinite(top) | np.isnan(scores).any(axis=1)))
        raise ValueError(
            f"logits must be numbers without NaN, got {scores[row].tolist()} in row "
            f"{row} of {loss}"
        )
    return torch.softmax(torch.from_numpy(scores), -1).numpy()


def _places(
    ground: Any, n_classes: int, labels: Sequence[str] | None
) -> dict[str, Any]:
    """Where the classes lie and what they are called, as the page reads it."""
    ground = Line.regular(n_classes) if ground is None else ground
    if not isinstance(ground, (Line, Circle, Bins)):
        raise TypeError(
            "the page draws classes on a Line or a Circle and numbers in Bins, got "
            f"{type(ground).__name__}"
        )
    known = ground.n_bins if isinstance(ground, Bins) else ground.n_classes
    if known != n_classes:
        raise ValueError(
            f"logits must have a column for each class, got {n_classes} columns for "
            f"{known} classes"
        )
    edges, tails, circle = [], "none", None
    if isinstance(ground, Bins):
        edges, tails = ground.edges.tolist(), ground.tails
        if ground.wraps:
            raise TypeError(
                "the page draws bins on a line, got bins on a circle; give it "
                "bins.circle() and the index of each bin as the target"
            )
        positions = ground.centers.tolist()
        names = [f"{a:g} to {b:g}" for a, b in pairwise(edges)]
    else:
        positions = ground.positions.tolist()
        names = [str(k) for k in range(n_classes)]
        if isinstance(ground, Circle):
            circle = {"period": float(ground.period), "distance": ground.distance}
    if labels is not None and len(labels) != n_classes:
        raise ValueError(
            f"labels must be a name for each of {n_classes} classes, got {len(labels)}"
        )
    return {
        "kind": "number" if edges else "classes",
        "labels": names if labels is None else [str(label) for label in labels],
        "positions": positions,
        "edges": edges,
        "tails": tails,
        "circle": circle,
    }


def _truth(
    target: Logits, n_rows: int, ground: Any, positions: list[float]
) -> tuple[np.ndarray, np.ndarray]:
    """The true class of each row, and its number."""
    given = np.atleast_1d(np.asarray(on_host(target)))
    if given.shape != (n_rows,):
        raise ValueError(
            f"target must be one for each of {n_rows} rows, got shape {given.shape}"
        )
    if isinstance(ground, Bins):
        if not np.isfinite(given).all():
            raise ValueError("target must be finite numbers, got NaN or infinity")
        numbers = torch.as_tensor(given, dtype=torch.float64)
        return ground.index(numbers).numpy(), given
    index = given.astype(np.int64)
    if (index != given).any() or index.min() < 0 or index.max() >= len(positions):
        raise ValueError(
            f"target must be classes from 0 to {len(positions) - 1}, got "
            f"{given[(index != given) | (index < 0) | (index >= len(positions))][0]}; "
            "numbers want Bins as the ground"
        )
    return index, np.asarray(positions)[index]


def _most_disputed(masses: list[np.ndarray]) -> int | None:
    """The row of the page whose forecasts differ most; None of one loss."""
    shown = [each[:_MOST_ROWS].cumsum(axis=1) for each in masses]
    apart = sum(np.abs(each - shown[0]).sum(axis=1) for each in shown)
    return int(np.argmax(apart)) if len(masses) > 1 else None
