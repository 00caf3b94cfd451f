"""From a frame to a trained estimator."""

from offby.tabular._base import TabularNetwork
from offby.tabular.classifier import OrdinalClassifier
from offby.tabular.regressor import BinnedRegressor

__all__ = ["BinnedRegressor", "OrdinalClassifier", "TabularNetwork"]
