"""`BinnedDistribution`: masses of bins. Theory: docs/maths/histogram.md."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.special import entr
from torch import Tensor

from offby._checks import at_least_float32, normalized, on_host
from offby.bins import Bins
from offby.distribution._intervals import shortest_intervals
from offby.distribution._mixture import mixture
from offby.distribution._plot import plot
from offby.distribution._rows import ROWS_AT_ONCE, Array, in_chunks, within_bins
from offby.distribution.circular import check_on_a_line, mean_direction
from offby.distribution.decide_number import best_number
from offby.distribution.decisions import Metric
from offby.distribution.draws import RandomState, uniform
from offby.distribution.half_normal import (
    densest,
    entropies,
    log_density,
    moments,
    number_at,
    share_below,
)
from offby.distribution.sides import Sides


@dataclass(frozen=True, eq=False, repr=False, init=False)
class BinnedDistribution:
    """Distributions whose density is constant inside each bin and zero outside.

    Bins with half-normal tails have these for their first and last. Everything is exact
    for that density. Numbers given to a method broadcast against
    the batch: of 3 rows, `ppf(0.5)` has shape (3,) and `ppf([[0.1], [0.9]])` (2, 3).

    It computes in NumPy on the host: tensors are welcome everywhere, on any device and
    in any precision, but what comes back are arrays without gradients. `offby.decode`
    computes means, quantiles and chances in torch, on the device and with gradients.

    On a circle (`Bins.periodic`) the mean is the direction of the mean; what needs a
    lowest number (`cdf`, `ppf`, `var`, `interval`, `crps`, ...) is refused.

    Args:
        probs: Mass of each bin, bins on the last axis. Rows that sum to 1 within 1e-3
            are divided by their sum.
        bins: The grid, in the units of the target.

    Raises:
        ValueError: If rows do not fit the bins, are negative or NaN, or miss the sum.

    References:
        Gneiting, Raftery (2007), Strictly proper scoring rules, JASA 102,
        doi:10.1198/016214506000001437.

    >>> rain = BinnedDistribution([0.5, 0.25, 0.25], Bins([0, 1, 2, 6]))
    >>> rain
    BinnedDistribution(batch (), Bins(3 bins from 0 to 6, widths 1 to 4))
    >>> float(rain.mean()), float(rain.median())
    (1.625, 1.0)
    """

    probs: Float[np.ndarray, "*batch bins"]
    bins: Bins

    def __init__(self, probs: Tensor | ArrayLike, bins: Bins) -> None:
        object.__setattr__(self, "bins", bins)
        probs = normalized(
            "probs",
            probs,
            bins.n_bins,
            "bins on their last axis, as the grid has",
            "raw network output goes through `BinnedDistribution.from_logits`",
        )
        object.__setattr__(self, "probs", probs)

    @classmethod
    def from_logits(
        cls, logits: Float[Tensor, "*batch bins"] | ArrayLike, bins: Bins
    ) -> "BinnedDistribution":
        """The distribution whose masses are the softmax of a network's raw output.

        In the precision of the logits, float32 for half: for a million rows the masses
        are what takes the memory. The numbers that come of them are float64.

        >>> BinnedDistribution.from_logits([0.0, 0.0], Bins([0, 1, 3])).probs
        array([0.5, 0.5])
        """
        if not isinstance(logits, Tensor):
            given = np.asarray(logits)
            if given.dtype != np.float32:
                given = given.astype(np.float64)
            logits = torch.tensor(given)
        probs = at_least_float32(logits.detach()).softmax(-1).cpu().numpy()
        if probs.ndim == 0 or probs.shape[-1] != bins.n_bins:
            raise ValueError(
                f"logits must have {bins.n_bins} bins on their last axis, as the grid "
                f"has, got shape {probs.shape}"
            )
        # A softmax is a distribution, or NaN in the whole row.
        if np.isnan(probs[..., 0]).any():
            at = tuple(int(i) for i in np.argwhere(np.isnan(probs[..., 0]))[0])
            raise ValueError(
                f"logits must hold numbers below infinity, but those of row {list(at)} "
                "have no softmax; look for NaN in the network's output"
            )
        return cls._of(probs, bins)

    @classmethod
    def _of(cls, probs: np.ndarray, bins: Bins) -> "BinnedDistribution":
        """Masses that are known to be right."""
        made = object.__new__(cls)
        object.__setattr__(made, "bins", bins)
        object.__setattr__(made, "probs", probs)
        return made

    def __getitem__(self, rows: Any) -> "BinnedDistribution":
        """The forecasts of some rows.

        >>> BinnedDistribution([[0.5, 0.5], [0.0, 1.0]], Bins([0, 1, 3]))[1].mean()
        np.float64(2.0)
        """
        if self.probs.ndim == 1:
            raise IndexError("a single forecast has no rows to choose from")
        if isinstance(rows, Tensor):
            rows = on_host(rows)
        # Of rows only: the bins stay together, or their masses would not sum to 1.
        place = np.arange(self._rows.shape[0]).reshape(self.probs.shape[:-1])[rows]
        return self._of(self._rows[place], self.bins)

    def __len__(self) -> int:
        """How many there are along the first axis."""
        if self.probs.ndim == 1:
            raise TypeError("a single forecast has no length")
        return len(self.probs)

    def mean(self) -> Float[np.ndarray, "*batch"]:
        """Expected value, in the units of the target.

        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 2, 4])).mean())
        2.0
        """
        if self.bins.wraps:
            return self._each_row(
                lambda p: mean_direction(torch.from_numpy(p), self.bins).numpy()
            )
        means, _ = self._moments
        return self._each_row(lambda p: p @ means)

    def median(self) -> Float[np.ndarray, "*batch"]:
        """The number with half of the mass below, in the units of the target.

        >>> float(BinnedDistribution([0.25, 0.75], Bins([0, 1, 4])).median())
        2.0
        """
        return self.ppf(0.5)

    def mode(self) -> Float[np.ndarray, "*batch"]:
        """Center of the densest bin (not of the heaviest), in the units of the target.

        A half-normal tail is densest at its inner edge.

        >>> float(BinnedDistribution([0.4, 0.6], Bins([0, 1, 9])).mode())
        0.5
        """
        places, densities = (part.cpu().numpy() for part in densest(self.bins))
        return self._each_row(lambda p: places[(p * densities).argmax(-1)])

    def var(self) -> Float[np.ndarray, "*batch"]:
        """Variance, within bins included, in squared units of the target.

        >>> BinnedDistribution([0.5, 0.5], Bins([0, 6, 12])).var().item()
        12.0
        """
        check_on_a_line("var", self.bins)
        means, variances = self._moments

        def of(p: Array) -> Array:
            apart = means - (p @ means)[:, None]
            return (p * (apart**2 + variances)).sum(-1)

        return self._each_row(of)

    def std(self) -> Float[np.ndarray, "*batch"]:
        """Standard deviation, in the units of the target.

        >>> BinnedDistribution([1.0], Bins([0, 12])).std().round(3).item()
        3.464
        """
        return np.sqrt(self.var())

    def cdf(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Mass below `y`, where `y` is in the units of the target.

        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).cdf(2.0))
        0.75
        """
        check_on_a_line("cdf", self.bins)
        return self._below(y)

    def _below(self, y: ArrayLike) -> Array:
        """Mass between the first edge and `y`."""
        if self._is_long(y):
            return self._in_parts(BinnedDistribution._below, y)
        y, k = self._locate(y)
        start = self._pick(self._cumulative, k)
        end = self._pick(self._cumulative, k + 1)
        return start + (end - start) * self._within(share_below, y, k)

    def ppf(self, q: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """The number with mass `q` below, in the units of the target.

        The inverse of `cdf` wherever the density is positive. Of an interval without
        mass it is the lower end; 0 and 1 give the ends of the support.

        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).ppf(0.75))
        2.0
        """
        check_on_a_line("ppf", self.bins)
        return self._number_at(q)

    def _number_at(self, q: ArrayLike) -> Array:
        """The number with mass `q` between the first edge and itself."""
        q = on_host(q).astype(np.float64)
        if ((q < 0) | (q > 1)).any():
            raise ValueError(
                "q must hold probabilities between 0 and 1, "
                f"got {q.min():g} to {q.max():g}"
            )
        if self._is_long(q):
            return self._in_parts(BinnedDistribution._number_at, q)
        # The least positive number, not 0: bins without mass before the first with
        # mass are no part of the support.
        level = np.maximum(q, np.nextafter(0, 1))
        k = (self._cumulative[..., 1:] < level[..., None]).sum(-1)
        start = self._pick(self._cumulative, k)
        mass = self._pick(self._cumulative, k + 1) - start
        return self._within(number_at, np.clip((q - start) / mass, 0, 1), k)

    def pdf(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Density at `y`, per unit of the target; zero outside the bins.

        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).pdf(2.0))
        0.25
        """
        return np.exp(self.log_pdf(y))

    def log_pdf(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Logarithm of the density at `y`, in nats; minus infinity where that is zero.

        >>> BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).log_pdf(2.0).round(4).item()
        -1.3863
        """
        y, k = self._locate(y)
        with np.errstate(divide="ignore"):
            mass = np.log(self._pick(self.probs, k).astype(np.float64))
        return np.where(np.isnan(y), np.nan, mass + self._within(log_density, y, k))

    def prob(self, low: ArrayLike, high: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Mass between two numbers, in the units of the target.

        On a circle, on the way from `low` upward to `high`.

        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).prob(0.5, 2))
        0.5
        """
        low, high = on_host(low), on_host(high)
        mass = self._below(high) - self._below(low)
        if not self.bins.wraps:
            return mass
        all_around = high - low >= float(self.bins.period)
        return np.where(all_around, 1.0, np.where(mass < 0, mass + 1, mass))

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

        >>> skewed = BinnedDistribution([0.5, 0.5], Bins([0, 1, 3]))
        >>> [float(end) for end in skewed.interval(0.5)]
        [0.5, 2.0]
        >>> [float(end) for end in skewed.interval(0.5, kind="shortest")]
        [0.0, 1.0]
        """
        check_on_a_line("interval", self.bins)
        inside = on_host(coverage).astype(np.float64)
        if not ((inside >= 0) & (inside <= 1)).all():
            raise ValueError(f"coverage must lie between 0 and 1, got {coverage}")
        if kind == "central":
            return self.ppf((1 - inside) / 2), self.ppf((1 + inside) / 2)
        if kind != "shortest":
            raise ValueError(f'kind must be "central" or "shortest", got {kind!r}')
        shape = np.broadcast_shapes(inside.shape, self.probs.shape[:-1])
        below = np.broadcast_to(self._cumulative, (*shape, self.bins.n_bins + 1))
        mass = np.broadcast_to(inside, shape).reshape(-1)
        parts = [
            shortest_intervals(rows, mass[i : i + ROWS_AT_ONCE], self.bins)
            for i, rows in in_chunks(below.reshape(-1, below.shape[-1]))
        ]
        low, high = (
            np.concatenate(ends).reshape(shape) for ends in zip(*parts, strict=True)
        )
        return low, high

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
            backend: The library of the frame: "pandas", "polars" or "pyarrow".

        >>> even = BinnedDistribution([[0.5, 0.5]], Bins([0, 2, 4]))
        >>> even.to_frame([0.5], "polars").rows()
        [(2.0, 2.0)]
        """
        import narwhals as nw

        columns = {"mean": np.reshape(self.mean(), -1)}
        for level in quantiles:
            columns[f"quantile_{level:g}"] = np.reshape(self.ppf(level), -1)
        library: Any = backend
        return nw.from_dict(columns, backend=library).to_native()

    def entropy(self) -> Float[np.ndarray, "*batch"]:
        """Differential entropy, in nats: how little the forecast says.

        >>> round(float(BinnedDistribution([0.5, 0.5], Bins([0, 2, 4])).entropy()), 4)
        1.3863
        """
        within = entropies(self.bins).cpu().numpy()
        return self._each_row(lambda p: entr(p).sum(-1) + p @ within)

    def quantile_loss(
        self, y: ArrayLike, level: ArrayLike
    ) -> Float[np.ndarray, "*batch"]:
        """Pinball loss of the quantile at a level, in the units of the target.

        Its integral over the levels is half the CRPS.

        References:
            Koenker, Bassett (1978), Regression quantiles, Econometrica 46,
            doi:10.2307/1913643.

        >>> float(BinnedDistribution([1.0], Bins([0, 1])).quantile_loss(2.0, 0.5))
        0.75
        """
        short = on_host(y).astype(np.float64) - self.ppf(level)
        level = on_host(level).astype(np.float64)
        return np.maximum(level * short, (level - 1) * short)

    def sample(
        self, n: int, random_state: RandomState = None
    ) -> Float[np.ndarray, " draws *batch"]:
        """Independent draws, in the units of the target: n x batch.

        Args:
            n: Number of draws of each forecast.
            random_state: A seed or a generator of NumPy; None draws others each time.

        >>> coin = BinnedDistribution([0.5, 0, 0.5], Bins([0, 1, 9, 10]))
        >>> coin.sample(4, random_state=0).round(1)
        array([9.3, 0.5, 0.1, 0. ])
        """
        return self._number_at(uniform(random_state, (n, *self.probs.shape[:-1])))

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

        >>> even = BinnedDistribution([1.0], Bins([0, 2]))
        >>> upper = BinnedDistribution([1.0], Bins([1, 2]))
        >>> BinnedDistribution.mixture([even, upper]).probs
        array([0.25, 0.75])
        """
        return cls(*mixture(parts, weights))

    def plot(self, ax: Any = None, *, color: str = "#0072b2") -> Any:
        """Draw the density: of one forecast as an area, of several as ridges.

        Args:
            ax: matplotlib axes to draw on; new ones by default.
            color: Of the areas.

        Returns:
            The axes.

        Raises:
            RuntimeError: If matplotlib is not installed.
        """
        return plot(self.probs, self.bins, ax, color)

    def crps(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Continuous ranked probability score at `y`, in the units of the target.

        The formula is that of `offby.losses.histogram_crps`.

        References:
            Matheson, Winkler (1976), Scoring rules for continuous probability
            distributions, Management Science 22, doi:10.1287/mnsc.22.10.1087.

        >>> even = BinnedDistribution([0.25] * 4, Bins.uniform(0, 8, 4))
        >>> even.crps(4).round(4).item()
        0.6667
        """
        check_on_a_line("crps", self.bins)
        y = on_host(y).astype(np.float64)
        shape = np.broadcast_shapes(y.shape, self.probs.shape[:-1])
        mass = np.broadcast_to(self.probs, (*shape, self.bins.n_bins))
        number = np.broadcast_to(y, shape).reshape(-1)
        scores = []
        for i, rows in in_chunks(mass.reshape(-1, mass.shape[-1])):
            # Copies: torch warns about arrays that it may not write to.
            values = torch.tensor(number[i : i + ROWS_AT_ONCE])
            masses = torch.tensor(rows, dtype=torch.float64)
            sides = Sides.of(masses, values, self.bins)
            scores.append(sides.integral_of_squares())
        return np.concatenate(scores or [number]).reshape(shape)

    def pit(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Probability integral transform: uniform on 0 to 1 if the forecast is right.

        References:
            Dawid (1984), Statistical theory: the prequential approach, J. R. Stat.
            Soc. A 147, doi:10.2307/2981683.

        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 1, 3])).pit(0.5))
        0.25
        """
        return self.cdf(y)

    @property
    def _rows(self) -> Float[np.ndarray, "rows bins"]:
        return self.probs.reshape(-1, self.bins.n_bins)

    def _each_row(self, function: Callable[[Array], Array]) -> Array:
        """A number of each row, from some rows at a time in float64.

        So that a million rows need no memory beside their masses.
        """
        found = [function(p.astype(np.float64)) for _, p in in_chunks(self._rows)]
        return np.concatenate(found or [np.empty(0)]).reshape(self.probs.shape[:-1])[()]

    def _is_long(self, numbers: ArrayLike) -> bool:
        """Whether there are many rows, and no more than one number for each."""
        batch = self.probs.shape[:-1]
        fits = np.broadcast_shapes(np.shape(on_host(numbers)), batch) == batch
        return fits and len(self._rows) > ROWS_AT_ONCE

    def _in_parts(self, method: Callable[..., Array], numbers: ArrayLike) -> Array:
        """A method of one number for each row, from some rows at a time."""
        batch = self.probs.shape[:-1]
        each = np.broadcast_to(on_host(numbers), batch).reshape(-1)
        found = [
            method(self._of(rows, self.bins), each[i : i + len(rows)])
            for i, rows in in_chunks(self._rows)
        ]
        return np.concatenate(found).reshape(batch)

    @property
    def _edges(self) -> Array:
        return self.bins.edges.cpu().numpy()

    @property
    def _moments(self) -> tuple[Array, Array]:
        means, variances = moments(self.bins)
        return means.cpu().numpy(), variances.cpu().numpy()

    def _within(self, function: Callable[..., Tensor], numbers: Array, k: Any) -> Array:
        return within_bins(function, numbers, k, self.bins)

    @property
    def _cumulative(self) -> Array:
        """Mass below each edge; exactly 1 from the last bin with mass on."""
        sums = self.probs.cumsum(-1, dtype=np.float64)
        sums /= sums[..., -1:]
        return np.concatenate([np.zeros_like(sums[..., :1]), sums], axis=-1)

    def _locate(self, y: ArrayLike) -> tuple[Array, Any]:
        """The numbers, broadcast to the batch, and the bin that each is in or next to.

        On an inner edge it is the bin on the right, as in `Bins`.
        """
        given = on_host(y).astype(np.float64)
        if self.bins.wraps:
            low = self._edges[0]
            given = low + np.mod(given - low, float(self.bins.period))
        shape = np.broadcast_shapes(given.shape, self.probs.shape[:-1])
        found = np.broadcast_to(given, shape)
        return found, np.searchsorted(self._edges[1:-1], found, side="right")

    def _pick(self, rows: Array, at: Any) -> Array:
        """One entry of each row."""
        rows = np.broadcast_to(rows, (*np.shape(at), rows.shape[-1]))
        return np.take_along_axis(rows, np.asarray(at)[..., None], -1)[..., 0]

    def __repr__(self) -> str:
        return f"BinnedDistribution(batch {self.probs.shape[:-1]}, {self.bins})"
