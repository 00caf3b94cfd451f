"""Forecasts of TabPFN, logits over borders: docs/foundation-models.md."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from offby._checks import as_numbers
from offby.bins import Bins
from offby.distribution import BinnedDistribution

__all__ = ["bins_of", "from_tabpfn"]


def bins_of(borders: Any, *, tails: bool = True) -> Bins:
    """The grid of a bar distribution: its losses and forecasts are those of offby.

    The tails of a `FullSupportBarDistribution`, half-normal distributions that have
    half of their mass within the outermost bar, are those of
    `Bins(..., tails="half-normal")`. A criterion on these bins takes the place of
    TabPFN's own: `offby.nn.HistogramCRPSLoss(bins_of(criterion), dim=-1)`.

    Args:
        borders: The criterion itself, or its borders in increasing order.
        tails: Whether the first and the last bar reach to infinity, where borders are
            given. Of a criterion, its class says so.

    Raises:
        ValueError: If bars have no width: there is no density there. `from_tabpfn`
            adds their mass to the bar below.

    References:
        Müller et al. (2022), Transformers can do Bayesian inference, arXiv:2112.10510.

    >>> bins_of(torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]))
    Bins(4 bins from -3 to 3, widths 1 to 2, half-normal tails)
    """
    found, tails = _borders(borders, tails)
    flat = int((found.diff() == 0).sum())
    if flat:
        raise ValueError(
            f"each bar must have a width, but {flat} of {len(found) - 1} have none; "
            "float32 borders far from 0 may have become equal: make them in float64, "
            "or use from_tabpfn, which adds the mass of such a bar to the one below"
        )
    return Bins(found, tails="half-normal" if tails else "none")


def from_tabpfn(
    output: Mapping[str, Any] | Float[Tensor, "*batch bars"],
    borders: Any = None,
    *,
    tails: bool = True,
) -> BinnedDistribution:
    """The forecasts of a `TabPFNRegressor`, in the units of its target.

    Log density, mean, variance, quantiles and distribution function are those of
    TabPFN's criterion. A bar without width holds mass at one point; it goes to the bar
    below, whose upper border that point is.

    Args:
        output: What `regressor.predict(X, output_type="full")` gives, or logits with
            the bars on the last axis.
        borders: The criterion or the borders, if `output` is logits.
        tails: As for `bins_of`.

    Raises:
        TypeError: If logits come without borders, or something else than logits.
        ValueError: If the logits do not fit the borders.

    >>> logits = torch.zeros(2, 4, dtype=torch.float64)
    >>> forecast = from_tabpfn(logits, torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]))
    >>> forecast.mean(), forecast.cdf(1.0)
    (array([0., 0.]), array([0.75, 0.75]))
    """
    if isinstance(output, Mapping):
        output, borders = output["logits"], output["criterion"]
    if borders is None or not isinstance(output, Tensor):
        raise TypeError(
            "output must be what predict(X, output_type='full') gives, or a tensor of "
            f"logits with its borders, got a {type(output).__name__}"
            f"{' without borders' if borders is None else ''}"
        )
    found, tails = _borders(borders, tails)
    if output.shape[-1] != len(found) - 1:
        raise ValueError(
            f"logits must have {len(found) - 1} bars on their last axis, as the "
            f"borders have, got shape {tuple(output.shape)}"
        )
    wide = found.diff() > 0
    if not wide.all():
        # The bars without width join the last one with a width before them.
        joined = (wide.cumsum(0) - 1).clamp(min=0).to(output.device)
        log_p = output.detach().double().log_softmax(-1)
        merged = log_p.new_zeros(*log_p.shape[:-1], int(wide.sum()))
        merged = merged.index_add(-1, joined, log_p.exp())
        output, found = merged.log(), torch.cat([found[:1], found[1:][wide]])
    return BinnedDistribution.from_logits(output, bins_of(found, tails=tails))


def _borders(given: Any, tails: bool) -> tuple[Float[Tensor, " borders"], bool]:
    """Borders in float64, and whether the outer bars reach to infinity."""
    if hasattr(given, "borders"):
        # The tails are what the subclass adds, whatever the version calls its module.
        tails = hasattr(given, "halfnormal_with_p_weight_before")
        given = given.borders
    found = as_numbers("borders", given)
    if found.ndim != 1 or len(found) < 2 or (found.diff() < 0).any():
        raise ValueError(
            "borders must be at least two numbers in increasing order on one axis, "
            f"got shape {tuple(found.shape)}"
        )
    return found, tails
