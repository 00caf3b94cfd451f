"""Metrics of prediction intervals. Theory: docs/maths/scores.md."""

import numpy as np
from numpy.typing import ArrayLike

from offby.metrics import _inputs


def interval_coverage(
    y_true: ArrayLike,
    y_lower: ArrayLike,
    y_upper: ArrayLike,
    *,
    period: float | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Share of the numbers that lie in their interval, ends included.

    For calibrated intervals it is close to their nominal coverage.

    Args:
        y_true: Number of each row.
        y_lower: Lower end of each interval.
        y_upper: Upper end of each interval.
        period: Of numbers on a circle: intervals are arcs from the lower end upward to
            the upper one, which is the smaller number where the arc passes the seam.
        sample_weight: One weight per row.

    Returns:
        Between 0 and 1.

    >>> interval_coverage([1.0, 2.0, 9.0], [0.0, 2.0, 0.0], [1.0, 3.0, 1.0])
    0.6666666666666666
    >>> interval_coverage([355.0, 20.0], [350.0, 350.0], [10.0, 10.0], period=360)
    0.5
    """
    y, low, high = _interval(y_true, y_lower, y_upper, period)
    if period is not None:
        inside = np.mod(y - low, period) <= _lengths(low, high, period)
        return _inputs.mean(inside, sample_weight)
    return _inputs.mean((low <= y) & (y <= high), sample_weight)


def interval_width(
    y_lower: ArrayLike,
    y_upper: ArrayLike,
    *,
    period: float | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean width of the intervals.

    Of two methods with the same coverage, the one with narrower intervals is better.

    Args:
        y_lower: Lower end of each interval.
        y_upper: Upper end of each interval.
        period: Of arcs, as for `interval_coverage`.
        sample_weight: One weight per row.

    Returns:
        The mean over rows, in the units of the ends.

    >>> interval_width([0.0, 2.0], [1.0, 5.0])
    2.0
    >>> interval_width([350.0], [10.0], period=360)
    20.0
    """
    _, low, high = _interval(y_lower, y_lower, y_upper, period)
    width = high - low if period is None else _lengths(low, high, period)
    return _inputs.mean(width, sample_weight)


def interval_score(
    y_true: ArrayLike,
    y_lower: ArrayLike,
    y_upper: ArrayLike,
    coverage: float,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Mean of the width plus a penalty for numbers outside (Winkler score).

    .. math:: (u - l) + \frac{2}{1 - c} \big[ (l - y)_+ + (y - u)_+ \big]

    A proper score of the central interval of coverage c. It combines coverage and
    width in one number, and lower is better.

    Args:
        y_true: Number of each row.
        y_lower: Lower end of each interval.
        y_upper: Upper end of each interval.
        coverage: Nominal coverage of the intervals, 0 or more and less than 1.
        sample_weight: One weight per row.

    Returns:
        The mean over rows, in the units of the ends.

    References:
        Gneiting, Raftery (2007), Strictly proper scoring rules, JASA 102, section 6.2,
        doi:10.1198/016214506000001437.

    >>> round(interval_score([1.0, 4.0], [0.0, 0.0], [2.0, 2.0], coverage=0.9), 6)
    22.0
    """
    if not 0 <= coverage < 1:
        raise ValueError(
            f"coverage must be at least 0 and less than 1, got {coverage:g}; "
            "0.9 stands for 90 %"
        )
    y, low, high = _interval(y_true, y_lower, y_upper)
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return _inputs.mean(high - low + 2 / (1 - coverage) * outside, sample_weight)


def _interval(
    y_true: ArrayLike,
    y_lower: ArrayLike,
    y_upper: ArrayLike,
    period: float | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y = _inputs.finite("y_true", y_true)
    low, high = _inputs.finite("y_lower", y_lower), _inputs.finite("y_upper", y_upper)
    if not len(y) == len(low) == len(high):
        raise ValueError(
            "y_lower and y_upper must hold one end for each row, "
            f"got {len(low)} and {len(high)} for {len(y)}"
        )
    if period is not None:
        if not 0 < period < np.inf:
            raise ValueError(f"period must be a positive number, got {period}")
        return y, low, high
    if (low > high).any():
        at = int(np.flatnonzero(low > high)[0])
        raise ValueError(
            f"y_lower must not lie above y_upper, but in row {at} it is {low[at]:g} "
            f"above {high[at]:g}; of arcs on a circle give their period"
        )
    return y, low, high


def _lengths(low: np.ndarray, high: np.ndarray, period: float) -> np.ndarray:
    """How long each arc is; the whole circle where its ends are a period apart."""
    return np.where(high - low >= period, period, np.mod(high - low, period))
