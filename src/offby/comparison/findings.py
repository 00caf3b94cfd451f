"""Where the forecasts of the best loss are good, and what they rest on.

All of it is of the first seed, over all held-out rows.
"""

from collections.abc import Iterator, Sequence

import narwhals as nw
import numpy as np

from offby import metrics
from offby.comparison.fits import Fit, Forecaster
from offby.comparison.networks import Design
from offby.comparison.problem import Fold, Problem, rows_of
from offby.distribution import BinnedDistribution
from offby.results import Coverage, Importance, Region
from offby.results.phrases import plain

_LEVELS = (0.5, 0.9)
"""The intervals that people ask for."""
_PARTS = 5
"""Parts of the target's range, of about equal numbers of rows."""
_MOST_GROUPS = 20
"""More groups than this are too many to read."""
_MOST_CELLS = 40_000
"""Rows times columns of a fold that are shuffled: enough for a share of the score."""
_LEAST_ROWS = 100
_MOST_COLUMNS = 300
"""With more columns, to shuffle each takes longer than all of the training."""


def coverage(problem: Problem, name: str, fits: Sequence[Fit]) -> tuple[Coverage, ...]:
    """How often the truth lies in the central 50 and 90 % intervals, and their width.

    Of ordered classes, the interval is the classes from one quantile to the other, and
    its width is their number less one, in the units of the positions.
    """
    weight = np.concatenate(
        [fold.test.row_weights() for fold, _ in _first(problem, fits)]
    )
    found = []
    for level in _LEVELS:
        ends = [_interval(fold, fit, level) for fold, fit in _first(problem, fits)]
        low, high = (np.concatenate(each) for each in zip(*ends, strict=True))
        y = np.concatenate([_truth(fold) for fold, _ in _first(problem, fits)])
        inside = (low <= y) & (y <= high)
        share, width = (np.average(v, weights=weight) for v in (inside, high - low))
        found.append(Coverage(name, level, float(share), float(width)))
    return tuple(found)


def regions(problem: Problem, name: str, fits: Sequence[Fit]) -> tuple[Region, ...]:
    """Scores of parts of the target, and of the groups if there are few."""
    pairs = _first(problem, fits)
    y = np.concatenate([_truth(fold) for fold, _ in pairs])
    weight = np.concatenate([fold.test.row_weights() for fold, _ in pairs])
    score = np.concatenate([row_scores(fold, fit.probs) for fold, fit in pairs])
    off = np.concatenate([_median(fold, fit) - _truth(fold) for fold, fit in pairs])

    def region(by: str, label: str, rows: np.ndarray) -> Region:
        mean, bias = (
            float(np.average(each[rows], weights=weight[rows])) for each in (score, off)
        )
        # Where there is no higher and lower, no forecast is too high.
        signed = None if problem.ground is not None else bias
        return Region(name, by, label, int(rows.sum()), mean, signed)

    found = [region("target", label, rows) for label, rows in _parts(problem, y)]
    if problem.groups is not None:
        rows = np.concatenate([fold.test.numbers for fold, _ in pairs])
        groups = problem.groups[rows]
        different = np.unique(groups)
        if len(different) <= _MOST_GROUPS:
            found += [region("group", str(each), groups == each) for each in different]
    return tuple(found)


def importances(
    problem: Problem,
    design: Design,
    name: str,
    fits: Sequence[Fit],
    columns: Sequence[str],
) -> tuple[Importance, ...]:
    """How much worse the held-out forecasts get when one column is shuffled.

    Nothing if there are very many columns (`left_out` says so).

    Args:
        problem: The data and their folds.
        design: Of the networks.
        name: The loss.
        fits: Its networks.
        columns: Names of the columns of `problem.X`.

    References:
        Breiman (2001), Random forests, Machine Learning 45.
    """
    if len(columns) > _MOST_COLUMNS:
        return ()
    by_fold = np.array([_increases(*pair, design) for pair in _first(problem, fits)])
    found = [
        Importance(name, column, *map(float, (each.mean(), each.min(), each.max())))
        for column, each in zip(columns, by_fold.T, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: -one.increase))


def left_out(columns: Sequence[str]) -> tuple[str, ...]:
    """What was not measured, for the reader."""
    if len(columns) <= _MOST_COLUMNS:
        return ()
    return (
        f"Which columns matter was not measured, because there are {len(columns):,}: "
        f"up to {_MOST_COLUMNS} are shuffled, one after the other.",
    )


def _increases(fold: Fold, fit: Fit, design: Design) -> list[float]:
    """For each column, the share by which the mean score grows without it."""
    rng = np.random.default_rng([fold.seed, fold.number])
    n_columns = fold.test.X.shape[1]
    n_rows = max(_MOST_CELLS // n_columns, _LEAST_ROWS)
    rows = np.sort(rng.permutation(len(fold.test.y))[:n_rows])
    weight = fold.test.row_weights()[rows]
    X, network = rows_of(fold.test.X, rows), Forecaster.of(fold, design)
    inputs, column_of = fold.encoded(X), fold.column_of_inputs

    def mean_score(inputs: np.ndarray) -> float:
        probs = network.probs(fit.tensors, inputs)
        return float(np.average(row_scores(fold, probs, rows), weights=weight))

    def without(column: int) -> np.ndarray:
        order = rng.permutation(len(rows))
        if column_of is None:
            return fold.encoded(shuffled(X, column, order))
        # To encode the rows again would take far longer than the network does.
        own = column_of == column
        return np.where(own, inputs[order], inputs)

    whole = mean_score(inputs)
    return [mean_score(without(column)) / whole - 1 for column in range(n_columns)]


def shuffled(X, column: int, order: np.ndarray):
    """The rows with the cells of one column in another order."""
    if isinstance(X, np.ndarray):
        mixed = X.copy()
        mixed[:, column] = X[order, column]
        return mixed
    frame = nw.from_native(X, eager_only=True)
    return frame.with_columns(frame[:, column][order.tolist()]).to_native()


def row_scores(
    fold: Fold, probs: np.ndarray, rows: np.ndarray | slice = slice(None)
) -> np.ndarray:
    """RPS, energy score or CRPS of each held-out row."""
    y = fold.test.y[rows]
    if fold.ground is not None:
        return metrics.rows.ranked_probability_score(y, probs, ground=fold.ground)
    if fold.bins is not None:
        return BinnedDistribution(probs, fold.bins).crps(y)
    places = np.asarray(fold.positions)
    return metrics.rows.ranked_probability_score(places[y], probs, labels=places)


def _first(problem: Problem, fits: Sequence[Fit]) -> list[tuple[Fold, Fit]]:
    folds = {fold.number: fold for fold in problem.folds}
    return [(folds[fit.fold], fit) for fit in fits if fit.seed == 0]


def _truth(fold: Fold) -> np.ndarray:
    """The targets of the held-out rows, classes by their positions."""
    y = fold.test.y
    return y if fold.bins is not None else np.asarray(fold.positions)[y]


def _median(fold: Fold, fit: Fit) -> np.ndarray:
    if fold.bins is not None:
        return BinnedDistribution(fit.probs, fold.bins).median()
    return np.asarray(fold.positions)[metrics.median_class(fit.probs)]


def _interval(fold: Fold, fit: Fit, level: float) -> tuple[np.ndarray, np.ndarray]:
    if fold.bins is not None:
        return BinnedDistribution(fit.probs, fold.bins).interval(level)
    places = np.asarray(fold.positions)
    below = fit.probs.cumsum(-1)
    last = len(places) - 1
    # The first class not below the quantile; rounding must not lead past the end.
    low, high = (
        np.minimum((below < tail).sum(-1), last)
        for tail in ((1 - level) / 2, (1 + level) / 2)
    )
    return places[low], places[high]


def _parts(problem: Problem, y: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Parts of the target by name: classes, or ranges of about equal counts."""
    if problem.kind == "classes":
        for place in problem.positions:
            if (y == place).any():
                yield f"{place:.4g}", y == place
        return
    edges = np.unique(np.quantile(y, np.linspace(0, 1, _PARTS + 1)))
    inner = edges[1:-1]
    part = np.searchsorted(inner, y, side="right")
    for number in np.unique(part):
        rows = part == number
        yield f"{plain(y[rows].min())} to {plain(y[rows].max())}", rows
