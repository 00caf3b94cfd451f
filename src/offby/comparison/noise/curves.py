"""How predictions and scores of each loss change with the strength of the noise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from offby.comparison.fits import Fit, Forecaster
from offby.comparison.ground_scores import apart_on
from offby.comparison.networks import Design
from offby.comparison.noise.perturb import (
    FOLDS,
    INPUTS,
    Perturbation,
    noisy_inputs,
    unchanged_level,
)
from offby.comparison.problem import Fold, Problem
from offby.comparison.scheduler import FitKey
from offby.comparison.scoring import judge, pit_reached
from offby.comparison.tails import evened
from offby.losses.registry import NamedLoss
from offby.results import Metric, Noise


def curves(
    problem: Problem,
    losses: Sequence[NamedLoss],
    metrics: Sequence[Metric],
    found: Sequence[Perturbation],
    design: Design,
    fits: Mapping[FitKey, Fit],
) -> tuple[Noise, ...]:
    """How far the predictions of each loss move, and its scores with them.

    Losses that were not trained under noise, because they are worse without, have none.
    """
    kinds = list(dict.fromkeys(perturbation.kind for perturbation in found))
    keys = [metric.key for metric in metrics]
    noises = []
    networks = [Forecaster.of(fold, design) for fold in problem.folds]
    for loss in losses:
        if not all((each.method(loss), 0, 0) in fits for each in found):
            continue
        base = [(f, fits[str(loss), f.number, 0]) for f in problem.folds]
        for kind in kinds:
            levels, points = (
                [unchanged_level(kind)],
                [_point(base[:FOLDS], base[:FOLDS])],
            )
            for perturbation in found:
                if perturbation.kind == kind:
                    name = perturbation.method(loss)
                    now = [(f, fits[name, f.number, 0]) for f in perturbation.folds]
                    levels.append(perturbation.level)
                    points.append(_point(base[:FOLDS], now))
            noises.append(_noise(kind, loss, levels, points, keys))
        levels, points = [0.0], [_point(base, base)]
        for level in INPUTS:
            levels.append(level)
            points.append(_point(base, _with_noisy_inputs(base, networks, level)))
        noises.append(_noise("inputs", loss, levels, points, keys))
    return tuple(noises)


Pair = tuple[Fold, Fit]
Point = tuple[float, dict[str, float | None], float | None]
"""How far predictions moved, the scores, and the largest distance of the PIT, if there
is one."""


def _point(base: Sequence[Pair], now: Sequence[Pair]) -> Point:
    moved = [
        np.average(
            wasserstein_rows(before, fit.probs, fold, other.probs),
            weights=before.test.weight,
        )
        for (before, fit), (fold, other) in zip(base, now, strict=True)
    ]
    judged = [judge(fold, fit) for fold, fit in now]
    scores = {}
    for key in judged[0]:
        values = [part[key] for part in judged]
        known = [value for value, infinite in values if value is not None]
        finite = len(known) == len(values) and not sum(n for _, n in values)
        scores[key] = float(np.mean(known)) if finite else None
    # On a circle, a tree or at costs nothing lies below a class.
    gap = _largest_gap(now) if base[0][0].ground is None else None
    return float(np.mean(moved)), scores, gap


def _largest_gap(now: Sequence[Pair]) -> float:
    """Largest distance of the share of PIT values from their level."""
    levels = np.linspace(0, 1, 41)
    reached = np.concatenate([pit_reached(fold, f.probs, levels) for fold, f in now])
    weights = np.concatenate([fold.test.row_weights() for fold, _ in now])
    return float(np.abs(np.average(reached, axis=0, weights=weights) - levels).max())


def _noise(kind, loss, levels, points: Sequence[Point], keys) -> Noise:
    order = np.argsort(levels, kind="stable")
    ordered = [points[i] for i in order]
    return Noise(
        kind=kind,
        method=str(loss),
        levels=tuple(float(levels[i]) for i in order),
        moved=tuple(moved for moved, _, _ in ordered),
        scores={key: tuple(scores[key] for _, scores, _ in ordered) for key in keys},
        miscalibration=tuple(gap for _, _, gap in ordered if gap is not None),
    )


def wasserstein_rows(
    fold: Fold, probs: np.ndarray, other: Fold, others: np.ndarray
) -> np.ndarray:
    """Wasserstein-1 distance of two forecasts of each row, in units of the target.

    Off the line it is the energy distance, which needs no solver.
    """
    if fold.ground is not None:
        return apart_on(fold.ground, probs, others)
    if fold.bins is None or other.bins is None:
        gaps = np.diff(fold.positions)
        return np.abs((probs - others).cumsum(-1)[:, :-1]) @ gaps
    even = [evened(fold.bins, probs), evened(other.bins, others)]
    x = np.union1d(*(edges for edges, _ in even))
    below = [
        np.stack([np.interp(x, edges, row) for row in _cumulative(masses)])
        for edges, masses in even
    ]
    gap = below[0] - below[1]
    left, right = gap[:, :-1], gap[:, 1:]
    whole = np.abs(left) + np.abs(right)
    # The difference is linear between the edges, and may change its sign there.
    crossed = (left**2 + right**2) / np.maximum(whole, np.finfo(float).tiny)
    return (np.where(left * right < 0, crossed, whole) / 2) @ np.diff(x)


def _cumulative(probs: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((len(probs), 1)), probs.cumsum(-1)], -1)


def _with_noisy_inputs(
    base: Sequence[Pair], networks: Sequence[Forecaster], level: float
) -> list[Pair]:
    pairs = []
    for (fold, fit), network in zip(base, networks, strict=True):
        outputs = network.probs(fit.tensors, noisy_inputs(fold, level))
        pairs.append((fold, replace(fit, form="probs", outputs=outputs)))
    return pairs
