"""Every loss: `(logits, target, ...) -> one value per example`, classes last."""

from offby.losses._cross_entropy import cross_entropy
from offby.losses._cumulative import cumulative_cross_entropy
from offby.losses._histogram import (
    histogram_crps,
    histogram_nll,
    histogram_wasserstein,
)
from offby.losses._sinkhorn import sinkhorn
from offby.losses._squared_emd import squared_emd
from offby.losses._squared_mass import squared_mass
from offby.losses._wasserstein import wasserstein

__all__ = [
    "cross_entropy",
    "cumulative_cross_entropy",
    "histogram_crps",
    "histogram_nll",
    "histogram_wasserstein",
    "sinkhorn",
    "squared_emd",
    "squared_mass",
    "wasserstein",
]
