"""Classes that lie on no line: what `compare` takes, and what it says of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from offby.comparison.config import CompareConfig
from offby.grounds import Circle, Costs, Ground, Line, Tree
from offby.tabular.class_ground import check_order

_NEEDS_CUTS = "cce"
"""Its cuts are those of a line or a tree."""


def checked_ground(ground: Any, positions: Any, config: CompareConfig) -> Ground | None:
    """The ground that was given, if the rest of the call allows it.

    Raises:
        TypeError: If it is no ground.
        ValueError: If the target is a number, or there are positions besides.
    """
    if ground is None:
        return None
    if not isinstance(ground, Line | Circle | Tree | Costs):
        raise TypeError(
            "ground must be a Line, Circle, Tree or Costs, got "
            f"{type(ground).__name__}; positions=[...] takes a list of numbers"
        )
    if config.kind == "number":
        raise ValueError(
            'ground is for classes, got kind="number", whose bins lie on a line; leave '
            "it out"
        )
    if positions is not None:
        raise ValueError(
            "ground and positions both say how far apart the classes are; give one of "
            "them"
        )
    if isinstance(ground, Costs) and not bool((ground.cost == ground.cost.T).all()):
        raise ValueError(
            "ground must have the same cost for both directions of a mistake, got "
            "asymmetric costs; train on symmetric ones, and decide by the asymmetric "
            "ones: predict_dist(X).decide(costs)"
        )
    return ground


def losses_on(losses: Sequence[Any], ground: Ground | None) -> Sequence[Any]:
    """The losses that are defined there.

    The cumulative cross-entropy is left out of the default losses where it has no cuts.

    Raises:
        ValueError: If it was asked for.
    """
    if not isinstance(ground, Circle | Costs):
        return losses
    if tuple(losses) == CompareConfig.losses:
        return [name for name in losses if name != _NEEDS_CUTS]
    for loss in CompareConfig(losses=losses).named_losses():
        if any(entry.name == _NEEDS_CUTS for _, entry in loss.terms):
            kind = "a circle" if isinstance(ground, Circle) else "costs"
            raise ValueError(
                f"the loss {loss} needs a line or a tree, whose cuts it sums over, got "
                f"{kind}; use emd2, which is proper there too, or ce"
            )
    return losses


def places_on(
    ground: Ground, y: np.ndarray, labels: Sequence[str] | None, config: CompareConfig
) -> tuple[float, ...]:
    """A number for each class: around a circle, else 0, 1, 2, ...

    Raises:
        ValueError: If the ground has another number of classes, or is a tree that
            names them in another order.
    """
    n_classes, known = ground.n_classes, int(y.max()) + 1
    if n_classes < known or (labels is not None and n_classes != len(labels)):
        raise ValueError(
            f"ground must have {max(known, len(labels or ()))} classes, as the target "
            f"has, in their order, got {n_classes}; give one for each"
        )
    if isinstance(ground, Tree) and labels is not None:
        check_order(ground, labels, "labels")
    if isinstance(ground, Circle):
        return tuple(ground.positions.tolist())
    return tuple(map(float, range(n_classes)))


def notes_on(
    ground: Ground | None, asked: Sequence[Any], losses: Sequence[Any]
) -> tuple[str, ...]:
    """What a reader must know of a comparison on this ground, a sentence each.

    Args:
        ground: Where the classes lie; None on a line.
        asked: The losses of the call.
        losses: Those that `losses_on` kept.
    """
    if ground is None:
        return ()
    notes = [
        f"The distances of the classes are those of {said_of(ground)}. What needs "
        "classes in a row is left out: calibration of cumulative probabilities, "
        "intervals, bias by region, and the reasons from our study."
    ]
    if ground.negative_type == "no":
        notes.append(
            "These distances are not of negative type. The energy score and emd2 may "
            "therefore prefer a forecast other than the true probabilities. Compare by "
            "the log score and the mean distance."
        )
    elif ground.negative_type == "weak" and not isinstance(ground, Tree):
        notes.append(
            "With these distances the energy score is proper, but not strictly: some "
            "different forecasts have the same score. The log score tells them apart."
        )
    if len(losses) < len(asked):
        notes.append("The loss cce was left out: it needs a line or a tree.")
    return tuple(notes)


def said_of(ground: Ground) -> str:
    """The ground in words.

    >>> said_of(Circle.regular(24))
    'a circle of period 24'
    """
    match ground:
        case Circle():
            way = "" if ground.distance == "arc" else ", along chords"
            return f"a circle of period {float(ground.period):g}{way}"
        case Tree():
            return f"a tree, at most {float(ground.cost.max()):g} apart"
        case Line():
            return "a line"
        case _:
            return "the costs of each mistake"
