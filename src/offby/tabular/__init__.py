"""From a frame to a trained estimator."""

from offby.tabular._base import TabularNetwork
from offby.tabular.boosted._base import BoostedTrees
from offby.tabular.boosted.classifier import BoostedOrdinalClassifier
from offby.tabular.boosted.regressor import BoostedBinnedRegressor
from offby.tabular.classifier import OrdinalClassifier
from offby.tabular.regressor import BinnedRegressor
from offby.tabular.together._base import WeightedMean
from offby.tabular.together.classifier import OrdinalEnsemble
from offby.tabular.together.regressor import BinnedEnsemble

__all__ = [
    "BinnedEnsemble",
    "BinnedRegressor",
    "BoostedBinnedRegressor",
    "BoostedOrdinalClassifier",
    "BoostedTrees",
    "OrdinalClassifier",
    "OrdinalEnsemble",
    "TabularNetwork",
    "WeightedMean",
]
