"""The best number to guess under a metric."""

from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array

from offby.bins import Bins
from offby.distribution._function import halves
from offby.distribution._rows import Array, cached, in_chunks, within_bins
from offby.distribution.circular import check_on_a_line
from offby.distribution.decisions import (
    Metric,
    costs_between,
    kappa_guesses,
    window_of,
)
from offby.distribution.half_normal import moments, number_at, share_below

_POINTS = 4
"""Points that stand for the mass of a bin where the metric is a function."""


def best_number(forecast: Any, metric: Metric) -> Array:
    """The number with the least expected loss.

    Args:
        forecast: A `BinnedDistribution`.
        metric: What the guesses are judged by; see `BinnedDistribution.decide`.

    Raises:
        ValueError: If there is no such metric, or it does not fit the bins.
    """
    bins: Bins = forecast.bins
    check_on_a_line("decide", bins)
    if not isinstance(metric, str):
        return _least_cost(forecast, metric)
    window = window_of(metric)
    if window is not None:
        return _best_window(forecast, window)
    match metric:
        case "mae":
            return forecast.median()
        case "accuracy":
            return forecast.mode()
        case "mape":
            return _relative_median(forecast.probs, bins)
        case "qwk":
            means = forecast.mean()
            flat = kappa_guesses(
                np.reshape(means, -1), np.reshape(forecast.var(), -1), lambda x: x
            )
            return flat.reshape(np.shape(means))
    return forecast.mean()  # rmse


def _relative_median(probs: np.ndarray, bins: Bins) -> Array:
    """Median of the density divided by the distance from 0: the best guess for MAPE.

    A bin at 0, and a tail, would have infinite weight, however little mass it has: they
    count by the root of their mean square.
    """
    edges = bins.edges.cpu().numpy()
    low, high = edges[:-1], edges[1:]
    means, variances = (part.cpu().numpy() for part in moments(bins))
    off_zero = (low > 0) | (high < 0)
    if bins.tails != "none":
        off_zero[[0, -1]] = False
    weight = 1 / np.sqrt(means**2 + variances)
    a, b = np.abs(low[off_zero]), np.abs(high[off_zero])
    weight[off_zero] = np.abs(np.log(b / a)) / (high - low)[off_zero]
    rows = probs.reshape(-1, len(weight))
    parts = [halves(part * weight) for _, part in in_chunks(rows, cached(bins))]
    parts = parts or [halves(rows * weight)]
    k, share = (np.concatenate(part) for part in zip(*parts, strict=True))
    found = within_bins(number_at, share, k, bins)
    # Inside a bin off 0 the weight is 1 / y: equal shares are equal ratios.
    inside = off_zero[k]
    first, last = low[k[inside]], high[k[inside]]
    found[inside] = first * (last / first) ** share[inside]
    return found.reshape(probs.shape[:-1])[()]


def _best_window(forecast: Any, width: float) -> Array:
    """Middle of the window of most mass that reaches `width` to either side.

    The mass in a window changes at a constant rate while both of its ends stay in their
    bins, so the best one has an end at an edge. Only in tails is the rate not constant:
    there the windows between are tried as well, to a thousandth of their distance.
    """
    bins: Bins = forecast.bins
    edges = bins.edges.cpu().numpy()
    has_tails = bins.tails != "none"
    stops = edges[1:-1] if has_tails else edges
    places = np.unique(np.concatenate([stops - width, stops + width]))
    if has_tails and len(stops):
        ends = np.concatenate([places, edges[[0, -1]]])
        places = np.unique(ends)
        in_tail = (places[1:] + width > stops[-1]) | (places[:-1] - width < stops[0])
        start, end = places[:-1][in_tail], places[1:][in_tail]
        between = start + (end - start) * np.linspace(0, 1, 33)[1:-1, None]
        places = np.unique(np.concatenate([places, between.ravel()]))
    # Rounding makes two of one: equal windows then, which would cost all rows time.
    apart = np.diff(places, prepend=-np.inf) > 1e-9 * np.diff(edges).min()
    places = places[apart]
    # Mass in a window is a sum of few of the sums of masses up to the edges.
    windows = _of_edges(places + width, bins) - _of_edges(places - width, bins)
    windows.eliminate_zeros()
    rows = forecast.probs.reshape(-1, bins.n_bins)
    at_once = cached(bins, -(-len(places) // bins.n_bins))
    found = [places[_best_of(part, windows)] for _, part in in_chunks(rows, at_once)]
    return np.concatenate(found or [places[:0]]).reshape(forecast.probs.shape[:-1])[()]


def _of_edges(numbers: np.ndarray, bins: Bins) -> csr_array:
    """The mass below numbers, of the masses below all edges: numbers x edges."""
    y = torch.tensor(numbers, device=bins.edges.device)
    at = torch.bucketize(y, bins.edges[1:-1], right=True)
    share = share_below(y, at, bins).cpu().numpy()
    first, rows = at.cpu().numpy(), np.arange(len(numbers))
    parts = np.concatenate([1 - share, share])
    places = np.concatenate([rows, rows]), np.concatenate([first, first + 1])
    return csr_array((parts, places), shape=(len(numbers), bins.n_bins + 1))


def _best_of(rows: np.ndarray, windows: csr_array) -> np.ndarray:
    """The window of each row with the most mass; the middle one of equals."""
    # Rows beside each other: so they are added up many at a time.
    below = np.zeros((rows.shape[-1] + 1, len(rows)))
    below[1:] = rows.T
    inside = torch.from_numpy(windows @ torch.from_numpy(below).cumsum(0).numpy())
    most, best = inside.max(0)
    as_good = inside >= most - 1e-12
    several = (as_good.sum(0) > 1).nonzero().squeeze(-1)
    equal = as_good[:, several]
    count = equal.sum(0)
    middle = (equal.cumsum(0) >= (count + 1) // 2) & equal
    best[several] = middle.to(torch.uint8).argmax(0)
    return best.numpy()


def _least_cost(forecast: Any, metric: Any) -> Array:
    """The guess of least expected cost."""
    bins: Bins = forecast.bins
    if hasattr(metric, "cost"):
        if metric.n_classes != bins.n_bins:
            raise ValueError(
                f"costs must be between all {bins.n_bins} bins, got {metric.n_classes}"
                "; make the matrix over bins.centers, or give a function"
            )
        guesses, costs = bins.centers.cpu().numpy(), metric.cost.cpu().numpy()
        each = 1
    elif callable(metric):
        shares = np.tile((np.arange(_POINTS) + 0.5) / _POINTS, bins.n_bins)
        at = np.repeat(np.arange(bins.n_bins), _POINTS)
        guesses = within_bins(number_at, shares, at, bins)
        costs, each = costs_between(metric, guesses, guesses), _POINTS
    else:
        raise TypeError(
            "a metric must be a name, a ground such as Costs, or a function, got a "
            f"{type(metric).__name__}"
        )
    # The points of a bin share its mass: their costs are averaged first.
    costs = costs.reshape(len(guesses), bins.n_bins, each).mean(-1)
    at_once = cached(bins, each)
    best = [
        (part.astype(np.float64) @ costs.T).argmin(-1)
        for _, part in in_chunks(forecast.probs.reshape(-1, bins.n_bins), at_once)
    ]
    at = np.concatenate(best or [np.empty(0, int)])
    return guesses[at].reshape(forecast.probs.shape[:-1])[()]
