"""Settings of a grid that are words, and the default that all models share."""

from typing import Literal

Strategy = Literal["quantile", "uniform", "log", "kmeans", "blend"]
"""How numbers are cut into bins."""

DEFAULT_STRATEGY: Strategy = "kmeans"
"""Of the estimators and of `compare`; docs/grids.md shows why."""

Tails = Literal["none", "half-normal", "lower-half-normal", "upper-half-normal"]
"""Which of the bins at the ends reach to infinity."""

Bounds = tuple[float | None, float | None] | Literal["auto"] | None
"""Numbers beyond which no mass lies; None at either place is no bound."""


def has_lower_tail(tails: Tails) -> bool:
    """Whether the first bin reaches to minus infinity."""
    return tails in ("half-normal", "lower-half-normal")


def has_upper_tail(tails: Tails) -> bool:
    """Whether the last bin reaches to infinity."""
    return tails in ("half-normal", "upper-half-normal")


def tails_at(*, lower: bool, upper: bool) -> Tails:
    """The name of half-normal tails at these ends."""
    if lower and upper:
        return "half-normal"
    if lower:
        return "lower-half-normal"
    return "upper-half-normal" if upper else "none"
