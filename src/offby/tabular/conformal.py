"""Conformal intervals of numbers and of ordered classes, from validation rows."""

import numpy as np
from jaxtyping import Float, Int

from offby.weighted import WeightedSample


def conformal_coverage(
    distances: Float[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"],
    coverage: float,
) -> float:
    """The nominal coverage of central intervals that reach this coverage.

    Args:
        distances: How far from 1/2 the PIT of each validation row lies.
        weights: Weight of each of them; a weight means repetition.
        coverage: The share of new rows that is to lie inside.

    Returns:
        Twice the distance of rank ceil((n + 1) coverage), where n is the total weight:
        a new row is as likely to have any of the n + 1 ranks. 1 if that rank is n + 1.

    References:
        Chernozhukov, Wüthrich, Zhu (2021), Distributional conformal prediction,
        PNAS 118, doi:10.1073/pnas.2107794118.
    """
    return min(1.0, 2 * reach(distances, weights, coverage))


def reach(
    scores: Float[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"],
    coverage: float,
) -> float:
    """Rank ceil((n + 1) coverage) of scores, where n is the total weight.

    0 if that rank is 0, and infinity if it is n + 1.
    """
    sample = WeightedSample.of(scores, weights)
    # A product such as 0.7 * 10 may round to just above the rank.
    rank = (sample.total + 1) * coverage * (1 - 1e-12)
    if rank <= 0:
        return 0.0
    place = int(np.searchsorted(sample.weights.cumsum(), rank))
    return float("inf") if place == len(sample.values) else float(sample.values[place])


def strangeness(
    probs: Float[np.ndarray, "rows classes"],
) -> Float[np.ndarray, "rows classes"]:
    """How unlikely each class is, where no class lies in a valley between two others.

    A class counts as likely as the less likely of the best classes on its two sides,
    itself among both. So the classes below any bound are next to each other; of a
    forecast with one peak it is 1 minus the probability, the score whose sets are the
    smallest on average (Sadinle, Lei, Wasserman 2019).

    References:
        Sadinle, Lei, Wasserman (2019), Least ambiguous set-valued classifiers with
        bounded error levels, JASA 114, doi:10.1080/01621459.2017.1395341.

    >>> strangeness(np.array([[0.5, 0.1, 0.3, 0.1]])).round(1)
    array([[0.5, 0.7, 0.7, 0.9]])
    """
    below = np.maximum.accumulate(probs, axis=1)
    above = np.maximum.accumulate(probs[:, ::-1], axis=1)[:, ::-1]
    return 1 - np.minimum(below, above)


def class_range(
    probs: Float[np.ndarray, "rows classes"], bound: float
) -> Int[np.ndarray, "rows 2"]:
    """The first and the last class whose strangeness is within the bound.

    The likeliest class is always among them.

    >>> class_range(np.array([[0.5, 0.1, 0.3, 0.1], [0.4, 0.3, 0.2, 0.1]]), 0.7)
    array([[0, 2],
           [0, 1]])
    """
    strange = strangeness(probs)
    inside = strange <= np.maximum(bound, strange.min(axis=1, keepdims=True))
    last = probs.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
    return np.stack([inside.argmax(axis=1), last], axis=1)


def shortest_class_range(
    probs: Float[np.ndarray, "rows classes"], coverage: float
) -> Int[np.ndarray, "rows 2"]:
    """The first and the last of the fewest neighboring classes of this probability.

    Of several as short, those with the most.

    >>> shortest_class_range(np.array([[0.5, 0.1, 0.3, 0.1], [0, 0, 0.2, 0.8]]), 0.75)
    array([[0, 2],
           [3, 3]])
    """
    rows, classes = probs.shape
    below = np.concatenate([np.zeros((rows, 1)), probs.cumsum(axis=1)], axis=1)
    found = np.tile([0, classes - 1], (rows, 1))
    open_rows = np.arange(rows)
    for width in range(1, classes):
        mass = below[open_rows, width:] - below[open_rows, :-width]
        first = mass.argmax(axis=1)
        # A sum that is the coverage but for rounding counts.
        enough = mass.max(axis=1) >= coverage * (1 - 1e-6)
        done = open_rows[enough]
        found[done] = np.stack([first[enough], first[enough] + width - 1], axis=1)
        open_rows = open_rows[~enough]
    return found
