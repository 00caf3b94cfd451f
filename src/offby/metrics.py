"""How good a prediction is on rows it was not trained on. NumPy in, numbers out."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import cohen_kappa_score


def median_class(probs: ArrayLike) -> np.ndarray:
    """First class at which half the mass is reached: rows x classes -> rows.

    >>> median_class([[0.2, 0.4, 0.4], [0.5, 0.0, 0.5]])
    array([1, 0])
    """
    return (
        np.cumsum(np.asarray(probs, dtype=np.float64), axis=-1) >= 0.5 - 1e-12
    ).argmax(-1)


def ranked_probability_score(
    y_true: ArrayLike, y_proba: ArrayLike, *, positions: ArrayLike | None = None
) -> np.ndarray:
    """Squared distance of the two distribution functions, one value per row.

    Args:
        y_true: Class of each row, 0 to K - 1.
        y_proba: Rows x K probabilities.
        positions: Where the classes lie; 0 to K - 1 by default. The score is in their
            unit.

    References:
        Epstein (1969), A scoring system for probability forecasts of ranked categories.

    >>> ranked_probability_score([0], [[0.5, 0.0, 0.5]])
    array([0.5])
    """
    y, p = np.asarray(y_true), np.asarray(y_proba, dtype=np.float64)
    gaps = np.ones(p.shape[-1] - 1) if positions is None else np.diff(positions)
    below = np.cumsum(p, axis=-1)[:, :-1]
    reached = y[:, None] <= np.arange(p.shape[-1] - 1)
    return ((below - reached) ** 2) @ gaps


def log_score(y_true: ArrayLike, y_proba: ArrayLike) -> np.ndarray:
    """Minus the log-probability of the true class, in nats; infinite at zero.

    >>> log_score([0, 1], [[1.0, 0.0], [1.0, 0.0]])
    array([-0., inf])
    """
    p = np.asarray(y_proba, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return -np.log(np.take_along_axis(p, np.asarray(y_true)[:, None], -1)[:, 0])


def quadratic_weighted_kappa(
    y_true: ArrayLike, y_pred: ArrayLike, n_classes: int
) -> float:
    """Cohen's kappa with quadratic weights over all classes, not only those present.

    Zero where it is undefined: all rows of one class, all predicted as that class.

    >>> quadratic_weighted_kappa([0, 1, 2], [0, 1, 2], 3)
    1.0
    """
    y, guess = np.asarray(y_true), np.asarray(y_pred)
    if len(np.unique(np.concatenate([y, guess]))) < 2:
        return 0.0
    return float(
        cohen_kappa_score(y, guess, weights="quadratic", labels=range(n_classes))
    )
