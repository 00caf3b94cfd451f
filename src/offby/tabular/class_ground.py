"""How far apart the classes of an `OrdinalClassifier` are, and decisions by it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from offby.grounds import Circle, Costs, Ground, Line, Tree


def class_ground(
    given: Any, n_classes: int, labels: Sequence[Any] | None = None
) -> Ground:
    """The ground that a setting stands for, in the unit of neighboring classes.

    The largest distance becomes K - 1, as it is of classes at 0, 1, 2, ...: so a sum
    such as `ce+emd2` means the same whatever the unit of the distances.

    Args:
        given: A ground, positions of the classes, or None.
        n_classes: How many classes there are.
        labels: What they are called, in the order of their codes, if known.

    Raises:
        ValueError: If the number of classes differs, or a tree names the same classes
            in another order.
    """
    if given is None:
        return Line.regular(n_classes)
    ground = given if isinstance(given, Line | Circle | Tree | Costs) else Line(given)
    if ground.n_classes != n_classes:
        raise ValueError(
            f"ground must hold {n_classes} classes, one for each of categories in "
            f"their order, got {ground.n_classes}"
        )
    if isinstance(ground, Tree) and labels is not None:
        check_order(ground, labels, "categories")
    if isinstance(ground, Costs) and not bool((ground.cost == ground.cost.T).all()):
        raise ValueError(
            "ground must have the same cost for both directions of a mistake, got "
            "asymmetric costs; train on symmetric ones, and decide by "
            "predict_proba(X) @ costs"
        )
    widest = max(1, n_classes - 1)
    # Rounding must not change classes that are in this unit already.
    if isinstance(ground, Line) and float(ground.positions.diff().sum()) == widest:
        return ground
    return scaled(ground.normalized(), widest)


def check_order(tree: Tree, labels: Sequence[Any], argument: str) -> None:
    """Refuse a tree that holds the same names in another order.

    A label may be the whole path of a class, or the end of it.

    Args:
        tree: The ground of the classes.
        labels: What they are called, in the order of their codes.
        argument: Where these names were given.
    """
    leaves, found = tree.leaves, []
    for label in map(str, labels):
        ends = (f"/{label}", f".{label}")
        fits = [leaf for leaf in leaves if leaf == label or leaf.endswith(ends)]
        if len(fits) != 1:
            return  # named otherwise: the order is the user's word
        found += fits
    for k, (leaf, own) in enumerate(zip(found, leaves, strict=True)):
        if leaf != own:
            raise ValueError(
                f"ground must hold the classes in the order of {argument}, but class "
                f"{k} is {str(labels[k])!r} of {argument} and {own!r} of the tree; "
                f"pass ground=tree.ordered([{found[0]!r}, ...]), or "
                f"{argument}=[...] in the order of the tree"
            )


def least_expected(probs: np.ndarray, ground: Ground) -> np.ndarray:
    """The class of the least expected distance for each row; the first of equal ones.

    On a line it is the median.
    """
    expected = expected_distances(probs, ground)
    # Rounding must not choose between equal ones.
    near = expected.min(-1, keepdims=True) * (1 + 1e-12) + 1e-12 * _reach(ground)
    return (expected <= near).argmax(-1)


def expected_distances(probs: np.ndarray, ground: Ground) -> np.ndarray:
    """Expected distance of each class from the true one: rows x classes.

    In a tree without a K x K matrix: an edge counts for a class with the mass on its
    other side.
    """
    if not isinstance(ground, Tree):
        return probs @ ground.cost.cpu().numpy().T
    cuts = ground.cuts
    order, start, end, weights = (
        part.cpu().numpy() for part in (cuts.order, cuts.start, cuts.end, cuts.weights)
    )
    sums = np.pad(probs[:, order], ((0, 0), (1, 0))).cumsum(-1)
    below = sums[:, end] - sums[:, start]
    # From outside an edge all that is below it, from below all that is not.
    gained = weights * (sums[:, -1:] - 2 * below)
    steps = np.zeros(sums.shape[::-1])
    np.add.at(steps, start, gained.T)
    np.add.at(steps, end, -gained.T)
    expected = np.empty_like(probs)
    expected[:, order] = steps.cumsum(0)[:-1].T + (below @ weights)[:, None]
    return expected


def _reach(ground: Ground) -> float:
    """A distance that is not much smaller than the largest one."""
    if not isinstance(ground, Tree):
        return float(ground.cost.max())
    first = torch.zeros((), dtype=torch.int64, device=ground.order.device)
    return float(ground.cost_to(first).max())


def check_calibration(calibration: str | None, ground: Any) -> None:
    """Refuse a correction of cumulative probabilities where classes have no order.

    Raises:
        ValueError: If it is isotonic, and the ground a circle, a tree or costs.
    """
    if calibration == "isotonic" and isinstance(ground, Circle | Tree | Costs):
        kind = {Circle: "a circle", Tree: "a tree", Costs: "costs"}[type(ground)]
        raise ValueError(
            'calibration="isotonic" corrects the probability of all classes up to one, '
            f"and on {kind} no class is the lowest; use temperature, or None"
        )


def ground_of(estimator: Any) -> Ground | None:
    """How far apart the classes of an estimator are, if that was said by a ground."""
    given = getattr(estimator, "ground", None)
    return given if isinstance(given, Line | Circle | Tree | Costs) else None


def scaled(ground: Ground, factor: float) -> Line | Circle | Tree | Costs:
    """The ground with all distances times a factor."""
    match ground:
        case Line():
            return Line(ground.positions * factor)
        case Circle():
            at, period = ground.positions * factor, ground.period * factor
            return Circle(at, period, ground.distance)
        case Tree():
            return Tree(ground.parents, ground.lengths * factor, ground.names)
        case _:
            return Costs(ground.cost * factor)
