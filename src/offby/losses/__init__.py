"""Every loss: `(logits, target, ...) -> one value per example`, classes last."""

from offby.losses import levels as levels
from offby.losses._brier import brier
from offby.losses._cdw_cross_entropy import cdw_cross_entropy
from offby.losses._cross_entropy import cross_entropy
from offby.losses._cumulative import cumulative_cross_entropy
from offby.losses._histogram import (
    histogram_crps,
    histogram_nll,
    histogram_wasserstein,
)
from offby.losses._sinkhorn import sinkhorn
from offby.losses._slace import slace
from offby.losses._squared_emd import squared_emd
from offby.losses._squared_mass import squared_mass
from offby.losses._wasserstein import wasserstein
from offby.losses._weighted_kappa import weighted_kappa

__all__ = [
    "brier",
    "cdw_cross_entropy",
    "cross_entropy",
    "cumulative_cross_entropy",
    "histogram_crps",
    "histogram_nll",
    "histogram_wasserstein",
    "sinkhorn",
    "slace",
    "squared_emd",
    "squared_mass",
    "wasserstein",
    "weighted_kappa",
]
