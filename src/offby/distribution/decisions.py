"""The best guess under a metric: what the metrics have in common.

A forecast is a whole distribution; a metric of guesses asks for one value. Whatever the
metric, the best guess is the one with the least expected loss under the forecast
(Gneiting 2011), so that one proper forecast serves all of them.

References:
    Gneiting (2011), Making and evaluating point forecasts, JASA 106,
    doi:10.1198/jasa.2011.r10138.
"""

import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from offby.grounds import Ground

CostFunction = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From true values and guesses, which broadcast, to the cost of each."""
Named = Literal["mae", "rmse", "mse", "mape", "accuracy", "qwk"]
Metric = Named | str | Ground | CostFunction
"""A name (also "within-2.5"), a matrix of costs as a ground, or a function."""

_WITHIN = re.compile(r"within-(\d+(?:\.\d+)?)")
_NAMES = ("mae", "rmse", "mse", "mape", "accuracy", "qwk")


def window_of(metric: str) -> float | None:
    """The distance in "within-2.5"; None of any other name.

    Raises:
        ValueError: If there is no metric of that name.
    """
    match = _WITHIN.fullmatch(metric)
    if match is not None:
        return float(match[1])
    if metric in _NAMES:
        return None
    raise ValueError(
        f"a decision is made for one of {', '.join(_NAMES)}, within-1 (or any other "
        f"distance), Costs, or a function of true values and guesses, got {metric!r}"
    )


def costs_between(
    cost: Callable[..., Any], guesses: np.ndarray, truths: np.ndarray
) -> np.ndarray:
    """Cost of each guess where each truth is true: guesses x truths.

    Raises:
        ValueError: If the function returns something else, or NaN.
    """
    found: Any = np.asarray(cost(truths[None, :], guesses[:, None]), dtype=np.float64)
    shape = (len(guesses), len(truths))
    try:
        found = np.broadcast_to(found, shape)
    except ValueError as error:
        raise ValueError(
            "a cost must be a function of true values and guesses that broadcast, got "
            f"shape {found.shape} for {len(truths)} true values in a row and "
            f"{len(guesses)} guesses in a column; use NumPy in it, as "
            "lambda y, guess: abs(y - guess)"
        ) from error
    if np.isnan(found).any():
        raise ValueError(
            "a cost must be a number for every true value and guess, got NaN; look at "
            "what the function does at 0"
        )
    return found


def kappa_guesses(
    means: np.ndarray,
    variances: np.ndarray,
    nearest: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    r"""Guesses of the highest QWK: a metric of all rows together.

    With the expected counts of a set of forecasts, QWK is 1 minus a ratio of two sums
    over rows,

    .. math:: \frac{\sum_i (a_i - \mu_i)^2 + v_i}{\sum_i (a_i - m)^2 + V},

    with the mean and variance of each forecast, and m and V those of their mixture.
    Dinkelbach's method finds the guesses a that make it least: for a ratio r, each
    guess is the allowed value nearest to :math:`(\mu_i - r m) / (1 - r)`, which is the
    mean, stretched away from the mean of all; then r is computed anew until it stays.

    References:
        Dinkelbach (1967), On nonlinear fractional programming, Management Science 13,
        doi:10.1287/mnsc.13.7.492.

    Args:
        means: Mean of each forecast.
        variances: Variance of each forecast.
        nearest: From numbers to the nearest values that may be guessed.
    """
    mean = means.mean()
    spread = (variances + (means - mean) ** 2).mean()

    def ratio_of(guesses: np.ndarray) -> float:
        chance = spread + ((guesses - mean) ** 2).mean()
        return (variances + (guesses - means) ** 2).mean() / chance if chance else 1.0

    best = nearest(means)
    ratio = ratio_of(best)
    for _ in range(100):  # a handful is enough: it converges faster than linearly
        # With a ratio of 1, as of equal guesses, means are stretched without end.
        stretch = 1 / max(1 - ratio, 1e-9)
        guesses = nearest(means + (means - mean) * (stretch - 1))
        new = ratio_of(guesses)
        if not new < ratio - 1e-12:
            break
        best, ratio = guesses, new
    return best
