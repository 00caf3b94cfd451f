"""Scores of classes that lie on a circle, a tree, or at any costs."""

import numpy as np

from offby import metrics
from offby.comparison.problem import Fold
from offby.grounds import Ground, neighbors
from offby.tabular.class_ground import least_expected


def ground_rows(fold: Fold, probs: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of class probabilities, rows x classes, by the distances of the ground.

    They are those of a line with its distances in their place: the best guess is the
    class of the least expected distance, and far is beyond a neighbor.
    """
    ground, y = fold.ground, fold.test.y
    assert ground is not None
    guess = least_expected(probs, ground)
    cost = ground.cost.cpu().numpy()
    near = neighbors(ground).numpy()
    return {
        "rps": metrics.rows.ranked_probability_score(y, probs, ground=ground),
        "log_score": metrics.rows.log_score(y, probs),
        "mae": cost[guess, y],
        "qwk": kappa_rows(cost, y, guess, fold.test.row_weights()),
        "accuracy": (probs.argmax(-1) == y).astype(float),
        "far": ((guess != y) & ~near[y, guess]).astype(float),
    }


def kappa_rows(
    cost: np.ndarray, y: np.ndarray, guess: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Kappa by squared distances, plus what each row adds to it, which has mean zero.

    Kappa is 1 - N / D: N is the mean squared distance of guess and truth, and D that of
    guesses dealt out anew. Both are means, so the delta method gives the part of each
    row. On a line at 0, 1, 2, ... it is the quadratic weighted kappa.
    """
    square = cost**2
    share = weight / weight.sum()
    true, guessed = (np.bincount(k, share, len(cost)) for k in (y, guess))
    if (guessed > 0).sum() == 1:
        return np.zeros(len(y))  # as good as chance, whatever the rows are
    off = square[guess, y]
    missed, chance = off @ share, guessed @ square @ true
    if not chance:
        return np.ones(len(y))
    # A row meets every other one twice: with its own truth, and with its own guess.
    dealt = (guessed @ square)[y] + (square @ true)[guess]
    kappa = 1 - missed / chance
    added = missed / chance**2 * (dealt - 2 * chance) - (off - missed) / chance
    return kappa + added


def spread_on(ground: Ground, probs: np.ndarray) -> np.ndarray:
    """Root of half the mean squared distance of two draws, for each row.

    On a line it is the standard deviation.
    """
    square = ground.cost.cpu().numpy() ** 2
    return np.sqrt(np.maximum(0, ((probs @ square) * probs).sum(-1) / 2))


def apart_on(ground: Ground, probs: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Energy distance of two forecasts of each row: half of it is a squared EMD."""
    gap = probs - others
    return np.maximum(0, -((gap @ ground.cost.cpu().numpy()) * gap).sum(-1))
