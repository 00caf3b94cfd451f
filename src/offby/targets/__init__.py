"""Targets that are distributions over classes. Theory: docs/maths/targets.md."""

from offby.targets._families import (
    beta,
    binomial,
    by_frequency,
    exponential,
    geometric,
    poisson,
    triangular,
)
from offby.targets._numbers import hl_gauss, one_hot, smoothed, two_hot

__all__ = [
    "beta",
    "binomial",
    "by_frequency",
    "exponential",
    "geometric",
    "hl_gauss",
    "one_hot",
    "poisson",
    "smoothed",
    "triangular",
    "two_hot",
]
