"""Edges made from a sample of numbers, in NumPy: one function for each strategy."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike

from offby.weighted import WeightedSample

Edges = Float[np.ndarray, " edges"]


def sample_of(
    kind: str, values: ArrayLike, weights: ArrayLike | None
) -> WeightedSample:
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


def log_edges(low: float, high: float, n_bins: int) -> Edges:
    """Each bin wider than the one before by the same factor."""
    if not 0 < low < high:
        raise ValueError(
            f"logarithmic bins need 0 < low < high, got low = {low:g} and "
            f"high = {high:g}; shift the numbers, or use `Bins.uniform`"
        )
    return np.geomspace(low, high, n_bins + 1)


def quantile_edges(sample: WeightedSample, n_bins: int) -> Edges:
    """About equal weight in each bin; equal edges are merged."""
    return np.unique(sample.quantile(np.linspace(0, 1, n_bins + 1)))


def kmeans_edges(sample: WeightedSample, n_bins: int, max_iter: int = 300) -> Edges:
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
    inner = np.unique((means[1:] + means[:-1]) / 2)
    return np.concatenate([different[:1], inner, different[-1:]])


def blended_edges(sample: WeightedSample, n_bins: int) -> Edges:
    """Edges halfway between equal counts and k-means, by rank.

    A number lies among the edges of both: the mean of its two places, as shares of all
    bins, goes up in even steps. So a far tail has half of the bins that k-means gives
    it, and the dense middle half of those of equal counts.
    """
    parts = quantile_edges(sample, n_bins), kmeans_edges(sample, n_bins)
    knots = np.unique(np.concatenate(parts))
    rank = sum(np.interp(knots, each, np.linspace(0, 1, len(each))) for each in parts)
    return np.interp(np.linspace(0, 2, n_bins + 1), rank, knots)


def uniform_edges(low: float, high: float, n_bins: int) -> torch.Tensor:
    """All bins equally wide, as a tensor: inside a transform it has no numbers."""
    # PyTorch's, whose edges are those of `Line.regular` to the last bit.
    return torch.linspace(low, high, n_bins + 1, dtype=torch.float64, device="cpu")


def edges_around(sample: WeightedSample, n_bins: int, strategy: str) -> Edges:
    """Edges of the strategy, with a margin on either side of the numbers."""
    low, high = sample.values[[0, -1]].tolist()
    match strategy:
        case "quantile":
            return _heavy_values_apart(sample, n_bins, quantile_edges)
        case "kmeans":
            return _heavy_values_apart(sample, n_bins, kmeans_edges)
        case "blend":
            return _heavy_values_apart(sample, n_bins, blended_edges)
        case "uniform":
            return _with_margins(uniform_edges(low, high, n_bins).numpy())
        case "log":
            edges = log_edges(low, high, n_bins)
            edges[0] *= edges[0] / edges[1]
            edges[-1] *= edges[-1] / edges[-2]
            return edges
        case _:
            raise ValueError(
                'strategy must be "quantile", "uniform", "log", "kmeans" or "blend", '
                f"got {strategy!r}"
            )


def _with_margins(edges: Edges) -> Edges:
    """The first and the last bin twice as wide."""
    wider = edges.copy()
    wider[0] -= edges[1] - edges[0]
    wider[-1] += edges[-1] - edges[-2]
    return wider


def _heavy_values_apart(
    sample: WeightedSample,
    n_bins: int,
    edges_of: Callable[[WeightedSample, int], Edges],
) -> Edges:
    """Edges of a strategy, moved so that values that fill a bin have one.

    A value fills a bin if it holds the mean weight of a bin or more. With no more
    different values than bins, each of them has one.
    """
    if len(sample.values) <= n_bins:
        return _own_bins(sample, np.arange(len(sample.values)), sample.values)
    heavy = np.flatnonzero(sample.weights * n_bins >= sample.total)
    n_left = n_bins
    while True:
        edges = edges_of(sample, n_left)
        if not len(heavy):
            return _with_margins(edges)
        found = _own_bins(sample, heavy, edges)
        excess = len(found) - 1 - n_bins
        if excess <= 0:
            return found
        if excess < n_left:
            n_left -= excess
        else:  # Too many values between the heavy ones: the heavier half of these.
            order = np.argsort(-sample.weights[heavy], kind="stable")
            heavy, n_left = np.sort(heavy[order[: len(heavy) // 2]]), n_bins


def _own_bins(sample: WeightedSample, heavy: np.ndarray, edges: Edges) -> Edges:
    """The edges, with a bin around each heavy value: halfway to those beside it."""
    different = sample.values
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
