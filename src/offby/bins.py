"""`Bins`: the grid that turns numbers into classes."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor

from offby._checks import as_numbers, check_increasing
from offby.grounds import Circle, Line, settings
from offby.strategies import DEFAULT_STRATEGY, Strategy
from offby.weighted import WeightedSample

IGNORED = -100
"""Index of a number that is missing: `ignore_index` of PyTorch's criteria and ours."""

Tails = Literal["none", "half-normal"]


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Bins:
    """Adjacent intervals, in the units of the target.

    Bin `k` is `edges[k] <= y < edges[k + 1]`; the last bin also holds its right edge.

    Args:
        edges: The n_bins + 1 increasing bounds.
        tails: With "half-normal" the first and the last bin reach to infinity: their
            mass lies beyond their inner edge as half of a normal distribution, so wide
            that half of it is within the outer edge. With "none" there is nothing
            beyond the edges.
        wraps: The bins lie on a circle: the last edge is the first again, one turn
            later, and numbers beyond the edges are turned into the grid.

    Raises:
        ValueError: If the edges are not at least two finite, increasing numbers, or the
            bins too few for two tails, or if bins on a circle are to have tails.

    References:
        Müller et al. (2022), Transformers can do Bayesian inference, arXiv:2112.10510
        (bins with half-normal tails).

    >>> bins = Bins([0, 1, 2, 5])
    >>> bins
    Bins(3 bins from 0 to 5, widths 1 to 3)
    >>> bins.centers
    tensor([0.5000, 1.5000, 3.5000], dtype=torch.float64)
    """

    edges: Float[Tensor, " edges"]
    tails: Tails
    # Defaults, for files written before there were any.
    wraps: bool = False
    even: bool = False
    """Whether all bins are of one width, but for rounding."""

    def __init__(
        self,
        edges: Tensor | ArrayLike,
        *,
        tails: Tails = "none",
        wraps: bool = False,
    ) -> None:
        checked = as_numbers("edges", edges)
        object.__setattr__(self, "edges", checked)
        object.__setattr__(self, "tails", tails)
        object.__setattr__(self, "wraps", bool(wraps))
        check_increasing("edges", checked, at_least=2)
        object.__setattr__(self, "even", _are_even(checked))
        if tails not in ("none", "half-normal"):
            raise ValueError(f'tails must be "none" or "half-normal", got {tails!r}')
        if tails == "half-normal" and len(checked) < 3:
            raise ValueError(
                "half-normal tails need a bin on either side, got one bin in all"
            )
        if tails != "none" and wraps:
            raise ValueError(
                f"bins on a circle have no ends, got tails={tails!r}; leave it out"
            )

    @classmethod
    def periodic(cls, low: float, high: float, n_bins: int) -> "Bins":
        """`n_bins` bins of equal width around a circle on which `high` is `low` again.

        For hours of the day, angles, hues. Numbers may be given on any turn. Targets
        and decoded means wrap too; as classes the bins lie on `circle()`.

        >>> hours = Bins.periodic(0, 24, 4)
        >>> hours.index(torch.tensor([23.0, 25.0, -1.0]))
        tensor([3, 0, 3])
        >>> hours.circle()
        Circle(4 classes on a period of 24, arc)
        """
        edges = torch.linspace(low, high, n_bins + 1, dtype=torch.float64, device="cpu")
        return cls(edges, wraps=True)

    @classmethod
    def uniform(
        cls, low: float, high: float, n_bins: int, *, tails: Tails = "none"
    ) -> "Bins":
        """`n_bins` bins of equal width between `low` and `high`.

        >>> Bins.uniform(0, 10, 5).edges
        tensor([ 0.,  2.,  4.,  6.,  8., 10.], dtype=torch.float64)
        """
        edges = torch.linspace(low, high, n_bins + 1, dtype=torch.float64, device="cpu")
        return cls(edges, tails=tails)

    @classmethod
    def log(
        cls, low: float, high: float, n_bins: int, *, tails: Tails = "none"
    ) -> "Bins":
        """`n_bins` bins between `low` and `high`, each wider by the same factor.

        >>> Bins.log(1, 1000, 3).edges
        tensor([   1.,   10.,  100., 1000.], dtype=torch.float64)
        """
        if not 0 < low < high:
            raise ValueError(
                f"logarithmic bins need 0 < low < high, got low = {low:g} and "
                f"high = {high:g}; shift the numbers, or use `Bins.uniform`"
            )
        return cls(np.geomspace(low, high, n_bins + 1), tails=tails)

    @classmethod
    def symlog(
        cls, low: float, high: float, n_bins: int, *, tails: Tails = "none"
    ) -> "Bins":
        r"""`n_bins` bins of equal width in symlog: fine near 0, coarse far from it.

        .. math:: \operatorname{symlog}(y) = \operatorname{sign}(y) \log(1 + |y|)

        Args:
            low: The lowest edge, in the units of the target.
            high: The highest edge.
            n_bins: How many bins.
            tails: What the bins at the ends look like, as in `Bins`.

        References:
            Hafner et al. (2023), Mastering diverse domains through world models,
            arXiv:2301.04104.

        >>> Bins.symlog(-99, 99, 4).edges.round()
        tensor([-99.,  -9.,   0.,   9.,  99.], dtype=torch.float64)
        """
        ends = torch.tensor([low, high], dtype=torch.float64, device="cpu")
        first, last = (ends.sign() * ends.abs().log1p()).tolist()
        even = torch.linspace(
            first, last, n_bins + 1, dtype=torch.float64, device="cpu"
        )
        edges = even.sign() * even.abs().expm1()
        edges[0], edges[-1] = low, high  # not what rounding made of them
        return cls(edges, tails=tails)

    @classmethod
    def from_centers(
        cls, centers: Tensor | ArrayLike, *, tails: Tails = "none"
    ) -> "Bins":
        """Bins with edges halfway between these numbers, such as the atoms of a head.

        The outer edges lie as far beyond the outer numbers as the next edge is inside.
        Numbers at even steps are the centers of their bins; at uneven steps they lie in
        their bins, but `centers` are the midpoints.

        >>> Bins.from_centers([-1, 0, 1]).edges
        tensor([-1.5000, -0.5000,  0.5000,  1.5000], dtype=torch.float64)
        """
        x = as_numbers("centers", centers)
        check_increasing("centers", x, at_least=2)
        inner = (x[1:] + x[:-1]) / 2
        first, last = 2 * x[:1] - inner[:1], 2 * x[-1:] - inner[-1:]
        return cls(torch.cat([first, inner, last]), tails=tails)

    @classmethod
    def quantile(
        cls,
        values: ArrayLike,
        n_bins: int,
        *,
        weights: ArrayLike | None = None,
        tails: Tails = "none",
    ) -> "Bins":
        """At most `n_bins` bins that hold about equally many of the `values`.

        With `weights`, the bins hold about equal weight; a weight means repetition.

        Values that repeat so often that they fill a bin or more leave fewer bins: equal
        edges are merged. The outer edges are the least and the largest value.

        >>> Bins.quantile([1, 1, 1, 1, 2, 3, 4, 5], 4).edges
        tensor([1.0000, 1.5000, 3.2500, 5.0000], dtype=torch.float64)
        """
        sample = _several("quantile", values, weights)
        edges = np.unique(sample.quantile(np.linspace(0, 1, n_bins + 1)))
        return cls(edges, tails=tails)

    @classmethod
    def kmeans(
        cls,
        values: ArrayLike,
        n_bins: int,
        *,
        weights: ArrayLike | None = None,
        tails: Tails = "none",
    ) -> "Bins":
        """At most `n_bins` bins, each of the values nearest to its mean.

        Between bins of equal counts and bins of equal widths: narrow where values are
        dense, but not as narrow as quantiles. The outer edges are the least and the
        largest value.

        References:
            Lloyd (1982), Least squares quantization in PCM, IEEE Trans. Inf. Theory 28,
            doi:10.1109/TIT.1982.1056489.

        >>> Bins.kmeans([0, 1, 2, 10, 11, 12, 20], 3).edges
        tensor([ 0.0000,  6.0000, 15.5000, 20.0000], dtype=torch.float64)
        """
        sample = _several("k-means", values, weights)
        edges = _between_means(sample, n_bins)
        return cls([sample.values[0], *edges, sample.values[-1]], tails=tails)

    @classmethod
    def around(
        cls,
        values: ArrayLike,
        n_bins: int,
        strategy: Strategy = DEFAULT_STRATEGY,
        *,
        weights: ArrayLike | None = None,
        tails: Tails = "none",
    ) -> "Bins":
        """Bins over the values, with a margin of one bin width on either side.

        The next number may lie a little beyond any seen so far; without the margin its
        density would be zero and its log score infinite.

        Under "quantile" a value that alone would fill a bin gets one of its own, with
        edges halfway to the values beside it; if no more than `n_bins` different values
        there are, each of them does. So whole numbers, zeros of rain and capped prices
        are classes, and their densities depend on the values' spacing, not on chance.

        Args:
            values: Numbers, at least two of them different.
            n_bins: How many bins, at most.
            strategy: Bins of equal counts, of equal widths, ("log", of positive
                numbers) each wider by the same factor, or ("kmeans") of the values
                nearest to a mean.
            weights: Weight of each number; a weight means repetition, and numbers of
                weight 0 change nothing.
            tails: What the bins at the ends look like, as in `Bins`.

        >>> Bins.around([0.0, 1.0, 2.0, 4.0], 2, "uniform").edges
        tensor([-2.,  2.,  6.], dtype=torch.float64)
        >>> Bins.around([3, 3, 4, 5, 5, 5], 50).edges
        tensor([2.5000, 3.5000, 4.5000, 5.5000], dtype=torch.float64)
        """
        sample = _several(str(strategy), values, weights)
        low, high = sample.values[[0, -1]].tolist()
        match strategy:
            case "quantile":
                bins = cls.quantile(sample.values, n_bins, weights=sample.weights)
                edges = _apart(sample, n_bins, bins.edges.numpy())
                if edges is not None:
                    return cls(edges, tails=tails)
            case "uniform":
                bins = cls.uniform(low, high, n_bins)
            case "log":
                bins = cls.log(low, high, n_bins)
            case "kmeans":
                bins = cls.kmeans(sample.values, n_bins, weights=sample.weights)
            case _:
                raise ValueError(
                    'strategy must be "quantile", "uniform", "log" or "kmeans", '
                    f"got {strategy!r}"
                )
        edges = bins.edges.numpy().copy()
        if strategy == "log":
            edges[0] *= edges[0] / edges[1]
            edges[-1] *= edges[-1] / edges[-2]
        else:
            edges[0] -= edges[1] - edges[0]
            edges[-1] += edges[-1] - edges[-2]
        return cls(edges, tails=tails)

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1

    @property
    def widths(self) -> Float[Tensor, " bins"]:
        """Width of each bin, in the units of the target."""
        return self.edges.diff()

    @property
    def centers(self) -> Float[Tensor, " bins"]:
        """Midpoint of each bin, in the units of the target."""
        return self.edges[:-1] + self.widths / 2

    def index(self, values: Float[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
        """Bin that holds each value; one beyond the outer edges goes to the end bin.

        On a circle the value is turned into the grid first.

        NaN, a number that is missing, gives -100: the index that PyTorch and the
        criteria of `offby.nn` ignore, and that no function takes for a class.

        >>> bins = Bins.uniform(0, 3, 3)
        >>> bins.index(torch.tensor([-9.0, 1.0, 3.0, torch.nan]))
        tensor([   0,    1,    2, -100])
        """
        edges = self.edges.to(values.device)
        y = self.on_grid(values)
        inner = torch.bucketize(y.contiguous(), edges[1:-1], right=True)
        return inner.where(~y.isnan(), IGNORED)

    @property
    def period(self) -> Float[Tensor, ""]:
        """From the first edge to the last: of bins on a circle, one turn."""
        return self.edges[-1] - self.edges[0]

    def on_grid(self, values: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The values in float64; on a circle, on the turn that the edges are on.

        >>> Bins.periodic(0, 24, 4).on_grid(torch.tensor([25.0, -1.0]))
        tensor([ 1., 23.], dtype=torch.float64)
        """
        # In float64: a float32 number of 1e6 is known to the width of many a bin.
        y = values.double()
        if not self.wraps:
            return y
        low = self.edges[0].to(y.device)
        return low + torch.remainder(y - low, self.period.to(y.device))

    def line(self) -> Line:
        """The bins as classes on a line, each at its center."""
        if self.wraps:
            raise ValueError(
                f"bins on a circle have no line, got {self}; use `bins.circle()`"
            )
        return Line(self.centers)

    def circle(self, distance: Literal["arc", "chord"] = "arc") -> Circle:
        """The bins as classes on a circle, each at its center."""
        if not self.wraps:
            raise ValueError(
                f"bins that do not wrap have no circle, got {self}; use `bins.line()`, "
                "or make them with `Bins.periodic(low, high, n)`"
            )
        return Circle(self.centers, self.period, distance)

    def jitter(self, scale: float, generator: torch.Generator) -> "Bins":
        """Bins whose inner edges are moved at random and stay in order.

        Args:
            scale: Half-width of the uniform noise on an edge, as a share of the width
                of the narrower of its two bins; 0 to 0.5 (beyond, edges could cross).
            generator: Where the noise comes from.

        >>> moved = Bins.uniform(0, 3, 3).jitter(0.1, torch.Generator().manual_seed(0))
        >>> moved.edges[[0, -1]]
        tensor([0., 3.], dtype=torch.float64)
        """
        if not 0 <= scale <= 0.5:
            raise ValueError(
                f"scale must lie between 0 and 0.5 of a bin width, got {scale:g}; "
                "larger noise would let edges cross"
            )
        room = torch.minimum(self.widths[:-1], self.widths[1:])
        noise = torch.rand(len(room), generator=generator, dtype=torch.float64)
        edges = self.edges.clone()
        # Just under one: two neighbors that both move by half a width must not meet.
        edges[1:-1] += (1 - 1e-9) * scale * room * (2 * noise - 1).to(room.device)
        return Bins(edges, tails=self.tails, wraps=self.wraps)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a configuration file; `from_dict` reads it.

        >>> Bins([0, 1, 5]).to_dict()
        {'kind': 'Bins', 'edges': [0.0, 1.0, 5.0], 'tails': 'none', 'wraps': False}
        """
        return settings.to_dict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Bins":
        """What `to_dict` gave."""
        return settings.from_dict(cls, saved)

    def __eq__(self, other: object) -> bool:
        return settings.equal(self, other)

    def __hash__(self) -> int:
        return settings.hashed(self)

    def __repr__(self) -> str:
        low, high = self.edges[0], self.edges[-1]
        least, most = self.widths.min(), self.widths.max()
        ends = "" if self.tails == "none" else f", {self.tails} tails"
        ends += ", on a circle" if self.wraps else ""
        return (
            f"Bins({self.n_bins} bins from {low:g} to {high:g}, "
            f"widths {least:g} to {most:g}{ends})"
        )


def _are_even(edges: Tensor) -> bool:
    """Read on the host once, so that no target has to search for its bin."""
    n = len(edges) - 1
    step = (edges[-1] - edges[0]) / n
    exact = edges[0] + step * torch.arange(n + 1, device=edges.device)
    return bool(((edges - exact).abs() <= 1e-12 * step).all())


def _several(kind: str, values: ArrayLike, weights: ArrayLike | None) -> WeightedSample:
    """The values, if they can be told apart into bins."""
    numbers = np.asarray(values, dtype=np.float64).ravel()
    finite = np.isfinite(numbers)
    if len(numbers) == 0 or not finite.all():
        raise ValueError(
            f"{kind} bins need finite values, got {len(numbers)} of which "
            f"{finite.sum()} are finite; drop the others first"
        )
    sample = WeightedSample.of(numbers, weights)
    if len(sample.values) < 2:
        raise ValueError(
            f"{kind} bins need at least two different values, got only "
            + (", ".join(f"{value:g}" for value in sample.values) or "weights of 0")
        )
    return sample


def _between_means(
    sample: WeightedSample, n_bins: int, max_iter: int = 300
) -> np.ndarray:
    """Edges halfway between the means of the sorted numbers that each is nearest to.

    On a line the nearest numbers lie side by side: so a step of k-means is a search.
    scikit-learn's KBinsDiscretizer drops bins narrower than 1e-8 whatever the unit, and
    stops before every number is in the bin of its nearest mean.
    """
    different = sample.values
    means = different
    if n_bins < len(different):
        # The best means lie as dense as the cube root of the density (Panter, Dite
        # 1951); from there few steps remain, and no bad end.
        spread = np.concatenate([[0.0], (np.cbrt(np.diff(different)) ** 2).cumsum()])
        share = (np.arange(n_bins) + 0.5) / n_bins
        means = np.interp(share * spread[-1], spread, different)
    counts = np.concatenate([[0.0], sample.weights.cumsum()])
    # Sums of numbers around zero are exact.
    middle = different[np.searchsorted(counts[1:], counts[-1] / 2)]
    terms = sample.weights * (different - middle)
    sums = np.concatenate([[0.0], terms.cumsum()])
    before = np.empty(0)
    for _ in range(max_iter):
        ends = np.searchsorted(different, (means[1:] + means[:-1]) / 2)
        ends = np.unique(np.concatenate([[0], ends, [len(different)]]))
        if np.array_equal(ends, before):
            break
        before, means = ends, middle + np.diff(sums[ends]) / np.diff(counts[ends])
    return np.unique((means[1:] + means[:-1]) / 2)


def _apart(sample: WeightedSample, n_bins: int, edges: np.ndarray) -> np.ndarray | None:
    """The edges, moved so that values that fill a bin have one; None if none does."""
    different = sample.values
    few = len(different) <= n_bins
    heavy = np.flatnonzero(sample.weights * n_bins >= sample.total)
    if few:
        heavy = np.arange(len(different))
    if not len(heavy):
        return None
    halfway = (different[1:] + different[:-1]) / 2
    # Beyond the ends as far as the neighbor on the other side.
    ends = 2 * different[0] - halfway[0], 2 * different[-1] - halfway[-1]
    borders = np.concatenate([ends[:1], halfway, ends[1:]])
    low, high = borders[heavy], borders[heavy + 1]
    inside = (edges[1:-1, None] > low) & (edges[1:-1, None] < high)
    kept = edges[1:-1][~inside.any(1)]
    first = [] if heavy[0] == 0 else [2 * edges[0] - edges[1]]
    last = [] if heavy[-1] == len(different) - 1 else [2 * edges[-1] - edges[-2]]
    return np.unique(np.concatenate([first, kept, low, high, last]))
