"""Criteria that stand where `torch.nn.CrossEntropyLoss` stood: docs/pytorch.md.

`LinearLoss` owns the last linear layer too, with any of them: docs/linear.md.
"""

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


def __getattr__(name: str) -> object:
    # PyTorch has a LinearCrossEntropyLoss; here one class takes every criterion.
    criterion = name.removeprefix("Linear")
    hint = ""
    if criterion != name and criterion in __all__:
        hint = (
            f"; LinearLoss(in_features, num_classes, {criterion}(...)) is the layer "
            "and the loss in one"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
