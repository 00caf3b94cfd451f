"""Scores of forecasts as `torchmetrics.Metric`: docs/training-loops.md.

They accumulate over batches, are added up over processes, and are equal to the
functions of `offby.metrics`, by which they are computed: each batch goes to the host in
float64.
"""

from offby.integrations.torchmetrics._classes import (
    BrierScore,
    EarthMoversDistance,
    LogScore,
    RankedProbabilityScore,
)
from offby.integrations.torchmetrics._numbers import (
    HistogramCRPS,
    HistogramLogScore,
    IntervalCoverage,
)
from offby.integrations.torchmetrics._pit import PITHistogram
from offby.integrations.torchmetrics._predicted_classes import (
    FarErrorRate,
    QuadraticWeightedKappa,
)

__all__ = [
    "BrierScore",
    "EarthMoversDistance",
    "FarErrorRate",
    "HistogramCRPS",
    "HistogramLogScore",
    "IntervalCoverage",
    "LogScore",
    "PITHistogram",
    "QuadraticWeightedKappa",
    "RankedProbabilityScore",
]
