"""A separate test table, scored once by a model that was trained on all other rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from offby.comparison.fits import Fit
from offby.comparison.inference import LEVEL, FoldScores, row_variance
from offby.comparison.problem import Fold, Rows
from offby.comparison.scoring import row_scores
from offby.grounds import Ground
from offby.results import FinalScore, FinalTest, Metric
from offby.weighted import WeightedSample


def scored_once(
    model: Any,
    X: Any,
    y: np.ndarray,
    weight: np.ndarray | None,
    *,
    metrics: Sequence[Metric],
    positions: Sequence[float],
    method: str,
    name: str,
    train_y: np.ndarray,
    train_weight: np.ndarray | None,
    ground: Ground | None = None,
) -> FinalTest:
    """The scores of a fitted model on test rows, by the metrics of a comparison.

    The intervals are for new rows under this very model: no other training is done.

    Args:
        model: What forecasts by `predict_dist`.
        X: The test rows.
        y: Their targets: class codes, or numbers.
        weight: Weight of each test row.
        metrics: What to score by.
        positions: Of the classes; empty for numbers.
        method: Key of the model in the comparison.
        name: Of the test table.
        train_y: The targets of the training rows.
        train_weight: Their weights.
        ground: How far apart the classes are, where they lie on no line.
    """
    kept = np.ones(len(y), bool) if weight is None else weight > 0
    if not kept.all():
        numbers = np.flatnonzero(kept)
        X, y = X[numbers], y[numbers]
        weight = None if weight is None else weight[numbers]
    forecast = model.predict_dist(X)
    bins: Any = None if positions else model.bins_
    nothing = Rows(np.arange(0), None, train_y, None)
    spread = 0.0 if positions else WeightedSample.of(train_y, train_weight).std()
    rows = Rows(np.arange(len(y)), None, y, weight)
    fold = Fold(
        0, 0, nothing, rows, tuple(positions), bins, spread, None, ground=ground
    )
    found = row_scores(fold, Fit(0, 0, "probs", np.asarray(forecast.probs), 0.0))
    scores = [
        _score(metric.key, FoldScores(found[metric.key][None], weight))
        for metric in metrics
        if metric.key in found
    ]
    return FinalTest(name, len(y), method, len(train_y), tuple(scores))


def _score(metric: str, rows: FoldScores) -> FinalScore:
    finite = np.isfinite(rows.values[0])
    infinite = int((~finite).sum())
    if not finite.any():
        return FinalScore(metric, None, None, None, infinite)
    weight = None if rows.weight is None else rows.weight[finite]
    kept = FoldScores(rows.values[:, finite], weight)
    mean, n_rows = float(np.average(kept.values[0], weights=weight)), int(finite.sum())
    if n_rows < 2:
        return FinalScore(metric, mean, None, None, infinite)
    half = float(stats.t.isf(LEVEL / 2, n_rows - 1)) * row_variance(kept) ** 0.5
    return FinalScore(metric, mean, mean - half, mean + half, infinite)
