"""`Bins`: the grid that turns numbers into classes, and the ways to make one."""

from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from offby._checks import as_numbers, check_count, check_increasing
from offby.bins import strategies
from offby.bins.intervals import Intervals
from offby.bins.names import DEFAULT_STRATEGY, Bounds, Strategy, Tails
from offby.bins.support import Support, bounded_edges


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Bins(Intervals):
    """Adjacent intervals, in the units of the target.

    Bin `k` is `edges[k] <= y < edges[k + 1]`; the last bin also holds its right edge.

    Args:
        edges: The n_bins + 1 increasing bounds.
        tails: With "half-normal" the first and the last bin reach to infinity: their
            mass lies beyond their inner edge as half of a normal distribution, so wide
            that half of it is within the outer edge; with "lower-half-normal" or
            "upper-half-normal" only one of them does. With "none" there is nothing
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
        check_count("n_bins", n_bins)
        edges = strategies.uniform_edges(low, high, n_bins)
        return cls(edges, wraps=True)

    @classmethod
    def uniform(
        cls, low: float, high: float, n_bins: int, *, tails: Tails = "none"
    ) -> "Bins":
        """`n_bins` bins of equal width between `low` and `high`.

        >>> Bins.uniform(0, 10, 5).edges
        tensor([ 0.,  2.,  4.,  6.,  8., 10.], dtype=torch.float64)
        """
        check_count("n_bins", n_bins)
        edges = strategies.uniform_edges(low, high, n_bins)
        return cls(edges, tails=tails)

    @classmethod
    def log(
        cls, low: float, high: float, n_bins: int, *, tails: Tails = "none"
    ) -> "Bins":
        """`n_bins` bins between `low` and `high`, each wider by the same factor.

        >>> Bins.log(1, 1000, 3).edges
        tensor([   1.,   10.,  100., 1000.], dtype=torch.float64)
        """
        check_count("n_bins", n_bins)
        return cls(strategies.log_edges(low, high, n_bins), tails=tails)

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
        check_count("n_bins", n_bins)
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
        check_count("n_bins", n_bins)
        sample = strategies.sample_of("quantile", values, weights)
        return cls(strategies.quantile_edges(sample, n_bins), tails=tails)

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
        check_count("n_bins", n_bins)
        sample = strategies.sample_of("k-means", values, weights)
        return cls(strategies.kmeans_edges(sample, n_bins), tails=tails)

    @classmethod
    def around(
        cls,
        values: ArrayLike,
        n_bins: int,
        strategy: Strategy = DEFAULT_STRATEGY,
        *,
        weights: ArrayLike | None = None,
        tails: Tails = "none",
        bounds: Bounds = None,
    ) -> "Bins":
        """Bins over the values, with a margin of one bin width on either side.

        The next number may lie a little beyond any seen so far; without the margin its
        density would be zero and its log score infinite.

        Under "kmeans", "quantile" and "blend" a value that alone would fill a bin gets
        one of its own, with edges halfway to the values beside it; if no more than
        `n_bins` different values there are, each of them does. So whole numbers, zeros
        of rain and capped prices are classes, and their densities depend on the values'
        spacing, not on chance.

        Args:
            values: Numbers, at least two of them different.
            n_bins: How many bins, at most.
            strategy: Bins of the values nearest to a mean ("kmeans"), of equal counts,
                halfway between these two ("blend"), of equal widths, or ("log", of
                positive numbers) each wider by the same factor.
            weights: Weight of each number; a weight means repetition, and numbers of
                weight 0 change nothing.
            tails: What the bins at the ends look like, as in `Bins`; at a bound there
                is no tail.
            bounds: Numbers beyond which no mass may lie, in the units of the target;
                either may be None. "auto" finds 0 for numbers that are never negative,
                and the top of those that look like shares from 0 to 1 or to 100. A
                bound adds at most three bins.

        Raises:
            ValueError: If the values cannot be told apart, or lie beyond the bounds.

        >>> Bins.around([0.0, 1.0, 2.0, 4.0], 2, "uniform").edges
        tensor([-2.,  2.,  6.], dtype=torch.float64)
        >>> Bins.around([3, 3, 4, 5, 5, 5], 50).edges
        tensor([2.5000, 3.5000, 4.5000, 5.5000], dtype=torch.float64)
        >>> Bins.around([0.5, 1.0, 2.0, 4.0], 2, "uniform", bounds="auto").edges
        tensor([0.0000, 2.2500, 5.7500], dtype=torch.float64)
        """
        check_count("n_bins", n_bins)
        sample = strategies.sample_of(str(strategy), values, weights)
        edges = strategies.edges_around(sample, n_bins, strategy)
        support = Support.of(sample, bounds)
        edges, tails = bounded_edges(edges, sample, support, tails)
        return cls(edges, tails=tails)
