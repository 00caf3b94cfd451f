"""Bounds of a target: numbers beyond which no mass lies, given or found."""

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float

from offby.bins.names import Bounds, Tails, has_lower_tail, has_upper_tail, tails_at
from offby.weighted import WeightedSample

Edges = Float[np.ndarray, " edges"]

_TOPS = 1.0, 100.0
"""Where shares end, as fractions and in percent."""
_FAR = 20
"""In standard deviations: no tail has any mass to speak of so far out."""
_THIN = 10
"""A heavy value at a bound has this part of the way to the next edge to itself."""


@dataclass(frozen=True)
class Support:
    """The interval that holds all mass; None is no bound.

    >>> Support.of(WeightedSample.of([0.5, 2.0, 7.0]), "auto")
    Support(low=0.0, high=None)
    """

    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, sample: WeightedSample, bounds: Bounds) -> "Support":
        """The bounds as they were given, or found if they are "auto".

        Raises:
            ValueError: If they are no bounds, or some of the numbers lie beyond them.
        """
        if bounds is None:
            return cls()
        if isinstance(bounds, str):
            if bounds != "auto":
                raise ValueError(_sentence(bounds))
            return _found(sample)
        low, high = checked_bounds(bounds)
        least, most = sample.values[[0, -1]].tolist()
        if (low is not None and least < low) or (high is not None and most > high):
            raise ValueError(
                f"bounds must hold all numbers, got ({low}, {high}) for numbers from "
                f"{least:g} to {most:g}; widen the bounds, or drop the rows beyond them"
            )
        return cls(low, high)


def checked_bounds(bounds: Any) -> tuple[float | None, float | None]:
    """The pair, with None for what is infinite.

    Raises:
        ValueError: If it is no pair of increasing numbers or None.
    """
    try:
        low, high = bounds
    except (TypeError, ValueError) as error:
        raise ValueError(_sentence(bounds)) from error
    for end in (low, high):
        number = isinstance(end, Real) and not isinstance(end, bool)
        if end is not None and not (number and end == end):
            raise ValueError(_sentence(bounds))
    low, high = (None if end is None else float(end) for end in (low, high))
    low, high = (None if low == -np.inf else low), (None if high == np.inf else high)
    if low is not None and high is not None and not low < high:
        raise ValueError(_sentence(bounds))
    return low, high


def _sentence(bounds: Any) -> str:
    return (
        'bounds must be "auto", None, or two numbers in increasing order, either of '
        f"which may be None, got {bounds!r}; positive numbers have the bounds (0, None)"
    )


def _found(sample: WeightedSample) -> Support:
    """0 below numbers that are never negative; 1 or 100 above what looks like shares.

    Numbers look like shares if they use the whole range: the least is within a
    hundredth of it from 0 and the largest from the top, and a hundredth of the rows,
    and no fewer than five, lie in the highest twentieth. A skewed target that happens
    to end there has hardly any rows there.

    Of years, 0 is so far away that no tail reaches it: it would only cost a bin.
    """
    least, most = sample.values[[0, -1]]
    if least < 0 or (len(sample.values) > 1 and least > _FAR * sample.std()):
        return Support()
    for top in _TOPS:
        if least <= 0.01 * top and 0.99 * top <= most <= top and len(sample.values) > 5:
            near = float(sample.weights[sample.values >= 0.95 * top].sum())
            if near >= max(5.0, 0.01 * sample.total):
                return Support(0.0, top)
    return Support(0.0)


def bounded_edges(
    edges: Edges, sample: WeightedSample, support: Support, tails: Tails
) -> tuple[Edges, Tails]:
    """The edges ended at the bounds, and the tails that are left: none at a bound.

    A value at a bound with a bin of its own gets a narrow one: the even spread of its
    mass over half of the way to the next value would move every mean inward.

    Args:
        edges: The edges around the numbers, in units of the target.
        sample: The numbers.
        support: Where mass may lie.
        tails: The tails that are wanted. Where there is to be a tail, one or two more
            bins take its place if the edges end before the bound.
    """
    ends = has_lower_tail(tails), has_upper_tail(tails)
    room = sample.std() or float(edges[-1] - edges[0])
    edges, lower = _bounded_below(edges, sample.values, support.low, room, ends[0])
    high = None if support.high is None else -support.high
    mirrored, upper = _bounded_below(
        -edges[::-1], -sample.values[::-1], high, room, ends[1]
    )
    left = tails_at(lower=ends[0] and not lower, upper=ends[1] and not upper)
    return 0.0 - mirrored[::-1], left


def _bounded_below(
    edges: Edges, values: np.ndarray, low: float | None, room: float, extend: bool
) -> tuple[Edges, bool]:
    """The edges, and whether no mass lies beyond the first."""
    if low is None:
        return edges, False
    if low < edges[0]:
        if not extend:
            return edges, True
        # Evenly spread mass far out would move the mean: half of it stays near.
        near = [edges[0] - room] if edges[0] - low > 2 * room else []
        return np.concatenate([[low], near, edges]), True
    own = values[0] == low and (len(values) == 1 or values[1] > edges[1])
    thin = [low + (edges[1] - low) / _THIN] if own else []
    return np.concatenate([[low], thin, edges[1:]]), True
