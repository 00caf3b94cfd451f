"""Statistics of weighted numbers, where a weight means repetition."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class WeightedSample:
    """Different numbers in increasing order, each with its total weight.

    Every statistic is computed from these two arrays. So a number of weight 3 and a
    number that comes three times give the same result to the last bit.

    >>> WeightedSample.of([5.0, 1.0, 5.0]).weights
    array([1., 2.])
    """

    values: Float[np.ndarray, " different"]
    weights: Float[np.ndarray, " different"]

    @classmethod
    def of(
        cls, values: ArrayLike, weights: ArrayLike | None = None
    ) -> "WeightedSample":
        """Sort the numbers and add up the weights of equal ones.

        Args:
            values: The numbers.
            weights: Weight of each number; 1 by default. Numbers of weight 0 are left
                out.
        """
        numbers = np.asarray(values, dtype=np.float64).ravel()
        share = np.ones(len(numbers))
        if weights is not None:
            share = np.asarray(weights, dtype=np.float64).ravel()
            if share.shape != numbers.shape or not (share >= 0).all():
                raise ValueError(
                    "weights must hold one number of 0 or more for each value, got "
                    f"{len(share)} weights for {len(numbers)} values"
                    + ("" if (share >= 0).all() else ", some of them negative or NaN")
                )
            numbers, share = numbers[share > 0], share[share > 0]
        different, code = np.unique(numbers, return_inverse=True)
        return cls(different, np.bincount(code, share, minlength=len(different)))

    @property
    def total(self) -> float:
        """Sum of the weights: the number of rows, if they are 1."""
        return float(self.weights.sum())

    def mean(self) -> float:
        """Weighted mean."""
        return float(self.weights @ self.values / self.total)

    def std(self) -> float:
        """Weighted standard deviation; divides by the sum of the weights."""
        return float(
            np.sqrt(self.weights @ (self.values - self.mean()) ** 2 / self.total)
        )

    def quantile(self, levels: ArrayLike) -> Float[np.ndarray, "*levels"]:
        """The quantiles at these levels, from 0 to 1.

        With whole weights these are NumPy's quantiles of the repeated numbers. In
        general a number fills as much of the range of levels as it weighs, but for a
        straight line to the next number, which takes as much of it as the lighter of
        the two weighs, and at most a weight of 1. So weights that are all divided by
        the same factor change nothing, and a very small weight changes next to nothing.

        >>> WeightedSample.of([0.0, 10.0], [3, 1]).quantile([0, 0.5, 1]).tolist()
        [0.0, 0.0, 10.0]
        """
        ends, half = self.weights.cumsum(), np.minimum(self.weights, 1) / 2
        lines = np.minimum(half[1:], half[:-1])
        knots = np.empty(2 * len(ends))
        knots[0], knots[-1] = 0, ends[-1] - half[0] - half[-1]
        knots[1:-1:2] = ends[:-1] - lines - half[0]
        knots[2::2] = ends[:-1] + lines - half[0]
        places = np.asarray(levels, dtype=np.float64) * knots[-1]
        return np.interp(places, knots, np.repeat(self.values, 2))


def distinct_rows(
    table: Float[np.ndarray, "rows columns"],
) -> tuple[Int[np.ndarray, " different"], Int[np.ndarray, " rows"]]:
    """Rows that differ, in an order that does not depend on the order of the rows.

    So what is computed from them and their total weights is the same to the last bit
    for a row of weight 3 and for a row that comes three times.

    Returns:
        The first place of each, and of each row which of them it is.

    >>> first, code = distinct_rows(np.array([[2.0, 1.0], [0.0, 1.0], [2.0, 1.0]]))
    >>> first.tolist(), code.tolist()
    ([1, 0], [1, 0, 1])
    """
    rows = np.ascontiguousarray(table, dtype=np.float64) + 0.0  # -0.0 is 0.0
    bits = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
    _, first, code = np.unique(bits, return_index=True, return_inverse=True)
    return first, code
