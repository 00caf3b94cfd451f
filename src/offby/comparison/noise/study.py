"""What noise in edges, inputs and targets does to each loss, and how much there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
import torch
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from offby.comparison.networks import Settings
from offby.comparison.problem import (
    Fit,
    Fold,
    Problem,
    encoded,
    fit_loss,
    logits_of,
    rows_of,
)
from offby.comparison.scheduler import Job, Place
from offby.comparison.scoring import judge, pit_reached
from offby.losses.registry import NamedLoss
from offby.results import Metric, Noise, NoiseShare
from offby.tabular.encoders.numbers import columns, encoder
from offby.tabular.splits import child_seed

EDGES = (0.1, 0.25, 0.5)
"""Noise of the bin edges, as shares of the bin width."""
COUNTS = (0.5, 2.0)
"""Other numbers of bins, as factors."""
INPUTS = (0.1, 0.25, 0.5, 1.0)
"""Noise of the numeric inputs, as shares of their standard deviation."""
TARGETS = (0.1, 0.3)
"""Shares of the training labels that are moved."""
_FOLDS = 3
"""Refits are made on this many folds, with the first seed."""
_NEAR = 10
"""Neighbors that tell the noise of a row."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One kind and strength of noise: the folds as it leaves them."""

    kind: str
    level: float
    folds: tuple[Fold, ...]

    def method(self, loss: NamedLoss) -> str:
        """A name for the fits of a loss under this noise."""
        return f"{loss} under {self.kind} {self.level:g}"


def trials(problem: Problem) -> list[Trial]:
    """Every noise that asks for fits of its own."""
    folds = problem.folds[:_FOLDS]
    made = []
    if problem.kind == "number":
        made += [
            Trial("edges", level, tuple(_jittered(fold, level) for fold in folds))
            for level in EDGES
        ]
        made += [
            Trial("counts", factor, tuple(_regrid(problem, f, factor) for f in folds))
            for factor in COUNTS
        ]
        other = "uniform" if problem.strategy == "quantile" else "quantile"
        moved = replace(problem, strategy=other)
        made.append(
            Trial("strategy", 1.0, tuple(_regrid(moved, f, 1.0) for f in folds))
        )
    for level in TARGETS:
        for kind, move in (("neighbor", _to_neighbor), ("random", _to_random)):
            made.append(Trial(kind, level, tuple(move(fold, level) for fold in folds)))
    return made


def jobs(
    found: Sequence[Trial],
    losses: Sequence[NamedLoss],
    settings: Settings,
    stop_on,
) -> list[Job]:
    """The refits: every loss under every noise."""
    return [
        Job(
            trial.method(loss),
            fold,
            0,
            partial(fit_loss, loss=loss, settings=settings, stop_on=stop_on),
            f"{[(factor, e.name) for factor, e in loss.terms]} {settings} {stop_on}",
        )
        for loss in losses
        for trial in found
        for fold in trial.folds
    ]


def _jittered(fold: Fold, level: float) -> Fold:
    assert fold.bins is not None
    generator = torch.Generator().manual_seed(child_seed(fold.seed, fold.number, 101))
    return replace(fold, bins=fold.bins.jitter(level, generator))


def _regrid(problem: Problem, fold: Fold, factor: float) -> Fold:
    n_bins = max(2, round(factor * problem.n_bins))
    return replace(fold, bins=replace(problem, n_bins=n_bins).grid(fold.learned.y))


def _to_neighbor(fold: Fold, share: float) -> Fold:
    """A share of the training labels moved to the next class or bin."""
    rng = np.random.default_rng(child_seed(fold.seed, fold.number, 102))
    y = fold.learned.y.copy()
    chosen = rng.random(len(y)) < share
    step = rng.choice([-1, 1], len(y))
    index = fold.labels(fold.learned).index.numpy()
    last = fold.line.n_classes - 1
    # At the ends there is one neighbor only.
    moved = np.where((index + step < 0) | (index + step > last), -step, step) + index
    moved = np.clip(moved, 0, last)
    if fold.bins is None:
        y[chosen] = moved[chosen]
    else:
        low, wide = fold.bins.edges.numpy()[:-1], fold.bins.widths.numpy()
        y[chosen] = (low[moved] + rng.random(len(y)) * wide[moved])[chosen]
    return replace(fold, learned=replace(fold.learned, y=y))


def _to_random(fold: Fold, share: float) -> Fold:
    """A share of the training labels drawn from all training labels."""
    rng = np.random.default_rng(child_seed(fold.seed, fold.number, 103))
    y = fold.learned.y
    chosen = rng.random(len(y)) < share
    drawn = np.where(chosen, rng.choice(y, len(y)), y)
    return replace(fold, learned=replace(fold.learned, y=drawn))


def curves(
    problem: Problem,
    losses: Sequence[NamedLoss],
    metrics: Sequence[Metric],
    found: Sequence[Trial],
    fits: Mapping[Place, Fit],
) -> tuple[Noise, ...]:
    """How far the predictions of each loss move, and its scores with them."""
    kinds = list(dict.fromkeys(trial.kind for trial in found))
    keys = [metric.key for metric in metrics]
    noises = []
    for loss in losses:
        base = [(f, fits[str(loss), f.number, 0]) for f in problem.folds]
        for kind in kinds:
            levels, points = [_still(kind)], [_point(base[:_FOLDS], base[:_FOLDS])]
            for trial in found:
                if trial.kind == kind:
                    name = trial.method(loss)
                    now = [(f, fits[name, f.number, 0]) for f in trial.folds]
                    levels.append(trial.level)
                    points.append(_point(base[:_FOLDS], now))
            noises.append(_noise(kind, loss, levels, points, keys))
        levels, points = [0.0], [_point(base, base)]
        for level in INPUTS:
            levels.append(level)
            points.append(_point(base, _with_noisy_inputs(problem, base, level)))
        noises.append(_noise("inputs", loss, levels, points, keys))
    return tuple(noises)


def _still(kind: str) -> float:
    """The level at which nothing is changed."""
    return 1.0 if kind == "counts" else 0.0


Pair = tuple[Fold, Fit]
Point = tuple[float, dict[str, float | None], float]
"""How far predictions moved, the scores, and the largest distance of the PIT."""


def _point(base: Sequence[Pair], now: Sequence[Pair]) -> Point:
    moved = [
        wasserstein_rows(before, fit.probs, fold, other.probs).mean()
        for (before, fit), (fold, other) in zip(base, now, strict=True)
    ]
    judged = [judge(fold, fit) for fold, fit in now]
    scores = {}
    for key in judged[0]:
        values = [part[key] for part in judged]
        known = [value for value, infinite in values if value is not None]
        finite = len(known) == len(values) and not sum(n for _, n in values)
        scores[key] = float(np.mean(known)) if finite else None
    levels = np.linspace(0, 1, 41)
    reached = [pit_reached(fold, fit.probs, levels) for fold, fit in now]
    gap = np.abs(np.concatenate(reached).mean(0) - levels).max()
    return float(np.mean(moved)), scores, float(gap)


def _noise(kind, loss, levels, points: Sequence[Point], keys) -> Noise:
    order = np.argsort(levels, kind="stable")
    ordered = [points[i] for i in order]
    return Noise(
        kind=kind,
        method=str(loss),
        levels=tuple(float(levels[i]) for i in order),
        moved=tuple(moved for moved, _, _ in ordered),
        scores={key: tuple(scores[key] for _, scores, _ in ordered) for key in keys},
        miscalibration=tuple(gap for _, _, gap in ordered),
    )


def wasserstein_rows(
    fold: Fold, probs: np.ndarray, other: Fold, others: np.ndarray
) -> np.ndarray:
    """Wasserstein-1 distance of two forecasts of each row, in units of the target."""
    if fold.bins is None or other.bins is None:
        gaps = np.diff(fold.positions)
        return np.abs((probs - others).cumsum(-1)[:, :-1]) @ gaps
    ends = [bins.edges.numpy() for bins in (fold.bins, other.bins)]
    x = np.union1d(*ends)
    below = [
        np.stack([np.interp(x, edges, row) for row in _cumulative(p)])
        for edges, p in zip(ends, (probs, others), strict=True)
    ]
    gap = below[0] - below[1]
    left, right = gap[:, :-1], gap[:, 1:]
    whole = np.abs(left) + np.abs(right)
    # The difference is linear between the edges, and may change its sign there.
    crossed = (left**2 + right**2) / np.maximum(whole, np.finfo(float).tiny)
    return (np.where(left * right < 0, crossed, whole) / 2) @ np.diff(x)


def _cumulative(probs: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((len(probs), 1)), probs.cumsum(-1)], -1)


def _with_noisy_inputs(problem: Problem, base: Sequence[Pair], level) -> list[Pair]:
    pairs = []
    for fold, fit in base:
        inputs = noisy_inputs(problem, fold, level)
        said = replace(fit, form="probs", outputs=fit.probs_of(inputs))
        pairs.append((fold, said))
    return pairs


def noisy_inputs(problem: Problem, fold: Fold, level: float) -> np.ndarray:
    """The held-out rows with normal noise on their numeric columns, encoded.

    Columns of two values are switches, and stay as they are.
    """
    rng = np.random.default_rng(child_seed(fold.seed, fold.number, 104))
    learned: Any = rows_of(problem.X, fold.learned.numbers)
    held_out: Any = rows_of(problem.X, fold.held_out.numbers)
    encode = encoder(problem.X).fit(learned)
    if isinstance(held_out, np.ndarray):
        wide = np.array([_spread(column) for column in learned.T])
        noise = rng.normal(size=held_out.shape)
        return encoded(encode, held_out + level * wide * noise)
    numbers, _ = columns(problem.X)
    frame = nw.from_native(held_out, eager_only=True)
    known = nw.from_native(learned, eager_only=True)
    changed = []
    for name in numbers:
        noise = rng.normal(size=len(frame))
        wide = _spread(known[name].cast(nw.Float64).to_numpy())
        values = frame[name].cast(nw.Float64).to_numpy() + level * wide * noise
        changed.append(
            nw.new_series(
                name, values, nw.Float64, backend=nw.get_native_namespace(frame)
            )
        )
    return encoded(encode, frame.with_columns(*changed).to_native())


def _spread(column: np.ndarray) -> float:
    known = column[~np.isnan(column.astype(np.float64))]
    return float(np.std(known)) if len(np.unique(known)) > 2 else 0.0


def takeovers(noises: Sequence[Noise], metric: Metric, rope: float) -> tuple[str, ...]:
    """A sentence per kind of noise: from where on another loss is the better one."""
    sign = 1 if metric.lower_is_better else -1
    said = []
    for kind in dict.fromkeys(noise.kind for noise in noises):
        rivals = {n.method: n for n in noises if n.kind == kind}
        scores = {
            name: [np.inf if s is None else sign * s for s in noise.scores[metric.key]]
            for name, noise in rivals.items()
        }
        levels = next(iter(rivals.values())).levels
        start = levels.index(_still(kind))
        best = min(scores, key=lambda name: scores[name][start])
        said.append(_flip(kind, best, levels, scores, metric, rope, start))
    return tuple(said)


_WORDS = {
    "edges": "noise in the bin edges ({} of a bin width)",
    "counts": "another number of bins ({} of it)",
    "strategy": "bins by the other strategy",
    "inputs": "noise in the inputs ({} of their spread)",
    "neighbor": "training labels moved to a neighbor ({} of them)",
    "random": "training labels moved at random ({} of them)",
}


def _flip(kind, best, levels, scores, metric, rope, start) -> str:
    order = sorted(range(len(levels)), key=lambda i: abs(levels[i] - levels[start]))
    for i in order[1:]:
        now = min(scores, key=lambda name: scores[name][i])
        room = abs(scores[best][i]) if np.isfinite(scores[best][i]) else 1.0
        if scores[best][i] - scores[now][i] > rope * room:
            where = _WORDS[kind].format(f"{100 * levels[i]:g} %")
            return (
                f"By {metric.title}, {now} takes the place of {best} with {where}: "
                f"{abs(scores[now][i]):.4g} against {abs(scores[best][i]):.4g}."
            )
    most = _WORDS[kind].format(f"up to {100 * max(levels):g} %")
    return f"By {metric.title}, {best} stays best, or within {rope:.0%}, with {most}."


def noise_share(
    problem: Problem, fits: Sequence[Fit], given: float | None = None
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
    spread = _told_by_neighbors(problem, fits) if given is None else given
    edges, y = _edges(problem)
    changed = np.mean(changes(y, edges, spread)) if spread else 0.0
    source = "neighbors" if given is None else "given"
    return NoiseShare(spread, float(changed), source)


def _told_by_neighbors(problem: Problem, fits: Sequence[Fit]) -> float:
    variance = float(np.mean([_variance(problem.folds[f.fold], f) for f in fits]))
    if problem.kind == "classes":
        # A class stands for an interval: its rounding is no noise (Sheppard).
        gaps = np.diff(problem.positions)
        variance -= float(np.mean(gaps**2)) / 12
    return float(np.sqrt(max(0.0, variance)))


def _variance(fold: Fold, fit: Fit) -> float:
    """Of the noise of the target, by the Gamma test in the metric of a network."""
    sides = (fold.learned, fold.held_out)
    inputs = np.concatenate([side.inputs for side in sides]).astype(np.float64)
    y = np.concatenate([side.y for side in sides])
    value = y if fold.bins is not None else np.asarray(fold.positions)[y]
    whole = np.unique(np.column_stack([inputs, y]), axis=0, return_index=True)[1]
    rows = np.sort(whole) if 2 * len(whole) > len(y) else np.arange(len(y))
    size, turn = np.linalg.eigh(_gradient_outer_product(fold, fit, inputs[rows]))
    at = inputs[rows] @ (turn * np.sqrt(np.maximum(size, 0)))
    n_near = min(_NEAR, len(rows) - 1)
    distance, near = NearestNeighbors(n_neighbors=n_near).fit(at).kneighbors()
    gamma = np.square(value[rows][:, None] - value[rows][near]).mean(0) / 2
    delta = np.square(distance).mean(0)
    if np.ptp(delta) == 0:
        return float(gamma.mean())
    return max(0.0, float(np.polyfit(delta, gamma, 1)[1]))


def _gradient_outer_product(fold: Fold, fit: Fit, inputs: np.ndarray) -> np.ndarray:
    """Mean outer product of the gradient of the predicted mean: what moves it."""
    places = fold.positions if fold.bins is None else fold.bins.centers.tolist()
    rows = torch.tensor(inputs, dtype=torch.float32).requires_grad_()
    mean = logits_of(fit.weights, rows).softmax(-1) @ torch.tensor(places).float()
    (slope,) = torch.autograd.grad(mean.sum(), rows)
    slopes = slope.double().numpy()
    return slopes.T @ slopes / len(slopes)


def _edges(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Inner edges of the classes or bins, and where each row lies among them."""
    if problem.kind == "number":
        return problem.grid(problem.y).edges.numpy()[1:-1], problem.y[:, None]
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
