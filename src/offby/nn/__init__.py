"""Criteria that stand where `torch.nn.CrossEntropyLoss` stood: docs/pytorch.md."""

from offby.nn import heads as heads
from offby.nn._balance import first_push
from offby.nn._cross_entropy import CrossEntropyLoss
from offby.nn._distances import (
    CumulativeCrossEntropyLoss,
    SinkhornLoss,
    SquaredEMDLoss,
    SquaredMassLoss,
    WassersteinLoss,
)
from offby.nn._kappa import WeightedKappaLoss
from offby.nn._learned import LearnedCosts
from offby.nn._linear import LinearLoss
from offby.nn._mixed import MixedLoss
from offby.nn._numbers import (
    HistogramCRPSLoss,
    HistogramNLLLoss,
    HistogramWassersteinLoss,
)
from offby.nn._ordinal import BrierLoss, CDWCrossEntropyLoss, SLACELoss
from offby.nn._processes import mean_over_processes
from offby.nn._subset import SubsetLoss

__all__ = [
    "BrierLoss",
    "CDWCrossEntropyLoss",
    "CrossEntropyLoss",
    "CumulativeCrossEntropyLoss",
    "HistogramCRPSLoss",
    "HistogramNLLLoss",
    "HistogramWassersteinLoss",
    "LearnedCosts",
    "LinearLoss",
    "MixedLoss",
    "SLACELoss",
    "SinkhornLoss",
    "SquaredEMDLoss",
    "SquaredMassLoss",
    "SubsetLoss",
    "WassersteinLoss",
    "WeightedKappaLoss",
    "first_push",
    "mean_over_processes",
]
