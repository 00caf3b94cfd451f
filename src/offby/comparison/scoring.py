"""Every metric of every fit, on the held-out rows."""

import numpy as np

from offby import metrics
from offby.comparison.fits import Fit
from offby.comparison.ground_scores import ground_rows
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
GROUND_METRICS = (
    Metric("rps", "energy score", True, "distance", "the whole distribution"),
    Metric("log_score", "log score", True, "nats", "probabilities of single classes"),
    Metric("mae", "mean distance", True, "distance", "a single best guess"),
    Metric("qwk", "weighted kappa", False, "", "agreement beyond chance"),
    Metric("accuracy", "accuracy", False, "", "hitting the exact class", False),
    Metric(
        "far",
        "far errors",
        True,
        "share beyond the neighbors",
        "avoiding wild misses",
        False,
    ),
)
"""The same of classes that lie on no line; the ground says how far and who is next."""
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
RowScores = dict[str, np.ndarray]
"""Metric -> a score for each held-out row; their weighted mean is the score of all."""


def judge(fold: Fold, fit: Fit) -> Judged:
    """Scores of what a fit says of the held-out rows, weighted as the rows are."""
    return means(fold, row_scores(fold, fit))


def means(fold: Fold, rows: RowScores) -> Judged:
    """Scores of a fit from those of its rows; None where it gives no such number."""
    found: Judged = {key: _mean(each, fold.test.weight) for key, each in rows.items()}
    return found if fold.bins is None else {"log_score": (None, 0)} | found


def row_scores(fold: Fold, fit: Fit) -> RowScores:
    """A score of each held-out row by every metric that the forecasts allow."""
    match fit.form:
        case "quantiles":
            return _quantile_rows(fold, fit.outputs)
        case "points" if fold.bins is None:
            return _class_rows(fold, one_hot(fold, fit.outputs))
        case "points":
            return _point_rows(fold, fit.outputs)
        case _ if fold.bins is None:
            return _class_rows(fold, fit.probs)
        case _:
            return _number_rows(fold, fit.probs)


def _class_rows(fold: Fold, probs: np.ndarray) -> RowScores:
    """Scores of class probabilities, rows x classes."""
    if fold.ground is not None:
        return ground_rows(fold, probs)
    y = fold.test.y
    positions = np.asarray(fold.positions)
    median = metrics.median_class(probs)
    return {
        "rps": metrics.rows.ranked_probability_score(
            positions[y], probs, labels=positions
        ),
        "log_score": metrics.rows.log_score(y, probs),
        "mae": np.abs(positions[median] - positions[y]),
        "qwk": _kappa_rows(fold, median),
        "accuracy": (probs.argmax(-1) == y).astype(float),
        "far": (np.abs(median - y) >= 2).astype(float),
    }


def _kappa_rows(fold: Fold, guess: np.ndarray) -> np.ndarray:
    """QWK plus what each row adds to it: its influence function, which has mean zero.

    With N the mean squared error, and D that of guesses dealt out anew, QWK is
    1 - N / D. Both are means, so the delta method gives the part of each row.
    """
    y, weight = fold.test.y, fold.test.row_weights()
    if np.ptp(guess) == 0:
        return np.zeros(len(y))  # as good as chance, whatever the rows are
    # Undefined if all rows are of one class and guessed so: worth what chance is.
    kappa = float(
        np.nan_to_num(
            metrics.quadratic_weighted_kappa(y, guess, sample_weight=fold.test.weight)
        )
    )

    def mean(values: np.ndarray) -> float:
        return float(np.average(values, weights=weight))

    off = np.square(guess - y).astype(float)
    spreads = [mean(np.square(each - mean(each))) for each in (y, guess)]
    gap = mean(y) - mean(guess)
    chance = sum(spreads) + gap**2
    if not chance:
        return np.full(len(y), kappa)
    # A row meets every other one twice: with its own truth, and with its own guess.
    dealt = np.square(y - mean(guess)) + spreads[1]
    dealt = dealt + np.square(guess - mean(y)) + spreads[0]
    added = -(off - mean(off)) / chance
    added += mean(off) / chance**2 * (dealt - mean(dealt))
    return kappa + added - mean(added)


def _number_rows(fold: Fold, probs: np.ndarray) -> RowScores:
    """Scores of probabilities of bins, rows x bins."""
    assert fold.bins is not None
    y = fold.test.y
    predicted = BinnedDistribution(probs, fold.bins)
    return {
        "crps": predicted.crps(y),
        "log_score": -predicted.log_pdf(y),
        **_guesses(fold, predicted.median(), predicted.mean()),
    }


def _quantile_rows(fold: Fold, quantiles: np.ndarray) -> RowScores:
    """Scores of 19 quantiles; they give no density.

    The CRPS is twice the pinball loss integrated over the levels; at levels 0 and 1 it
    is zero, so the trapezoid rule needs the 19 inner levels only.
    """
    levels = np.asarray(LEVELS)
    short = fold.test.y[:, None] - quantiles
    pinball = np.maximum(levels * short, (levels - 1) * short)
    return {
        "crps": 2 * pinball.sum(-1) / (len(LEVELS) + 1),
        **_guesses(fold, quantiles[:, len(LEVELS) // 2], quantiles.mean(-1)),
    }


def _point_rows(fold: Fold, points: np.ndarray) -> RowScores:
    """Scores of bare numbers; the CRPS of a point is its absolute error."""
    off = np.abs(points - fold.test.y)
    return {"crps": off, **_guesses(fold, points, points)}


def _guesses(fold: Fold, median: np.ndarray, mean: np.ndarray) -> RowScores:
    y = fold.test.y
    off = np.abs(median - y)
    return {
        "mae": off,
        "rmse": _root_rows(np.square(mean - y), fold.test.weight),
        "far": (off > fold.spread).astype(float),
    }


def _root_rows(squares: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """The root of the mean square, plus what each row adds to it (delta method)."""
    mean = float(np.average(squares, weights=weight))
    if not mean:
        return np.zeros(len(squares))
    return np.sqrt(mean) + (squares - mean) / (2 * np.sqrt(mean))


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
