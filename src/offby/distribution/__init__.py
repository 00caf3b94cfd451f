"""`BinnedDistribution` and what it is built of."""

from offby.distribution._distribution import BinnedDistribution

__all__ = ["BinnedDistribution"]
