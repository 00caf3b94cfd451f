"""Rows of data sets that a library hands over again in every round."""

from typing import Any, Literal

import numpy as np

from offby.boosting._bound import Bound, bind
from offby.boosting._objective import Objective


class Remembered:
    """An objective bound to the last few data sets.

    Args:
        objective: What is learned, or scored.
        order: How the library lays out raw outputs.
        mean: Whether weights are shares, so that a sum over the rows is a mean.
        most: So many data sets are kept.
    """

    def __init__(
        self,
        objective: Objective,
        *,
        order: Literal["C", "F"],
        mean: bool = False,
        most: int = 4,
    ) -> None:
        self._objective, self._mean, self._most = objective, mean, most
        self._order: Literal["C", "F"] = order
        # With what they are of: its address alone could be given to another later.
        self._seen: dict[int, tuple[Any, np.ndarray, np.ndarray | None, Bound]] = {}

    def rows(
        self, labels: np.ndarray, weight: np.ndarray | None, key: Any = None
    ) -> Bound:
        """The objective bound to these rows: checked once, while they are the same.

        Args:
            labels: Of a data set.
            weight: Of its rows.
            key: What it is known by, where the library makes new labels on each call.
        """
        key = labels if key is None else key
        found = self._seen.get(id(key))
        if found is None or not (_same(found[1], labels) and _same(found[2], weight)):
            if len(self._seen) >= self._most:
                self._seen.pop(next(iter(self._seen)))
            own = weight
            if self._mean:
                every = np.ones(len(labels)) if weight is None else weight
                own = every / every.sum(dtype=np.float64)
            bound = bind(self._objective, labels, own, order=self._order)
            found = key, labels, weight, bound
            self._seen[id(key)] = found
        return found[3]


def _same(old: np.ndarray | None, new: np.ndarray | None) -> bool:
    if old is None or new is None:
        return old is new
    return old is new or np.array_equal(old, new)
