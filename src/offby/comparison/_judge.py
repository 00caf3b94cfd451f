"""Every metric of every fit, on the held-out rows."""

import numpy as np
import torch

from offby import metrics
from offby.comparison._fits import LEVELS, Fold
from offby.comparison._result import Metric
from offby.distribution import BinnedDistribution

CLASS_METRICS = (
    Metric("rps", "RPS", True, "classes", "the whole distribution"),
    Metric("log_score", "log score", True, "nats", "probabilities of single classes"),
    Metric("mae", "MAE of the median", True, "classes", "a single best guess"),
    Metric("qwk", "QWK", False, "", "ranking"),
    Metric("accuracy", "accuracy", False, "", "hitting the exact class"),
    Metric("far", "far errors", True, "share off by 2 or more", "avoiding wild misses"),
)
NUMBER_METRICS = (
    Metric("crps", "CRPS", True, "target", "the whole distribution"),
    Metric("log_score", "log score", True, "nats", "a density"),
    Metric("mae", "MAE of the median", True, "target", "a single best guess"),
    Metric(
        "rmse", "RMSE of the mean", True, "target", "a guess that fears wild misses"
    ),
    Metric("far", "far errors", True, "share off by a spread", "avoiding wild misses"),
)

Judged = dict[str, tuple[float | None, int]]
"""Metric -> its mean over the finite rows, and the number of infinite rows."""


def judge(fold: Fold, probs: np.ndarray) -> Judged:
    """Scores of predicted probabilities, rows x classes or bins."""
    return _judge_number(fold, probs) if fold.bins else _judge_classes(fold, probs)


def _judge_classes(fold: Fold, probs: np.ndarray) -> Judged:
    y = fold.problem.y[fold.held_out].astype(np.int64)
    positions = np.asarray(fold.problem.positions)
    median = metrics.median_class(probs)
    off = np.abs(median - y)
    rps = metrics.rows.ranked_probability_score(positions[y], probs, labels=positions)
    # Undefined if all rows are of one class and guessed so: worth what chance is.
    qwk = np.nan_to_num(metrics.quadratic_weighted_kappa(y, median))
    return {
        "rps": _mean(rps),
        "log_score": _mean(metrics.rows.log_score(y, probs)),
        "mae": _mean(np.abs(positions[median] - positions[y])),
        "qwk": (float(qwk), 0),
        "accuracy": _mean(probs.argmax(-1) == y),
        "far": _mean(off >= 2),
    }


def _judge_number(fold: Fold, probs: np.ndarray) -> Judged:
    assert fold.bins is not None
    y = fold.problem.y[fold.held_out]
    predicted = BinnedDistribution(probs, fold.bins)
    median = predicted.median()
    return {
        "crps": _mean(predicted.crps(y)),
        "log_score": _mean(-predicted.log_pdf(y)),
        "mae": _mean(np.abs(median - y)),
        "rmse": (float(np.sqrt(np.mean((predicted.mean() - y) ** 2))), 0),
        "far": _mean(np.abs(median - y) > np.std(fold.problem.y)),
    }


def judge_quantiles(fold: Fold, quantiles: np.ndarray) -> Judged:
    """Scores of 19 quantiles; they give no density.

    The CRPS is twice the pinball loss integrated over the levels; at levels 0 and 1 it
    is zero, so the trapezoid rule needs the 19 inner levels only.
    """
    y = fold.problem.y[fold.held_out]
    levels = np.asarray(LEVELS)
    short = y[:, None] - quantiles
    pinball = np.maximum(levels * short, (levels - 1) * short)
    median = quantiles[:, len(LEVELS) // 2]
    return {
        "crps": _mean(2 * pinball.sum(-1) / (len(LEVELS) + 1)),
        "log_score": (None, 0),
        "mae": _mean(np.abs(median - y)),
        "rmse": (float(np.sqrt(np.mean((quantiles.mean(-1) - y) ** 2))), 0),
        "far": _mean(np.abs(median - y) > np.std(fold.problem.y)),
    }


def _mean(rows: np.ndarray) -> tuple[float | None, int]:
    finite = np.isfinite(rows)
    mean = float(np.mean(rows[finite])) if finite.any() else None
    return mean, int((~finite).sum())


def pit_reached(fold: Fold, probs: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """How much of each row's PIT lies at or below each level: rows x levels."""
    y = fold.problem.y[fold.held_out]
    if fold.bins is not None:
        return metrics.rows.histogram_pit_cdf(y, probs, fold.bins, levels)
    return metrics.rows.pit_cdf(y, probs, levels)


def true_classes(fold: Fold) -> np.ndarray:
    """Class or bin of each held-out row."""
    with torch.no_grad():
        return fold.labels(fold.held_out).index.numpy()
