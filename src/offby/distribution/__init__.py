"""Predicted distributions: of numbers in bins, and of ordered classes."""

from offby.distribution._distribution import BinnedDistribution
from offby.distribution.class_distribution import ClassDistribution

__all__ = ["BinnedDistribution", "ClassDistribution"]
