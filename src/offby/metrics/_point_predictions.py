"""Metrics of point predictions. Theory: docs/maths/scores.md."""

import numpy as np
from numpy.typing import ArrayLike

from offby._checks import on_host
from offby.distribution.decide_class import median_index
from offby.grounds import Ground
from offby.metrics import _inputs


def median_class(y_proba: ArrayLike) -> np.ndarray:
    """The median of each row of probabilities, as a class index 0 to K - 1.

    It is the first class at which half of the mass is reached.

    Args:
        y_proba: Rows x classes probabilities.

    Returns:
        One index per row.

    >>> median_class([[0.2, 0.4, 0.4], [0.5, 0.0, 0.5]])
    array([1, 0])
    """
    return median_index(on_host(y_proba).astype(np.float64))


def mean_absolute_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    ground: Ground | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean absolute error: how far off the predictions are on average.

    Args:
        y_true: Class or number of each row.
        y_pred: Predicted class or number of each row.
        labels: The classes in their order. The position of a numeric class is its
            value, with or without `labels`; classes that are not numbers are at 0, 1,
            2, ... in the order of `labels`, which they need.
        ground: Distances of the classes to use instead of those of the labels: a
            `Circle`, `Tree` or `Costs`, for example. Its classes are 0 to K - 1, or
            `labels` in their order.
        sample_weight: One weight per row.

    Returns:
        The mean over rows, in the units of the labels.

    >>> mean_absolute_error([0, 4], [4, 4])
    2.0
    >>> mean_absolute_error(["low"], ["high"], labels=["low", "mid", "high"])
    2.0
    >>> from offby import Circle
    >>> mean_absolute_error([23, 0], [1, 0], ground=Circle.regular(24))
    1.0
    """
    return _inputs.mean(_off(y_true, y_pred, labels, ground), sample_weight)


def average_mean_absolute_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    ground: Ground | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean absolute error of each true class, averaged over the classes (AMAE).

    Also called macro-averaged MAE: rare classes count as much as frequent ones. Classes
    without rows are left out.

    Args:
        y_true: Class of each row.
        y_pred: Predicted class or number of each row.
        labels: The classes in their order; see `mean_absolute_error`.
        ground: Distances of the classes to use instead of those of the labels: a
            `Circle`, `Tree` or `Costs`, for example. Its classes are 0 to K - 1, or
            `labels` in their order.
        sample_weight: One weight per row.

    Returns:
        The mean over classes, in the units of the labels.

    References:
        Baccianella, Esuli, Sebastiani (2009), Evaluation measures for ordinal
        regression, ISDA, doi:10.1109/ISDA.2009.230.

    >>> average_mean_absolute_error([0, 0, 0, 4], [0, 0, 0, 1])
    1.5
    """
    return float(np.mean(_per_class(y_true, y_pred, labels, ground, sample_weight)))


def maximum_mean_absolute_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    ground: Ground | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean absolute error of the true class where it is largest (MMAE).

    Args:
        y_true: Class of each row.
        y_pred: Predicted class or number of each row.
        labels: The classes in their order; see `mean_absolute_error`.
        ground: Distances of the classes to use instead of those of the labels: a
            `Circle`, `Tree` or `Costs`, for example. Its classes are 0 to K - 1, or
            `labels` in their order.
        sample_weight: One weight per row.

    Returns:
        The error of the worst class, in the units of the labels.

    References:
        Cruz-Ramírez et al. (2014), Metrics to guide a multi-objective evolutionary
        algorithm for ordinal classification, Neurocomputing 135,
        doi:10.1016/j.neucom.2013.05.058.

    >>> maximum_mean_absolute_error([0, 0, 0, 4], [0, 0, 0, 1])
    3.0
    """
    return float(np.max(_per_class(y_true, y_pred, labels, ground, sample_weight)))


def quadratic_weighted_kappa(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Cohen's kappa with quadratic weights (QWK).

    .. math:: 1 - \frac{E (\hat y - y)^2}{E (\hat y' - y)^2}

    where :math:`\hat y'` is the prediction of an independent row. It is 1 for perfect
    predictions, 0 for predictions that are independent of the truth, and NaN if all
    rows and predictions are of one class. The weights are the squared distances of the
    labels, so classes that never occur change nothing. It equals Lin's concordance
    correlation coefficient.

    NOTE[DIFF] scikit-learn's `cohen_kappa_score` takes the distances of the indices in
    `labels`. Both are the same if the labels are at equal distances.

    Args:
        y_true: Class of each row.
        y_pred: Predicted class or number of each row.
        labels: The classes in their order; see `mean_absolute_error`.
        sample_weight: One weight per row.

    Returns:
        At most 1.

    References:
        Cohen (1968), Weighted kappa, Psychological Bulletin 70, doi:10.1037/h0026256.
        Lin (1989), A concordance correlation coefficient to evaluate reproducibility,
        Biometrics 45, doi:10.2307/2532051.

    >>> round(quadratic_weighted_kappa([0, 1, 2, 2], [0, 1, 2, 1]), 4)
    0.8
    """
    true, predicted = _inputs.values(y_true, y_pred, labels)
    weight = _inputs.weights(sample_weight, len(true))
    mean_true, mean_predicted = (
        np.average(y, weights=weight) for y in (true, predicted)
    )
    by_chance = (
        np.average((true - mean_true) ** 2, weights=weight)
        + np.average((predicted - mean_predicted) ** 2, weights=weight)
        + (mean_true - mean_predicted) ** 2
    )
    if by_chance == 0:
        return float("nan")
    return float(1 - np.average((predicted - true) ** 2, weights=weight) / by_chance)


def accuracy_within(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    distance: float = 1,
    *,
    labels: ArrayLike | None = None,
    ground: Ground | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Share of the predictions that are off by `distance` or less.

    Args:
        y_true: Class or number of each row.
        y_pred: Predicted class or number of each row.
        distance: The limit, in the units of the labels.
        labels: The classes in their order; see `mean_absolute_error`.
        ground: Distances of the classes to use instead of those of the labels: a
            `Circle`, `Tree` or `Costs`, for example. Its classes are 0 to K - 1, or
            `labels` in their order.
        sample_weight: One weight per row.

    Returns:
        Between 0 and 1.

    >>> accuracy_within([0, 4, 4], [2, 4, 3])
    0.6666666666666666
    """
    off = _off(y_true, y_pred, labels, ground)
    return _inputs.mean(off <= distance, sample_weight)


def far_error_rate(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    distance: float = 2,
    *,
    labels: ArrayLike | None = None,
    ground: Ground | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Share of the predictions that are off by `distance` or more.

    Args:
        y_true: Class or number of each row.
        y_pred: Predicted class or number of each row.
        distance: The limit, in the units of the labels.
        labels: The classes in their order; see `mean_absolute_error`.
        ground: Distances of the classes to use instead of those of the labels: a
            `Circle`, `Tree` or `Costs`, for example. Its classes are 0 to K - 1, or
            `labels` in their order.
        sample_weight: One weight per row.

    Returns:
        Between 0 and 1.

    >>> far_error_rate([0, 4, 4, 4], [2, 4, 3, 4])
    0.25
    """
    off = _off(y_true, y_pred, labels, ground)
    return _inputs.mean(off >= distance, sample_weight)


def _off(y_true, y_pred, labels, ground) -> np.ndarray:
    """Distance of each prediction from the truth."""
    if ground is not None:
        true, predicted = (
            _inputs.codes(name, y, labels, ground.n_classes)
            for name, y in (("y_true", y_true), ("y_pred", y_pred))
        )
        if len(true) != len(predicted):
            raise ValueError(
                "y_pred must hold one value for each of y_true, "
                f"got {len(predicted)} for {len(true)}"
            )
        return ground.cost.cpu().numpy()[predicted, true]
    true, predicted = _inputs.values(y_true, y_pred, labels)
    return np.abs(predicted - true)


def _per_class(y_true, y_pred, labels, ground, sample_weight) -> np.ndarray:
    """Mean absolute error of each true class that has rows of positive weight."""
    off = _off(y_true, y_pred, labels, ground)
    true = on_host(y_true)
    weight = _inputs.weights(sample_weight, len(true))
    present = np.unique(true[weight > 0])
    return np.array(
        [np.average(off[true == k], weights=weight[true == k]) for k in present]
    )
