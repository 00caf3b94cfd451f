"""Criteria: they stand where `torch.nn.CrossEntropyLoss` stood, and do no maths."""

from offby.nn._classes import (
    CrossEntropyLoss,
    CumulativeCrossEntropyLoss,
    SinkhornLoss,
    SquaredEMDLoss,
    SquaredMassLoss,
    WassersteinLoss,
)
from offby.nn._learned import LearnedCosts
from offby.nn._mixed import MixedLoss
from offby.nn._numbers import (
    HistogramCRPSLoss,
    HistogramNLLLoss,
    HistogramWassersteinLoss,
)

__all__ = [
    "CrossEntropyLoss",
    "CumulativeCrossEntropyLoss",
    "HistogramCRPSLoss",
    "HistogramNLLLoss",
    "HistogramWassersteinLoss",
    "LearnedCosts",
    "MixedLoss",
    "SinkhornLoss",
    "SquaredEMDLoss",
    "SquaredMassLoss",
    "WassersteinLoss",
]
