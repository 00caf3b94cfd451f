"""Positive curvatures of the losses by the raw outputs, in NumPy. See docs/boosting.md.

Trees ask for one number for each output. The Gauss-Newton matrix M of a row is positive
semidefinite; three diagonals stand for it.
"""

from typing import Literal, get_args

import numpy as np

from offby.boosting import _rows
from offby.boosting._rows import Forecast
from offby.boosting._terms import Terms

Curvature = Literal["gauss-newton", "gershgorin", "variance"]
"""The diagonal of M; a diagonal that majorizes M; a bound of the diagonal."""

CURVATURES = get_args(Curvature)


def curvature(
    kind: Curvature, at: Forecast, moves: np.ndarray, terms: Terms
) -> np.ndarray:
    """A positive number for each raw output: rows x outputs."""
    pull = _rows.apart(at, moves)
    spread = moves - (at.p[:, None] * moves).sum(-1, keepdims=True)
    match kind:
        case "gauss-newton":
            return _gauss_newton(at, moves, pull, spread, terms)
        case "gershgorin":
            return _gershgorin(at, moves, pull, spread, terms)
        case "variance":
            return _variance(at, pull, spread, terms)
    raise ValueError(f"curvature must be one of {', '.join(CURVATURES)}, got {kind!r}")


def _gauss_newton(
    at: Forecast,
    moves: np.ndarray,
    pull: np.ndarray,
    spread: np.ndarray,
    terms: Terms,
) -> np.ndarray:
    """Diagonal of M."""
    found = terms.cross_entropy * (pull * spread).sum(-1)
    runs, means = _rows.changes(at, moves, terms)
    found += runs**2 @ (2 * terms.squares) + (runs * means) @ terms.logs
    found += 4 * (runs[..., 1:] * runs[..., :-1]) @ terms.between
    if terms.convex is not None:
        found += ((pull @ terms.convex) * pull).sum(-1)
    return found


def _gershgorin(
    at: Forecast,
    moves: np.ndarray,
    pull: np.ndarray,
    spread: np.ndarray,
    terms: Terms,
) -> np.ndarray:
    """Sums over each row of M of bounds of its absolute values: they majorize M."""
    total = np.abs(spread).sum(1, keepdims=True)
    found = terms.cross_entropy * (np.abs(pull) * total).sum(-1)
    runs, means = map(np.abs, _rows.changes(at, moves, terms))
    whole = runs.sum(1)
    met = whole * 2 * terms.squares
    met[:, 1:] += 2 * terms.between * whole[:, :-1]
    met[:, :-1] += 2 * terms.between * whole[:, 1:]
    found += (runs * met[:, None]).sum(-1)
    found += (means * (terms.logs * whole)[:, None]).sum(-1)
    if terms.convex is not None:  # |M_lm| <= sqrt(M_ll M_mm)
        root = np.sqrt(np.maximum(((pull @ terms.convex) * pull).sum(-1), 0))
        found += root * root.sum(-1, keepdims=True)
    return found


def _variance(
    at: Forecast, pull: np.ndarray, spread: np.ndarray, terms: Terms
) -> np.ndarray:
    """The variance of the move of each output, times the most that it can count.

    By Cauchy and Schwarz a run's change is at most the root of the variance times
    the root of inside x outside.
    """
    both = np.sqrt(at.inside * at.outside)
    most = terms.cross_entropy + (both**2) @ (2 * terms.squares)
    most += terms.logs.sum()
    most += 4 * (both[:, 1:] * both[:, :-1]) @ terms.between
    if terms.convex is not None:
        own = terms.convex.diagonal()
        most += at.p @ own - ((at.p @ terms.convex) * at.p).sum(-1)
    return most[:, None] * (pull * spread).sum(-1)
