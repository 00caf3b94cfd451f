"""From a frame to a trained estimator."""

from offby.tabular._base import TabularNetwork
from offby.tabular.boosted._base import BoostedTrees
from offby.tabular.boosted.classifier import BoostedOrdinalClassifier
from offby.tabular.boosted.regressor import BoostedBinnedRegressor
from offby.tabular.classifier import OrdinalClassifier
from offby.tabular.regressor import BinnedRegressor

__all__ = [
    "BinnedRegressor",
    "BoostedBinnedRegressor",
    "BoostedOrdinalClassifier",
    "BoostedTrees",
    "OrdinalClassifier",
    "TabularNetwork",
]
