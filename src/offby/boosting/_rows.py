"""Loss, gradient and curvature of rows in NumPy: the specification of the kernel.

Theory: docs/boosting.md, whose letters these functions use.
"""

from dataclasses import dataclass

import numpy as np

from offby.boosting._target import Target
from offby.boosting._terms import Terms

_LEAST = 1e-300
"""A mass that underflowed, where a loss divides by it."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """Masses of rows, and their misses of the truth in every run of classes."""

    log_p: np.ndarray
    p: np.ndarray
    inside: np.ndarray
    """Mass of each run: rows x runs."""
    outside: np.ndarray
    """Mass beside it: a sum of its own, as 1 - inside would lose a small tail."""


def forecast(scores: np.ndarray, terms: Terms) -> Forecast:
    """Masses of rows from their scores."""
    log_p = scores - np.logaddexp.reduce(scores, -1, keepdims=True)
    p = np.exp(log_p)
    return Forecast(log_p, p, run_sums(p, terms), sums_beside(p, terms))


def holds(target: Target, terms: Terms) -> np.ndarray:
    """Whether each run holds the true class: rows x runs."""
    rank = np.argsort(terms.order)[target.index][:, None]
    return (terms.start <= rank) & (rank < terms.end)


def loss(at: Forecast, target: Target, terms: Terms) -> np.ndarray:
    """Loss of each row."""
    rows = np.arange(len(target))
    held = holds(target, terms)
    e = np.where(held, -at.outside, at.inside)
    found = -terms.cross_entropy * at.log_p[rows, target.index]
    found += e**2 @ terms.squares + 2 * (e[:, 1:] * e[:, :-1]) @ terms.between
    right = np.where(held, at.inside, at.outside)
    found -= np.log(np.maximum(right, _LEAST)) @ terms.logs
    if terms.numbers:
        found += 2 * (e * _beside(target, e.shape[1])).sum(-1) * terms.numbers
    if terms.distance is not None:
        miss = _miss(at.p, target)
        found -= ((miss @ terms.distance) * miss).sum(-1) / 2
    return found + loss_of_number(target, terms)


def loss_of_number(target: Target, terms: Terms) -> np.ndarray | float:
    """What the loss of a row owes to its number alone, whatever the forecast."""
    found = 0.0
    if terms.log_density:
        assert target.log_density is not None
        found = found - terms.log_density * target.log_density
    if terms.numbers:
        assert target.rest is not None
        found = found + terms.numbers * target.rest
    return found


def gradient(
    at: Forecast, moves: np.ndarray, target: Target, terms: Terms
) -> np.ndarray:
    """Derivative of the loss by each raw output: rows x outputs."""
    held = holds(target, terms)
    e = np.where(held, -at.outside, at.inside)
    slope = 2 * terms.squares * e
    slope[:, 1:] += 2 * terms.between * e[:, :-1]
    slope[:, :-1] += 2 * terms.between * e[:, 1:]
    if terms.numbers:
        slope += 2 * terms.numbers * _beside(target, e.shape[1])
    pull = apart(at, moves)
    change, means = changes(at, moves, terms)
    found = (change * slope[:, None]).sum(-1)
    found += (means * (terms.logs * e)[:, None]).sum(-1)
    if terms.cross_entropy:
        true = np.broadcast_to(moves, pull.shape)[
            np.arange(len(target)), :, target.index
        ]
        found += terms.cross_entropy * (_mean(at, moves)[..., 0] - true)
    if terms.distance is not None:
        found -= (pull * (_miss(at.p, target) @ terms.distance)[:, None]).sum(-1)
    return found


def apart(at: Forecast, moves: np.ndarray) -> np.ndarray:
    """Derivative of the masses by each raw output: rows x outputs x classes."""
    return at.p[:, None] * (moves - _mean(at, moves))


def changes(
    at: Forecast, moves: np.ndarray, terms: Terms
) -> tuple[np.ndarray, np.ndarray]:
    """Derivative of each run's mass by each raw output: rows x outputs x runs.

    And, for logarithms, how far the mean move inside the run lies above that outside.
    The derivative is their product with both masses, but neither can be had from the
    other where a mass is next to nothing.
    """
    if not terms.logs.any():
        found = run_sums(apart(at, moves), terms)
        return found, np.zeros_like(found)
    moved = at.p[:, None] * moves
    inside, outside = at.inside[:, None], at.outside[:, None]
    means = run_sums(moved, terms) / np.maximum(inside, _LEAST)
    means -= sums_beside(moved, terms) / np.maximum(outside, _LEAST)
    return inside * outside * means, means


def sums_beside(masses: np.ndarray, terms: Terms) -> np.ndarray:
    """Sum of all classes but those of each run, with nothing subtracted."""
    before = _sums(masses[..., terms.order])
    after = _sums(masses[..., terms.order[::-1]])[..., ::-1]
    return before[..., terms.start] + after[..., terms.end]


def run_sums(masses: np.ndarray, terms: Terms) -> np.ndarray:
    """Sum over each run: the last axis, classes, becomes runs."""
    if terms.members is not None:
        return masses @ terms.members.T
    sums = _sums(masses[..., terms.order])
    return sums[..., terms.end] - sums[..., terms.start]


def _mean(at: Forecast, moves: np.ndarray) -> np.ndarray:
    return (at.p[:, None] * moves).sum(-1, keepdims=True)


def _miss(p: np.ndarray, target: Target) -> np.ndarray:
    """p minus the true class, whose mass is a sum of the others'."""
    true = np.arange(p.shape[1]) == target.index[:, None]
    elsewhere = np.where(true, 0.0, p)
    return np.where(true, -elsewhere.sum(-1, keepdims=True), elsewhere)


def _beside(target: Target, n_runs: int) -> np.ndarray:
    """What the CRPS adds at the two edges of the bin that holds the number."""
    assert target.before is not None
    assert target.after is not None
    rows = np.arange(len(target))
    found = np.zeros((len(target), n_runs + 2))
    found[rows, target.index] = target.before
    found[rows, target.index + 1] = target.after
    return found[:, 1:-1]


def _sums(masses: np.ndarray) -> np.ndarray:
    """Sum before each place, and of all at the end."""
    found = np.zeros((*masses.shape[:-1], masses.shape[-1] + 1))
    np.cumsum(masses, -1, out=found[..., 1:])
    return found
