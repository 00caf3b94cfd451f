"""Agreement of predictions with the truth: of ranks, by class, beyond chance."""

import numpy as np
from numpy.typing import ArrayLike

from offby.metrics import _inputs


def sensitivities(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> np.ndarray:
    """Share of each true class that is predicted right (recall).

    Args:
        y_true: Class of each row.
        y_pred: Predicted class of each row.
        labels: The classes in their order. A class without rows gets NaN. By default,
            the classes that have rows, in increasing order.
        sample_weight: One weight per row.

    Returns:
        One share per class.

    >>> sensitivities([0, 0, 1, 4], [0, 1, 1, 3])
    array([0.5, 1. , 0. ])
    """
    true, predicted = _inputs.values(y_true, y_pred, labels)
    weight = _inputs.weights(sample_weight, len(true))
    right = weight * (true == predicted)
    if labels is None:
        classes = np.unique(true[weight > 0])
    else:
        classes = _inputs.positions(labels, 0)
    total = np.array([weight[true == k].sum() for k in classes])
    found = np.array([right[true == k].sum() for k in classes])
    return np.divide(found, total, out=np.full(len(total), np.nan), where=total > 0)


def minimum_sensitivity(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Share that is predicted right of the class where it is least.

    Args:
        y_true: Class of each row.
        y_pred: Predicted class of each row.
        labels: The classes in their order; those without rows are left out.
        sample_weight: One weight per row.

    Returns:
        Between 0 and 1.

    References:
        Fernández Caballero et al. (2010), Sensitivity versus accuracy in multiclass
        problems using memetic Pareto evolutionary neural networks, IEEE Trans. Neural
        Netw. 21, doi:10.1109/TNN.2010.2041468.

    >>> minimum_sensitivity([0, 0, 1, 1], [0, 1, 1, 1])
    0.5
    """
    found = sensitivities(y_true, y_pred, labels=labels, sample_weight=sample_weight)
    return float(np.nanmin(found))


def geometric_mean_sensitivity(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Geometric mean over the classes of the share that is predicted right.

    One class that is never predicted makes it 0. Other packages also take the mean of
    the first and the last class alone: `sensitivities(...)[[0, -1]]` has these.

    Args:
        y_true: Class of each row.
        y_pred: Predicted class of each row.
        labels: The classes in their order; those without rows are left out.
        sample_weight: One weight per row.

    Returns:
        Between 0 and 1.

    References:
        Kubat, Holte, Matwin (1998), Machine learning for the detection of oil spills in
        satellite radar images, Machine Learning 30, doi:10.1023/A:1007452223027.

    >>> round(geometric_mean_sensitivity([0, 0, 1, 1], [0, 1, 1, 1]), 4)
    0.7071
    """
    found = sensitivities(y_true, y_pred, labels=labels, sample_weight=sample_weight)
    found = found[~np.isnan(found)]
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(found).mean()))


def linear_weighted_kappa(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Cohen's kappa with linear weights.

    .. math:: 1 - \frac{E |\hat y - y|}{E |\hat y' - y|}

    where :math:`\hat y'` is the prediction of an independent row. A miss by two costs
    twice a miss by one, not four times as in `quadratic_weighted_kappa`. NaN if all
    rows and predictions are of one class. The weights are the distances of the labels:
    see there for the difference to scikit-learn.

    Args:
        y_true: Class of each row.
        y_pred: Predicted class of each row.
        labels: The classes in their order; see `mean_absolute_error`.
        sample_weight: One weight per row.

    Returns:
        At most 1.

    References:
        Cohen (1968), Weighted kappa, Psychological Bulletin 70, doi:10.1037/h0026256.

    >>> round(linear_weighted_kappa([0, 1, 2, 2], [0, 1, 2, 1]), 4)
    0.7143
    """
    true, predicted = _inputs.values(y_true, y_pred, labels)
    weight = _inputs.weights(sample_weight, len(true))
    places = np.unique(np.concatenate([true, predicted]))
    share = weight / weight.sum()

    def below(y: np.ndarray) -> np.ndarray:
        mass = np.bincount(np.searchsorted(places, y), share, len(places))
        return mass.cumsum()[:-1]

    # Between two places, independent rows are on different sides.
    f, g = below(true), below(predicted)
    by_chance = float(np.diff(places) @ (f * (1 - g) + g * (1 - f)))
    if by_chance <= 0:
        return float("nan")
    return float(1 - share @ np.abs(predicted - true) / by_chance)


def kendall_tau_b(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Kendall's rank correlation with ties (tau-b).

    Of pairs of rows, the share in the right order minus that in the wrong one, relative
    to the pairs that are tied in neither. Spacing of the classes makes no difference.

    Args:
        y_true: Class or number of each row.
        y_pred: Predicted class or number of each row.
        labels: The classes in their order; see `mean_absolute_error`.
        sample_weight: One weight per row; a row of weight 2 counts as two. With
            weights, the work is one table of distinct truths x distinct predictions.

    Returns:
        Between -1 and 1; NaN if all rows, or all predictions, are alike.

    References:
        Kendall (1945), The treatment of ties in ranking problems, Biometrika 33,
        doi:10.1093/biomet/33.3.239.

    >>> round(kendall_tau_b([0, 1, 2, 2], [0, 1, 2, 1]), 4)
    0.8
    """
    true, predicted = _inputs.values(y_true, y_pred, labels)
    if sample_weight is None:
        from scipy.stats import kendalltau

        if len(true) < 2:
            return float("nan")
        return float(kendalltau(true, predicted)[0])
    weight = _inputs.weights(sample_weight, len(true))
    _, row = np.unique(true, return_inverse=True)
    _, column = np.unique(predicted, return_inverse=True)
    shape = row.max() + 1, column.max() + 1
    counts = np.zeros(shape)
    np.add.at(counts, (row, column), weight)
    # All that lies strictly below and left of each cell, and below and right of it.
    left = np.zeros((shape[0] + 1, shape[1] + 1))
    left[1:, 1:] = counts.cumsum(0).cumsum(1)
    right = left[:-1, -1:] - left[:-1, 1:]
    agree, differ = (counts * left[:-1, :-1]).sum(), (counts * right).sum()
    total = counts.sum()
    squares = total**2
    apart = (squares - (counts.sum(axis) ** 2).sum() for axis in (0, 1))
    both = float(np.sqrt(np.prod(list(apart)))) / 2
    return float((agree - differ) / both) if both > 0 else float("nan")


def spearman_correlation(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Spearman's rank correlation: the correlation of the ranks, ties at their mean.

    Args:
        y_true: Class or number of each row.
        y_pred: Predicted class or number of each row.
        labels: The classes in their order; see `mean_absolute_error`.
        sample_weight: One weight per row; a row of weight 2 counts as two.

    Returns:
        Between -1 and 1; NaN if all rows, or all predictions, are alike.

    References:
        Spearman (1904), The proof and measurement of association between two things,
        Am. J. Psychol. 15, doi:10.2307/1412159.

    >>> round(spearman_correlation([0, 1, 2, 2], [0, 1, 2, 1]), 4)
    0.8333
    """
    true, predicted = _inputs.values(y_true, y_pred, labels)
    weight = _inputs.weights(sample_weight, len(true))
    a, b = (_centered_ranks(y, weight) for y in (true, predicted))
    size = np.sqrt(np.average(a**2, weights=weight) * np.average(b**2, weights=weight))
    if size == 0:
        return float("nan")
    return float(np.average(a * b, weights=weight) / size)


def _centered_ranks(y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean rank of each value, less the mean of them all."""
    _, at = np.unique(y, return_inverse=True)
    mass = np.bincount(at, weight)
    rank = (mass.cumsum() - mass / 2)[at]
    return rank - np.average(rank, weights=weight)
