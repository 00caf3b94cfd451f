"""`Histogram`: numbers of a histogram. Theory: docs/maths/histogram.md."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from offby._checks import on_host
from offby.distribution._function import masses_below, numbers_at
from offby.distribution._intervals import shortest_intervals
from offby.distribution._moments import Moments
from offby.distribution._rows import Array
from offby.distribution.circular import check_on_a_line
from offby.distribution.draws import RandomState, uniform
from offby.distribution.given import check_numbers
from offby.distribution.half_normal import log_density


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Histogram(Moments):
    """Masses, each spread over its bin: their distribution function and its inverse.

    `BinnedDistribution` explains the arguments.
    """

    def median(self) -> Float[np.ndarray, "*batch"]:
        """The number with half of the mass below, in the units of the target.

        >>> from offby import BinnedDistribution, Bins
        >>> float(BinnedDistribution([0.25, 0.75], Bins([0, 1, 4])).median())
        2.0
        """
        check_on_a_line("ppf", self.bins)
        return self._number_at(np.asarray(0.5))

    def cdf(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Mass below `y`, where `y` is in the units of the target.

        >>> from offby import BinnedDistribution, Bins
        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).cdf(2.0))
        0.75
        """
        check_on_a_line("cdf", self.bins)
        numbers = self._given("y", y)
        return numbers.like(self._below(numbers.values), "cdf")

    def sf(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Mass above `y`, the chance of more: 1 less `cdf`, as SciPy's `sf`.

        >>> from offby import BinnedDistribution, Bins
        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).sf(2.0))
        0.25
        """
        check_on_a_line("sf", self.bins)
        numbers = self._given("y", y)
        return numbers.like(1 - self._below(numbers.values), "sf")

    def _below(self, y: np.ndarray) -> Array:
        """Mass between the first edge and `y`."""
        return masses_below(self.probs, y.astype(np.float64), self.bins)[()]

    def ppf(self, q: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """The number with mass `q` below, in the units of the target.

        The inverse of `cdf` wherever the density is positive. Of an interval without
        mass it is the lower end; 0 and 1 give the ends of the support. A list holds one
        level for each forecast; `quantiles` takes several levels for all of them.

        >>> from offby import BinnedDistribution, Bins
        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).ppf(0.75))
        2.0
        """
        check_on_a_line("ppf", self.bins)
        levels = self._given("q", q, levels=True)
        return levels.like(self._number_at(levels.values), "ppf")

    def isf(self, q: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """The number with mass `q` above, in the units of the target: inverse of `sf`.

        >>> from offby import BinnedDistribution, Bins
        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).isf(0.25))
        2.0
        """
        check_on_a_line("isf", self.bins)
        levels = self._given("q", q, levels=True)
        found = self._number_at(1 - levels.values.astype(np.float64))
        return levels.like(found, "isf")

    def quantiles(self, levels: ArrayLike) -> Float[np.ndarray, "*batch levels"]:
        """Quantiles of every forecast at the same levels: rows x levels.

        Args:
            levels: Probabilities between 0 and 1, on one axis.

        Raises:
            ValueError: If they are not on one axis, or no probabilities.

        >>> from offby import BinnedDistribution, Bins
        >>> even = BinnedDistribution([[0.5, 0.5], [1, 0]], Bins([0, 1, 3]))
        >>> even.quantiles([0.25, 0.75])
        array([[0.5 , 2.  ],
               [0.25, 0.75]])
        """
        check_on_a_line("quantiles", self.bins)
        asked = on_host(levels)
        check_numbers("levels", asked)
        asked = asked.astype(np.float64)
        if asked.ndim != 1:
            raise ValueError(
                f"levels must be one axis of numbers, got shape {asked.shape}; a level "
                "of its own for each forecast goes to ppf"
            )
        batch = self.probs.shape[:-1]
        found = self._number_at(asked.reshape(-1, *(1 for _ in batch)))
        return np.moveaxis(np.broadcast_to(found, (len(asked), *batch)), 0, -1)

    def _number_at(self, q: np.ndarray) -> Array:
        """The number with mass `q` between the first edge and itself."""
        q = q.astype(np.float64)
        if ((q < 0) | (q > 1)).any():
            raise ValueError(
                "q must hold probabilities between 0 and 1, "
                f"got {q.min():g} to {q.max():g}"
            )
        return numbers_at(self.probs, q, self.bins)

    def pdf(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Density at `y`, per unit of the target; zero outside the bins.

        >>> from offby import BinnedDistribution, Bins
        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).pdf(2.0))
        0.25
        """
        numbers = self._given("y", y)
        return numbers.like(np.exp(self._log_density(numbers.values)), "pdf")

    def log_pdf(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Logarithm of the density at `y`, in nats; minus infinity where that is zero.

        >>> from offby import BinnedDistribution, Bins
        >>> BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).log_pdf(2.0).round(4).item()
        -1.3863
        """
        numbers = self._given("y", y)
        return numbers.like(self._log_density(numbers.values), "log_pdf")

    def _log_density(self, y: np.ndarray) -> Array:
        y, k = self._locate(y)
        with np.errstate(divide="ignore"):
            mass = np.log(self._pick(self.probs, k).astype(np.float64))
        return np.where(np.isnan(y), np.nan, mass + self._within(log_density, y, k))

    def prob(self, low: ArrayLike, high: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Mass between two numbers, in the units of the target.

        On a circle, on the way from `low` upward to `high`.

        >>> from offby import BinnedDistribution, Bins
        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).prob(0.5, 2))
        0.5
        """
        lower, upper = self._given("low", low), self._given("high", high)
        ends = np.broadcast_arrays(lower.values, upper.values)
        if not self.bins.wraps and (ends[0] > ends[1]).any():
            at = (ends[0] > ends[1]).argmax()
            raise ValueError(
                "low must not be above high, got low = "
                f"{ends[0].flat[at]:g} and high = {ends[1].flat[at]:g}; the chance of "
                "a number above y is sf(y)"
            )
        # Beside each other in front of the batch: so the masses are gone through once.
        apart = (1,) * (self.probs.ndim - 1 - ends[0].ndim)
        both = np.stack(ends).reshape(2, *apart, *ends[0].shape)
        below = self._below(both)
        mass = below[1] - below[0]
        if self.bins.wraps:
            all_around = both[1] - both[0] >= float(self.bins.period)
            mass = np.where(all_around, 1.0, np.where(mass < 0, mass + 1, mass))
        named = upper if lower.series is None else lower
        return named.like(mass, "prob")

    def interval(
        self, coverage: ArrayLike, *, kind: Literal["central", "shortest"] = "central"
    ) -> tuple[Float[np.ndarray, "*batch"], Float[np.ndarray, "*batch"]]:
        """An interval of that mass.

        Args:
            coverage: Mass inside, between 0 and 1.
            kind: "central" leaves out as much mass below as above; "shortest" is the
                shortest of all intervals of that mass.

        Returns:
            The lower and the upper end, in the units of the target.

        >>> from offby import BinnedDistribution, Bins
        >>> skewed = BinnedDistribution([0.5, 0.5], Bins([0, 1, 3]))
        >>> [float(end) for end in skewed.interval(0.5)]
        [0.5, 2.0]
        >>> [float(end) for end in skewed.interval(0.5, kind="shortest")]
        [0.0, 1.0]
        """
        check_on_a_line("interval", self.bins)
        levels = self._given("coverage", coverage, levels=True)
        inside = levels.values.astype(np.float64)
        if not ((inside >= 0) & (inside <= 1)).all():
            raise ValueError(f"coverage must lie between 0 and 1, got {coverage}")
        if kind == "central":
            ends = np.stack([(1 - inside) / 2, (1 + inside) / 2])
            apart = (1,) * (self.probs.ndim - 1 - inside.ndim)
            low, high = self._number_at(ends.reshape(2, *apart, *inside.shape))
            return levels.like(low, "low"), levels.like(high, "high")
        if kind != "shortest":
            raise ValueError(f'kind must be "central" or "shortest", got {kind!r}')
        shape = np.broadcast_shapes(inside.shape, self.probs.shape[:-1])
        rows = np.broadcast_to(self.probs, (*shape, self.bins.n_bins))
        mass = np.broadcast_to(inside, shape).reshape(-1)
        low, high = (
            ends.reshape(shape)
            for ends in shortest_intervals(
                rows.reshape(-1, self.bins.n_bins), mass, self.bins
            )
        )
        return levels.like(low, "low"), levels.like(high, "high")

    def sample(
        self, n: int, random_state: RandomState = None
    ) -> Float[np.ndarray, " draws *batch"]:
        """Independent draws, in the units of the target: n x batch.

        Args:
            n: Number of draws of each forecast.
            random_state: A seed or a generator of NumPy; None draws others each time.

        >>> from offby import BinnedDistribution, Bins
        >>> coin = BinnedDistribution([0.5, 0, 0.5], Bins([0, 1, 9, 10]))
        >>> coin.sample(4, random_state=0).round(1)
        array([9.3, 0.5, 0.1, 0. ])
        """
        return self._number_at(uniform(random_state, (n, *self.probs.shape[:-1])))

    def rvs(
        self,
        size: int | tuple[int, ...] | None = None,
        random_state: RandomState = None,
    ) -> Float[np.ndarray, "..."]:
        """Independent draws in the shape `size`, as SciPy's frozen distributions.

        Args:
            size: Shape of the draws, which ends in the shape of the batch; None draws
                one number of each forecast. `sample(n)` draws n of each.
            random_state: A seed or a generator of NumPy; None draws others each time.

        Raises:
            ValueError: If the shape does not end in that of the batch.

        >>> from offby import BinnedDistribution, Bins
        >>> coin = BinnedDistribution([[0.5, 0.5], [1, 0]], Bins([0, 1, 2]))
        >>> coin.rvs(random_state=0).shape, coin.rvs((9, 2), random_state=0).shape
        ((2,), (9, 2))
        """
        batch = self.probs.shape[:-1]
        shape = batch if size is None else tuple(np.atleast_1d(size).tolist())
        if shape[len(shape) - len(batch) :] != batch:
            raise ValueError(
                f"size must end in the shape of the batch, {batch}, got {size}; "
                "sample(n) draws n numbers of each forecast"
            )
        return self._number_at(uniform(random_state, shape))
