"""Every metric of every fit, on the held-out rows."""

import numpy as np

from offby import metrics
from offby.comparison.fits import Fit
from offby.comparison.methods.references import LEVELS
from offby.comparison.problem import Fold
from offby.distribution import BinnedDistribution
from offby.results import Metric

CLASS_METRICS = (
    Metric("rps", "RPS", True, "classes", "the whole distribution"),
    Metric("log_score", "log score", True, "nats", "probabilities of single classes"),
    Metric("mae", "MAE of the median", True, "classes", "a single best guess"),
    Metric("qwk", "QWK", False, "", "ranking"),
    Metric("accuracy", "accuracy", False, "", "hitting the exact class", False),
    Metric(
        "far",
        "far errors",
        True,
        "share off by 2 or more",
        "avoiding wild misses",
        False,
    ),
)
NUMBER_METRICS = (
    Metric("crps", "CRPS", True, "target", "the whole distribution"),
    Metric("log_score", "log score", True, "nats", "a density"),
    Metric("mae", "MAE of the median", True, "target", "a single best guess"),
    Metric(
        "rmse", "RMSE of the mean", True, "target", "a guess that fears wild misses"
    ),
    Metric(
        "far",
        "far errors",
        True,
        "share off by a spread",
        "avoiding wild misses",
        False,
    ),
)

Judged = dict[str, tuple[float | None, int]]
"""Metric -> its mean over the finite rows, and the number of infinite rows."""


def judge(fold: Fold, fit: Fit) -> Judged:
    """Scores of what a fit says of the held-out rows, weighted as the rows are."""
    match fit.form:
        case "quantiles":
            return _judge_quantiles(fold, fit.outputs)
        case "points" if fold.bins is None:
            return judge_classes(fold, one_hot(fold, fit.outputs))
        case "points":
            return _judge_points(fold, fit.outputs)
        case _ if fold.bins is None:
            return judge_classes(fold, fit.probs)
        case _:
            return judge_number(fold, fit.probs)


def judge_classes(fold: Fold, probs: np.ndarray) -> Judged:
    """Scores of class probabilities, rows x classes."""
    y, weight = fold.test.y, fold.test.weight
    positions = np.asarray(fold.positions)
    median = metrics.median_class(probs)
    off = np.abs(median - y)
    rps = metrics.rows.ranked_probability_score(positions[y], probs, labels=positions)
    # Undefined if all rows are of one class and guessed so: worth what chance is.
    qwk = metrics.quadratic_weighted_kappa(y, median, sample_weight=weight)
    return {
        "rps": _mean(rps, weight),
        "log_score": _mean(metrics.rows.log_score(y, probs), weight),
        "mae": _mean(np.abs(positions[median] - positions[y]), weight),
        "qwk": (float(np.nan_to_num(qwk)), 0),
        "accuracy": _mean(probs.argmax(-1) == y, weight),
        "far": _mean(off >= 2, weight),
    }


def judge_number(fold: Fold, probs: np.ndarray) -> Judged:
    """Scores of probabilities of bins, rows x bins."""
    assert fold.bins is not None
    y, weight = fold.test.y, fold.test.weight
    predicted = BinnedDistribution(probs, fold.bins)
    return {
        "crps": _mean(predicted.crps(y), weight),
        "log_score": _mean(-predicted.log_pdf(y), weight),
        **_guesses(fold, predicted.median(), predicted.mean()),
    }


def _judge_quantiles(fold: Fold, quantiles: np.ndarray) -> Judged:
    """Scores of 19 quantiles; they give no density.

    The CRPS is twice the pinball loss integrated over the levels; at levels 0 and 1 it
    is zero, so the trapezoid rule needs the 19 inner levels only.
    """
    levels = np.asarray(LEVELS)
    short = fold.test.y[:, None] - quantiles
    pinball = np.maximum(levels * short, (levels - 1) * short)
    crps = 2 * pinball.sum(-1) / (len(LEVELS) + 1)
    return {
        "crps": _mean(crps, fold.test.weight),
        "log_score": (None, 0),
        **_guesses(fold, quantiles[:, len(LEVELS) // 2], quantiles.mean(-1)),
    }


def _judge_points(fold: Fold, points: np.ndarray) -> Judged:
    """Scores of bare numbers; the CRPS of a point is its absolute error."""
    off = np.abs(points - fold.test.y)
    return {
        "crps": _mean(off, fold.test.weight),
        "log_score": (None, 0),
        **_guesses(fold, points, points),
    }


def _guesses(fold: Fold, median: np.ndarray, mean: np.ndarray) -> Judged:
    y, weight = fold.test.y, fold.test.weight
    return {
        "mae": _mean(np.abs(median - y), weight),
        "rmse": (float(np.sqrt(np.average((mean - y) ** 2, weights=weight))), 0),
        "far": _mean(np.abs(median - y) > fold.spread, weight),
    }


def one_hot(fold: Fold, classes: np.ndarray) -> np.ndarray:
    """All mass on the nearest class, rows x classes."""
    n_classes = fold.line.n_classes
    nearest = np.clip(np.rint(classes), 0, n_classes - 1).astype(np.int64)
    return np.eye(n_classes)[nearest]


def _mean(rows: np.ndarray, weight: np.ndarray | None) -> tuple[float | None, int]:
    finite = np.isfinite(rows)
    kept = None if weight is None else weight[finite]
    some = finite.any() if kept is None else kept.sum() > 0
    mean = float(np.average(rows[finite], weights=kept)) if some else None
    return mean, int((~finite).sum())


def pit_reached(fold: Fold, probs: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """How much of each row's PIT lies at or below each level: rows x levels."""
    y = fold.test.y
    if fold.bins is not None:
        return metrics.rows.histogram_pit_cdf(y, probs, fold.bins, levels)
    return metrics.rows.pit_cdf(y, probs, levels)


def true_classes(fold: Fold) -> np.ndarray:
    """Class or bin of each held-out row."""
    return fold.labels(fold.test).index.numpy()
