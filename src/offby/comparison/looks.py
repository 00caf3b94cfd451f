"""The level of each look at scores that grow by a seed at a time."""

import math
from functools import cache

import numpy as np
from scipy import interpolate, optimize, stats

_NODES = 80
"""Of Gauss and Legendre: with half of them, four digits stay the same."""
_MANY = (10, 14, 20, 30, 50, 100)
"""Looks between which the level is read off a smooth curve: exact to four digits."""


@cache
def level_of_looks(level: float, looks: int) -> float:
    """The same level for every look, so that all looks together keep `level`.

    The looks are those of Pocock: the mean of normal numbers after 1, 2, ..., `looks`
    of them. Scores of seeds on the same rows depend on each other more than those, and
    the more looks depend on each other, the rarer is one that errs.

    References:
        Pocock (1977), Group sequential methods in the design and analysis of clinical
        trials, Biometrika 64, doi:10.1093/biomet/64.2.191; the recursion is that of
        Armitage, McPherson, Rowe (1969), doi:10.2307/2343787.

    >>> [round(level_of_looks(0.05, looks), 4) for looks in (1, 2, 3, 5)]
    [0.05, 0.0294, 0.0221, 0.0158]
    """
    if looks == 1:
        return level
    if _MANY[0] < looks < _MANY[-1] and looks not in _MANY:
        return float(np.exp(_curve(level)(math.log(looks))))
    ends = stats.norm.isf(level / 2), stats.norm.isf(level / (2 * looks))
    bound = optimize.brentq(lambda at: _stays(at, looks) - (1 - level), *ends)
    return float(2 * stats.norm.sf(bound))


@cache
def _curve(level: float) -> interpolate.CubicSpline:
    """Logarithm of the level by the logarithm of the number of looks.

    A search for the number of seeds that settle an answer tries dozens of numbers, and
    the level of one takes a twentieth of a second.
    """
    levels = [level_of_looks(level, looks) for looks in _MANY]
    return interpolate.CubicSpline(np.log(_MANY), np.log(levels))


def _stays(bound: float, looks: int) -> float:
    """Chance that sums of normal numbers stay within `bound` deviations, always."""
    x, weight = _nodes()
    place, by = bound * x, bound * weight
    density = _normal(place)
    for look in range(2, looks + 1):
        wide = bound * math.sqrt(look)
        density = _normal(wide * x[:, None] - place) @ (density * by)
        place, by = wide * x, wide * weight
    return float(density @ by)


@cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(_NODES)


def _normal(x: np.ndarray) -> np.ndarray:
    """Density of normal numbers: that of scipy takes ten times as long."""
    return np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
