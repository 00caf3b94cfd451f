"""What each loss taught the network: rows, pushes, calibration."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Literal

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from offby.comparison.describe import grid_of, measure_of
from offby.comparison.fits import Fit, Forecaster, Tensors
from offby.comparison.ground_scores import apart_on, spread_on
from offby.comparison.networks import Design
from offby.comparison.problem import Fold, Problem
from offby.comparison.scoring import pit_reached, true_classes
from offby.grounds import Circle, Ground
from offby.losses.registry import Labels, NamedLoss
from offby.results import Calibration, Grid, Pushes, Row

Stage = Literal["start", "middle", "end"]


_A_VALLEY = 0.02
"""Two peaks with less between them are one to the eye."""


def telling_rows(
    problem: Problem, fits: dict[str, list[Fit]], labels: Sequence[str]
) -> tuple[Row, ...]:
    """Three held-out rows of the first fold, picked by rule.

    They carry the bins of that fold: those of another fold, or of the whole table, are
    others, and sometimes not as many.
    """
    fold = problem.folds[0]
    if fold.bins is None:
        grid = Grid(tuple(labels), fold.positions, ())
    else:
        grid = grid_of(fold.bins)
    grid = replace(grid, measure=measure_of(fold))
    on_scale = fold.labels(fold.test).value
    probs = {name: found[0].probs for name, found in fits.items()}
    stack = np.stack(list(probs.values()))
    mean = stack.mean(0)
    spread = _spread(mean, fold.ground)
    rules = {
        "typical": -np.abs(spread - np.median(spread)),
        "two peaks": _two_peaks(mean),
        "most disputed": _disagreement(stack, fold.ground),
    }
    # Between which peaks a valley lies is known where classes have an order.
    if fold.ground is not None or rules["two peaks"].max() < _A_VALLEY:
        del rules["two peaks"]
    picked, taken = [], set()
    for why, score in rules.items():
        at = next(int(i) for i in np.argsort(-score, kind="stable") if i not in taken)
        taken.add(at)
        picked.append(
            Row(
                why=why,
                number=int(problem.row_numbers(fold.test.numbers[at])),
                true=int(true_classes(fold)[at]),
                value=float(fold.test.y[at]),
                probs={name: tuple(map(float, p[at])) for name, p in probs.items()},
                grid=grid,
                on_scale=None if on_scale is None else float(on_scale[at]),
            )
        )
        if len(taken) == len(mean):
            break
    return tuple(picked)


def _spread(probs: np.ndarray, ground: Ground | None) -> np.ndarray:
    if ground is not None:
        return spread_on(ground, probs)
    place = np.arange(probs.shape[-1])
    return probs @ place**2 - (probs @ place) ** 2


def _two_peaks(probs: np.ndarray) -> np.ndarray:
    """Depth of the deepest valley with a peak on both sides."""
    left = np.maximum.accumulate(probs, -1)
    right = np.maximum.accumulate(probs[:, ::-1], -1)[:, ::-1]
    return (np.minimum(left, right) - probs).max(-1)


def _disagreement(stack: np.ndarray, ground: Ground | None) -> np.ndarray:
    """Mean area between the distribution functions of every two losses."""
    below = stack.cumsum(-1)
    pairs = list(combinations(range(len(stack)), 2))
    if ground is not None:  # There the energy distance.
        gaps = [apart_on(ground, stack[i], stack[j]) for i, j in pairs]
    else:
        gaps = [np.abs(below[i] - below[j]).sum(-1) for i, j in pairs]
    return np.mean(gaps, 0) if pairs else np.zeros(stack.shape[1])


def pushes(fold: Fold, loss: NamedLoss, fit: Fit, design: Design) -> tuple[Pushes, ...]:
    """Mean push on each logit at three stages of one training, on held-out rows.

    By the place of a class relative to the true one: on a circle, the shorter way
    round. Classes of a tree, or at any costs, have no such places, so there is nothing.
    """
    if fold.ground is not None and not isinstance(fold.ground, Circle):
        return ()
    start, middle = fit.earlier
    stages: dict[Stage, Tensors] = {
        "start": start,
        "middle": middle,
        "end": fit.tensors,
    }
    network = Forecaster.of(fold, design)
    inputs = torch.from_numpy(fold.inputs(fold.test))
    return tuple(
        _pushes(fold, loss, network.member_logits(tensors, inputs), stage)
        for stage, tensors in stages.items()
    )


def _pushes(fold: Fold, loss: NamedLoss, logits: Tensor, stage: Stage) -> Pushes:
    """Mean push over the held-out rows, and over the members, which learn apart."""
    logits, labels = logits.double().requires_grad_(), fold.labels(fold.test)
    value = None if labels.value is None else labels.value.expand(logits.shape[:-1])
    every = Labels(
        labels.index.expand(logits.shape[:-1]), labels.line, value, labels.bins
    )
    (grad,) = torch.autograd.grad(loss.rows(logits, every).sum(), logits)
    grad = grad.mean(0)
    n_classes = logits.shape[-1]
    offset = (np.arange(n_classes) - labels.index.numpy()[:, None]).ravel()
    if fold.ground is not None:
        offset = (offset + n_classes // 2) % n_classes - n_classes // 2
    weight = np.repeat(fold.test.row_weights(), n_classes)
    push = -weight * grad.numpy().ravel()
    total = np.bincount(offset + n_classes, push, 2 * n_classes)
    count = np.bincount(offset + n_classes, weight, 2 * n_classes)
    seen = np.flatnonzero(count)
    return Pushes(
        method=str(loss),
        stage=stage,
        offsets=tuple(int(i) - n_classes for i in seen),
        mean_push=tuple(float(total[i] / count[i]) for i in seen),
    )


def calibration(problem: Problem, name: str, fits: list[Fit]) -> Calibration:
    """PIT of all rows, each held out once, under the first seed."""
    levels = np.linspace(0, 1, 41)
    folds = {fold.number: fold for fold in problem.folds}
    first = [fit for fit in fits if fit.seed == 0]
    reached = np.concatenate(
        [pit_reached(folds[fit.fold], fit.probs, levels) for fit in first]
    )
    rows = np.concatenate([folds[fit.fold].test.numbers for fit in first])
    weight = np.ones(len(rows)) if problem.weight is None else problem.weight[rows]
    # Unequal weights tell less: as much as this many rows of equal weight (Kish).
    n_equal = max(1, round(weight.sum() ** 2 / (weight**2).sum()))
    return Calibration(
        method=name,
        levels=tuple(map(float, levels)),
        reached=tuple(map(float, np.average(reached, axis=0, weights=weight))),
        band=float(stats.kstwo.ppf(0.95, n_equal)),
    )
