"""How far an axis reaches: to the contenders; who is far off goes off at an arrow."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

_ROOM = 3.0
"""An axis is at most so many times as long as the better half of the entries needs."""


@dataclass(frozen=True)
class Reach:
    """The part of an axis that is drawn."""

    low: float
    high: float
    off: tuple[str, ...]
    """Entries that lie beyond it; they are named at its edge."""

    def holds(self, key: str) -> bool:
        """Whether an entry is drawn where it lies."""
        return key not in self.off


def reach(
    extents: Mapping[str, tuple[float, float, float]], *, lower_is_better: bool = True
) -> Reach:
    """The axis for entries that reach from low over a middle to high.

    One that is many times as bad as the others, as a Wasserstein loss or the class
    frequencies, would press all that a reader wants to tell apart into one line. It is
    off if its middle lies beyond three times the width of the better half.

    >>> reach({"a": (1, 2, 3), "b": (2, 2, 4), "c": (50, 60, 70)})
    Reach(low=1, high=4, off=('c',))
    >>> reach({"a": (1, 2, 3), "b": (2, 2, 4), "c": (5, 6, 7)})
    Reach(low=1, high=7, off=())
    """
    sign = 1 if lower_is_better else -1
    order = sorted(extents, key=lambda key: sign * extents[key][1])
    better = order[: max(2, ceil(len(order) / 2))]
    ends = [sign * end for key in better for end in extents[key]]
    limit = min(ends) + _ROOM * (max(ends) - min(ends))
    off = [key for key in order if sign * extents[key][1] > limit]
    if max(ends) == min(ends):  # All that is known is one number.
        off = []
    drawn = [extents[key] for key in order if key not in off]
    low, high = min(low for low, _, _ in drawn), max(high for *_, high in drawn)
    return Reach(low, high, tuple(off))
