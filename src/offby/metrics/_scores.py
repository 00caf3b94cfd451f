"""Metrics of predicted probabilities. Theory: docs/maths/scores.md."""

import numpy as np
from numpy.typing import ArrayLike

from offby.bins import Bins
from offby.grounds import Ground
from offby.metrics import rows
from offby.metrics._inputs import mean, weights


def ranked_probability_score(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    ground: Ground | None = None,
    sample_weight: ArrayLike | None = None,
    normalized: bool = False,
) -> float:
    r"""Mean squared distance of the predicted and the true distribution function.

    .. math:: \sum_k (x_{k+1} - x_k) \, (F_k - \mathbf 1[y \le k])^2

    It is the CRPS of a distribution whose masses are at the labels. It is strictly
    proper, depends on the distances of the classes, and is 0 if all mass is on the
    true class.

    Args:
        y_true: Class of each row.
        y_proba: Rows x classes probabilities. Rows that sum to 1 within 1e-3 are
            divided by their sum.
        labels: The classes in the order of the columns; 0 to K - 1 by default. Numeric
            labels are the positions of the classes; other classes are at 0, 1, 2, ...
        ground: Distances of the classes to use instead of those of the labels. The
            score is then half the energy distance, which is
            :func:`offby.losses.squared_emd` of the probabilities. It is proper if the
            ground is of negative type.
        sample_weight: One weight per row.
        normalized: Divide by the distance from the first class to the last, which is
            K - 1 without labels. The score is then between 0 and 1.

    Returns:
        The mean over rows, in the units of the labels.

    References:
        Epstein (1969), A scoring system for probability forecasts of ranked categories,
        J. Appl. Meteorol. 8.
        Gneiting, Raftery (2007), Strictly proper scoring rules, JASA 102,
        doi:10.1198/016214506000001437.

    >>> ranked_probability_score([0, 2], [[0.5, 0.0, 0.5], [0.0, 0.0, 1.0]])
    0.25
    >>> ranked_probability_score([0], [[0.5, 0.5]], labels=[0, 100])
    25.0
    """
    found = rows.ranked_probability_score(
        y_true, y_proba, labels=labels, ground=ground, normalized=normalized
    )
    return mean(found, sample_weight)


def log_score(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean of minus the log-probability of the true class.

    It is strictly proper and does not depend on the distances of the classes. It is
    infinite if the true class of any row of positive weight has probability 0, since
    probabilities are not clipped.

    Args:
        y_true: Class of each row.
        y_proba: Rows x classes probabilities.
        labels: The classes in the order of the columns; 0 to K - 1 by default.
        sample_weight: One weight per row.

    Returns:
        The mean over rows, in nats.

    References:
        Good (1952), Rational decisions, J. R. Stat. Soc. B 14.

    >>> round(log_score([0, 1], [[0.5, 0.5], [0.75, 0.25]]), 4)
    1.0397
    """
    return mean(rows.log_score(y_true, y_proba, labels=labels), sample_weight)


def brier_score(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Mean squared distance of the probabilities from those of certainty (Brier).

    .. math:: \sum_j (p_j - \mathbf 1[y = j])^2

    It is strictly proper, does not depend on the distances of the classes, and is
    between 0 and 2, for two classes too. scikit-learn halves it for two classes, unless
    `scale_by_half=False` is set.

    Args:
        y_true: Class of each row.
        y_proba: Rows x classes probabilities.
        labels: The classes in the order of the columns; 0 to K - 1 by default.
        sample_weight: One weight per row.

    Returns:
        The mean over rows.

    References:
        Brier (1950), Verification of forecasts expressed in terms of probability, Mon.
        Weather Rev. 78.

    >>> brier_score([0, 2], [[0.5, 0.0, 0.5], [0.0, 0.0, 1.0]])
    0.25
    """
    return mean(rows.brier_score(y_true, y_proba, labels=labels), sample_weight)


def histogram_crps(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    bins: Bins,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean continuous ranked probability score (CRPS) of histograms.

    It is exact for densities that are constant within each bin, for bins of any width
    and for numbers outside the edges; see :func:`offby.losses.histogram_crps`. Of bins
    on a circle (`Bins.periodic`) it is the circular CRPS, with arcs for distances.

    Args:
        y_true: Number of each row.
        y_proba: Rows x bins probabilities.
        bins: The bins of the histograms.
        sample_weight: One weight per row.

    Returns:
        The mean over rows, in the units of the bins.

    References:
        Matheson, Winkler (1976), Scoring rules for continuous probability
        distributions, Management Science 22, doi:10.1287/mnsc.22.10.1087.

    >>> round(histogram_crps([4.0], [[0.25] * 4], Bins.uniform(0, 8, 4)), 4)
    0.6667
    """
    return mean(rows.histogram_crps(y_true, y_proba, bins), sample_weight)


def histogram_log_score(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    bins: Bins,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean of minus the log density of histograms at the true numbers.

    It is strictly proper and does not depend on how far off the mass is. It is infinite
    if any number of positive weight is outside the edges or in a bin without mass.

    Args:
        y_true: Number of each row.
        y_proba: Rows x bins probabilities.
        bins: The bins of the histograms.
        sample_weight: One weight per row.

    Returns:
        The mean over rows, in nats (of a density per unit of the bins).

    References:
        Good (1952), Rational decisions, J. R. Stat. Soc. B 14.

    >>> round(histogram_log_score([1.0], [[0.25] * 4], Bins.uniform(0, 8, 4)), 4)
    2.0794
    """
    return mean(rows.histogram_log_score(y_true, y_proba, bins), sample_weight)


def pit_cdf(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    levels: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> np.ndarray:
    """Distribution function of the probability integral transform (PIT) at `levels`.

    For calibrated forecasts it equals the level. It is steeper in the middle if the
    forecasts are too wide, and at the ends if they are too narrow. Nothing is drawn at
    random: the mass of a class is spread evenly over the jump of the predicted
    distribution function.

    Args:
        y_true: Class of each row.
        y_proba: Rows x classes probabilities.
        levels: Probabilities at which the distribution function is evaluated.
        labels: The classes in the order of the columns; 0 to K - 1 by default.
        sample_weight: One weight per row.

    Returns:
        One share of the rows per level.

    References:
        Czado, Gneiting, Held (2009), Predictive model assessment for count data,
        Biometrics 65, doi:10.1111/j.1541-0420.2009.01191.x.

    >>> pit_cdf([0, 1], [[0.5, 0.5], [0.5, 0.5]], [0.25, 0.5, 0.75])
    array([0.25, 0.5 , 0.75])
    """
    reached = rows.pit_cdf(y_true, y_proba, levels, labels=labels)
    return np.average(reached, axis=0, weights=weights(sample_weight, len(reached)))


def histogram_pit_cdf(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    bins: Bins,
    levels: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> np.ndarray:
    """Distribution function of the PIT of histograms; see `pit_cdf`.

    Args:
        y_true: Number of each row.
        y_proba: Rows x bins probabilities.
        bins: The bins of the histograms.
        levels: Probabilities at which the distribution function is evaluated.
        sample_weight: One weight per row.

    Returns:
        One share of the rows per level.

    References:
        Dawid (1984), Statistical theory: the prequential approach, J. R. Stat. Soc. A
        147, doi:10.2307/2981683.

    >>> even = [[0.5, 0.5]] * 4
    >>> histogram_pit_cdf([0.5, 1.5, 2.5, 3.5], even, Bins([0, 2, 4]), [0.25, 0.5])
    array([0.25, 0.5 ])
    """
    reached = rows.histogram_pit_cdf(y_true, y_proba, bins, levels)
    return np.average(reached, axis=0, weights=weights(sample_weight, len(reached)))
