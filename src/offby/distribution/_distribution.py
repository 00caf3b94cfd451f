"""`BinnedDistribution`: masses of bins. Theory: docs/maths/histogram.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from offby.distribution._crps import crps_at
from offby.distribution._histogram import Histogram
from offby.distribution._mixture import mixture
from offby.distribution._plot import plot
from offby.distribution._rows import Array
from offby.distribution.around import crps_around
from offby.distribution.circular import check_on_a_line
from offby.distribution.decide_number import best_number
from offby.distribution.decisions import Metric
from offby.distribution.given import frame


@dataclass(frozen=True, eq=False, repr=False, init=False)
class BinnedDistribution(Histogram):
    """Distributions whose density is constant inside each bin and zero outside.

    Bins with half-normal tails have these for their first and last. Everything is exact
    for that density.

    Every method takes a single number, or one for each forecast: of 3 rows, `ppf(0.5)`
    and `ppf([0.1, 0.5, 0.9])` have shape (3,). Several for each broadcast as in NumPy,
    `ppf([[0.1], [0.9]])` has shape (2, 3); `quantiles([0.1, 0.9])` has shape (3, 2),
    and `forecast[:, None].cdf(grid)` rows x numbers. A series comes back as a series
    with its index. An array of shape (rows, 1) is refused: it is one column of a table
    more often than all pairs.

    It computes in NumPy on the host: tensors are welcome everywhere, on any device and
    in any precision, but what comes back are arrays without gradients. `offby.decode`
    computes means, quantiles and chances in torch, on the device and with gradients.

    On a circle (`Bins.periodic`) the mean is the direction of the mean; what needs a
    lowest number (`cdf`, `ppf`, `var`, `interval`, ...) is refused; `crps` has arcs.

    Args:
        probs: Mass of each bin, bins on the last axis. Rows that sum to 1 within 1e-3
            are divided by their sum.
        bins: The grid, in the units of the target.
        row_index: The index of the pandas frame that the forecasts are for; estimators
            set it. `to_frame` has it, and scores of a series check it.

    Raises:
        ValueError: If rows do not fit the bins, are negative or NaN, or miss the sum.

    References:
        Gneiting, Raftery (2007), Strictly proper scoring rules, JASA 102,
        doi:10.1198/016214506000001437.

    >>> from offby import Bins
    >>> rain = BinnedDistribution([0.5, 0.25, 0.25], Bins([0, 1, 2, 6]))
    >>> rain
    BinnedDistribution(batch (), Bins(3 bins from 0 to 6, widths 1 to 4))
    >>> float(rain.mean()), float(rain.median())
    (1.625, 1.0)
    """

    def crps(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Continuous ranked probability score at `y`, in the units of the target.

        The formula is that of `offby.losses.histogram_crps`; on a circle, with arcs for
        distances (Grimit et al. 2006).

        References:
            Matheson, Winkler (1976), Scoring rules for continuous probability
            distributions, Management Science 22, doi:10.1287/mnsc.22.10.1087.

        >>> from offby import Bins
        >>> even = BinnedDistribution([0.25] * 4, Bins.uniform(0, 8, 4))
        >>> even.crps(4).round(4).item()
        0.6667
        """
        numbers = self._given("y", y)
        return numbers.like(self._crps(numbers.values.astype(np.float64)), "crps")

    def _crps(self, y: Array) -> Array:
        shape = np.broadcast_shapes(y.shape, self.probs.shape[:-1])
        mass = np.broadcast_to(self.probs, (*shape, self.bins.n_bins))
        number = np.broadcast_to(y, shape).reshape(-1)
        if self.bins.wraps:
            rows = mass.reshape(-1, mass.shape[-1]).astype(np.float64)
            return crps_around(rows, self.bins, number).reshape(shape)
        rows = mass.reshape(-1, mass.shape[-1])
        return crps_at(rows, number.astype(np.float64), self.bins).reshape(shape)

    def quantile_loss(
        self, y: ArrayLike, level: ArrayLike
    ) -> Float[np.ndarray, "*batch"]:
        """Pinball loss of the quantile at a level, in the units of the target.

        Its integral over the levels is half the CRPS.

        References:
            Koenker, Bassett (1978), Regression quantiles, Econometrica 46,
            doi:10.2307/1913643.

        >>> from offby import Bins
        >>> float(BinnedDistribution([1.0], Bins([0, 1])).quantile_loss(2.0, 0.5))
        0.75
        """
        check_on_a_line("quantile_loss", self.bins)
        numbers, levels = self._given("y", y), self._given("level", level, levels=True)
        share = levels.values.astype(np.float64)
        short = numbers.values.astype(np.float64) - self._number_at(share)
        return numbers.like(
            np.maximum(share * short, (share - 1) * short), "quantile_loss"
        )

    def pit(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Probability integral transform: uniform on 0 to 1 if the forecast is right.

        References:
            Dawid (1984), Statistical theory: the prequential approach, J. R. Stat.
            Soc. A 147, doi:10.2307/2981683.

        >>> from offby import Bins
        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).pit(0.5))
        0.25
        """
        check_on_a_line("pit", self.bins)
        numbers = self._given("y", y)
        return numbers.like(self._below(numbers.values), "pit")

    def decide(self, metric: Metric) -> Float[np.ndarray, "*batch"]:
        """The best guess under a metric: the one with the least expected loss.

        Args:
            metric: A name, or the cost of each mistake.

                - "mae": the median;
                - "rmse" (or "mse"): the mean;
                - "mape": the median of the density divided by the distance from 0;
                - "accuracy": the mode;
                - "within-1" (or any other distance): the middle of
                  the window of that half-width with the most mass;
                - "qwk": quadratic weighted kappa, which for numbers is Lin's
                  concordance correlation, depends on all rows together: means,
                  stretched away from their mean (docs/estimators.md);
                - a ground, as `Costs(matrix)`: of the bins; the center
                  of the bin of the least expected cost;
                - a function of true values and guesses, which broadcast: the least
                  expected cost, on four points of each bin.

        Returns:
            A number for each forecast, in the units of the target.

        Raises:
            ValueError: If there is no such metric, or it does not fit the bins.

        >>> from offby import Bins
        >>> rain = BinnedDistribution([0.5, 0.25, 0.25], Bins([1, 2, 3, 7]))
        >>> [round(float(rain.decide(m)), 2) for m in ("mae", "rmse", "mape")]
        [2.0, 2.62, 1.65]
        >>> float(rain.decide(lambda y, guess: np.maximum(9 * (y - guess), guess - y)))
        5.5
        """
        return best_number(self, metric)

    def to_frame(
        self,
        quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95),
        backend: str = "pandas",
    ) -> Any:
        """A data frame: a row per forecast, with its mean and some quantiles.

        Args:
            quantiles: Levels between 0 and 1.
            backend: The library of the frame: "pandas" (with the index of the frame
                that the forecasts come from), "polars" or "pyarrow".

        >>> from offby import Bins
        >>> even = BinnedDistribution([[0.5, 0.5]], Bins([0, 2, 4]))
        >>> even.to_frame([0.5], "polars").rows()
        [(2.0, 2.0)]
        """
        columns = {"mean": np.reshape(self.mean(), -1)}
        for level in quantiles:
            found = self._number_at(np.asarray(level))
            columns[f"quantile_{level:g}"] = np.reshape(found, -1)
        return frame(columns, backend, self.row_index)

    @classmethod
    def mixture(
        cls,
        parts: Sequence["BinnedDistribution"],
        weights: Sequence[float] | None = None,
    ) -> "BinnedDistribution":
        """The mixture of several forecasts, on the edges of all of them.

        Args:
            parts: Distributions of the same batch; grids with tails must be the same.
            weights: Share of each part; equal by default.

        >>> from offby import Bins
        >>> even = BinnedDistribution([1.0], Bins([0, 2]))
        >>> upper = BinnedDistribution([1.0], Bins([1, 2]))
        >>> BinnedDistribution.mixture([even, upper]).probs
        array([0.25, 0.75])
        """
        index = parts[0].row_index if len(parts) else None
        same = index is not None and all(index.equals(p.row_index) for p in parts)
        return cls(*mixture(parts, weights), row_index=index if same else None)

    def plot(
        self, ax: Any = None, *, color: str = "#0072b2", label: str = "target"
    ) -> Any:
        """Draw the density: of one forecast as an area, of several as ridges.

        Args:
            ax: matplotlib axes to draw on; new ones by default.
            color: Of the areas.
            label: What the numbers are, below their axis.

        Returns:
            The axes.

        Raises:
            RuntimeError: If matplotlib is not installed.
        """
        return plot(self.probs, self.bins, ax, color, label)
