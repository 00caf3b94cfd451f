"""How much noise the target has, and how many rows it moves to another bin."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from offby.comparison.fits import Fit, Forecaster
from offby.comparison.networks import Design
from offby.comparison.problem import Fold, Problem
from offby.distribution.half_normal import moments
from offby.results import NoiseShare
from offby.tabular.forecasts import rows_at_once

_NEAR = 10
"""Neighbors from which the noise of a row is estimated."""


def noise_share(
    problem: Problem,
    fits: Sequence[Fit],
    design: Design,
    given: float | None = None,
) -> NoiseShare:
    """The part of rows whose class or bin would change under the noise of the target.

    The noise is given, or told by near neighbors (the Gamma test): half the mean square
    of what the targets of two rows differ by falls to the variance of the noise as the
    rows come nearer, and a line through that of the nearest, second nearest, ...
    neighbors meets distance zero there. Near is what a network takes for near: inputs
    are turned and scaled by its expected gradient outer product, so those that do not
    matter do not keep rows apart. Exact copies of rows are left out where they are the
    minority.

    References:
        Evans, Jones (2002), A proof of the Gamma test, Proc. R. Soc. A 458,
        doi:10.1098/rspa.2002.1010.
        Trivedi, Wang, Kpotufe, Shakhnarovich (2014), A consistent estimator of the
        expected gradient outerproduct, UAI.
    """
    spread = _estimated_spread(problem, fits, design) if given is None else given
    edges, y = _edges(problem)
    changed = 0.0
    if spread:
        by_row = changes(y, edges, spread).mean(-1)
        changed = np.average(by_row, weights=problem.weight)
    source = "neighbors" if given is None else "given"
    return NoiseShare(spread, float(changed), source)


def _estimated_spread(problem: Problem, fits: Sequence[Fit], design: Design) -> float:
    folds = problem.folds
    variance = float(np.mean([_variance(folds[f.fold], f, design) for f in fits]))
    if problem.kind == "classes":
        # A class stands for an interval: its rounding is no noise (Sheppard).
        gaps = np.diff(problem.positions)
        variance -= float(np.mean(gaps**2)) / 12
    return float(np.sqrt(max(0.0, variance)))


def _variance(fold: Fold, fit: Fit, design: Design) -> float:
    """Of the noise of the target, by the Gamma test in the metric of a network."""
    sides = (fold.train, fold.test)
    inputs = np.concatenate([fold.inputs(side) for side in sides]).astype(np.float64)
    y = np.concatenate([side.y for side in sides])
    value = y if fold.bins is not None else np.asarray(fold.positions)[y]
    whole = np.unique(np.column_stack([inputs, y]), axis=0, return_index=True)[1]
    rows = np.sort(whole) if 2 * len(whole) > len(y) else np.arange(len(y))
    size, turn = np.linalg.eigh(
        _gradient_outer_product(fold, fit, design, inputs[rows])
    )
    at = inputs[rows] @ (turn * np.sqrt(np.maximum(size, 0)))
    n_near = min(_NEAR, len(rows) - 1)
    distance, near = NearestNeighbors(n_neighbors=n_near).fit(at).kneighbors()
    gamma = np.square(value[rows][:, None] - value[rows][near]).mean(0) / 2
    delta = np.square(distance).mean(0)
    if np.ptp(delta) == 0:
        return float(gamma.mean())
    return max(0.0, float(np.polyfit(delta, gamma, 1)[1]))


def _gradient_outer_product(
    fold: Fold, fit: Fit, design: Design, inputs: np.ndarray
) -> np.ndarray:
    """Mean outer product of the gradient of the predicted mean: what moves it."""
    places = fold.positions if fold.bins is None else moments(fold.bins)[0].tolist()
    network, centers = Forecaster.of(fold, design), torch.tensor(places).float()
    total = np.zeros((inputs.shape[1], inputs.shape[1]))
    for part in torch.tensor(inputs).float().split(rows_at_once(inputs.shape[1])):
        rows = part.clone().requires_grad_()
        mean = network.logits(fit.tensors, rows).softmax(-1) @ centers
        (slope,) = torch.autograd.grad(mean.sum(), rows)
        slopes = slope.double().numpy()
        total += slopes.T @ slopes
    return total / len(inputs)


def _edges(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Inner edges of the classes or bins, and places of each row among them."""
    if problem.kind == "number":
        return problem.grid(problem.y, problem.weight).edges.numpy()[1:-1], problem.y[
            :, None
        ]
    places = np.asarray(problem.positions)
    inner = (places[1:] + places[:-1]) / 2
    # Of a class only the interval is known: its rows lie evenly over it.
    low = np.r_[2 * places[0] - inner[0], inner]
    high = np.r_[inner, 2 * places[-1] - inner[-1]]
    share = (np.arange(40) + 0.5) / 40
    return inner, (low + share[:, None] * (high - low)).T[problem.y]


def changes(values: np.ndarray, edges: np.ndarray, spread: float) -> np.ndarray:
    """Probability that normal noise moves a value across an edge.

    >>> changes(np.array([0.0, 3.0]), np.array([-1.0, 1.0]), 1.0).round(4)
    array([0.3173, 0.0228])
    """
    outer = np.r_[-np.inf, edges, np.inf]
    k = np.searchsorted(edges, values, side="right")
    up = stats.norm.cdf((outer[k + 1] - values) / spread)
    down = stats.norm.cdf((outer[k] - values) / spread)
    return 1 - (up - down)
