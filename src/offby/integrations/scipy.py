"""Forecasts as random variables of `scipy.stats`: docs/integrations.md."""

from typing import overload

import numpy as np
from scipy import stats

from offby.distribution import BinnedDistribution, ClassDistribution
from offby.distribution.circular import check_on_a_line

__all__ = ["to_scipy"]


@overload
def to_scipy(distribution: BinnedDistribution) -> stats.rv_histogram: ...
@overload
def to_scipy(distribution: ClassDistribution) -> stats.rv_discrete: ...


def to_scipy(
    distribution: BinnedDistribution | ClassDistribution,
) -> stats.rv_histogram | stats.rv_discrete:
    """One forecast as a random variable of SciPy.

    Of bins it is an `rv_histogram`, in the units of the target; of classes an
    `rv_discrete` on their `positions`. SciPy has no batches of them: of several
    forecasts, `[to_scipy(row) for row in forecasts]` has one for each.

    Args:
        distribution: A single forecast. Its bins have no tails: SciPy's histograms end
            at the last edge.

    Raises:
        ValueError: If it is a batch, or its bins have tails or lie on a circle.
        TypeError: If it is no forecast.

    >>> from offby import Bins
    >>> rain = to_scipy(BinnedDistribution([0.5, 0.25, 0.25], Bins([0, 1, 2, 6])))
    >>> float(rain.mean()), float(rain.ppf(0.75)), float(rain.sf(4))
    (1.625, 2.0, 0.125)
    >>> stars = to_scipy(ClassDistribution([0.25, 0.5, 0.25], [1, 2, 3]))
    >>> float(stars.pmf(2)), float(stars.var())
    (0.5, 0.5)
    """
    if not isinstance(distribution, BinnedDistribution | ClassDistribution):
        raise TypeError(
            "distribution must be a BinnedDistribution or a ClassDistribution, got a "
            f"{type(distribution).__name__}"
        )
    probs = distribution.probs.astype(np.float64)
    if probs.ndim != 1:
        raise ValueError(
            "to_scipy takes one forecast, got a batch of shape "
            f"{probs.shape[:-1]}; [to_scipy(row) for row in forecasts] has one for each"
        )
    probs = probs / probs.sum()  # of float32, SciPy would refuse the sum
    if isinstance(distribution, ClassDistribution):
        return stats.rv_discrete(values=(distribution.positions, probs))
    bins = distribution.bins
    check_on_a_line("to_scipy", bins)
    if bins.tails != "none":
        raise ValueError(
            f"to_scipy needs bins without tails, got {bins}: SciPy's histograms end at "
            "the last edge; the forecast itself has cdf, ppf, sf and rvs as SciPy has "
            'them, and models with tails="none" have no tails'
        )
    return stats.rv_histogram((probs, bins.edges.cpu().numpy()), density=False)
