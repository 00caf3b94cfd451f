"""Forecasts over bins as an output of GluonTS's networks: docs/forecasting.md."""

from typing import Any, Literal

import torch
from gluonts.core.component import (  # pyright: ignore[reportMissingImports]
    validated,
)
from gluonts.torch.distributions import (  # pyright: ignore[reportMissingImports]
    DistributionOutput,
)
from torch import Tensor

from offby import losses
from offby.bins import Bins
from offby.integrations.torch_distributions import Histogram

__all__ = ["BinnedOutput"]

_SPAN = (-10.0, 10.0, 100)
"""Of series that GluonTS has divided by their mean absolute value."""


class BinnedOutput(DistributionOutput):
    """Logits over bins where `StudentTOutput` stood: `distr_output=BinnedOutput()`.

    The network's forecast of each step is a histogram in the scale that the estimator
    gives to its series. The CRPS is in the units of the series, as the loss of
    GluonTS's `QuantileOutput` is: a series of large numbers counts more.

    Args:
        edges: Increasing bounds of the bins, in the scaled series; by default 100 bins
            of equal width in symlog, from -10 to 10.
        tails: As for `offby.Bins`; half-normal by default, so that no number is
            impossible.
        criterion: "crps" or "nll", the exact continuous ranked probability score or
            minus the log density.

    Raises:
        ValueError: If there is no such criterion, or the edges do not increase.

    >>> output = BinnedOutput([0.0, 1.0, 2.0, 5.0])
    >>> logits = output.domain_map(torch.zeros(2, 3))
    >>> output.distribution(logits, scale=torch.tensor([1.0, 10.0])).sample().shape
    torch.Size([2])
    """

    distr_cls: type = Histogram

    @validated()
    def __init__(
        self,
        edges: list[float] | None = None,
        tails: str = "half-normal",
        criterion: str = "crps",
    ) -> None:
        super().__init__()
        if criterion not in ("crps", "nll"):
            raise ValueError(f'criterion must be "crps" or "nll", got {criterion!r}')
        given: Any = tails
        self.bins = (
            Bins.symlog(*_SPAN, tails=given)
            if edges is None
            else Bins(edges, tails=given)
        )
        self.criterion: Literal["crps", "nll"] = criterion
        self.args_dim = {"logits": self.bins.n_bins}

    def domain_map(self, logits: Tensor) -> tuple[Tensor]:
        """The raw output of the last layer: steps x bins."""
        return (logits,)

    def _base_distribution(self, distr_args: Any) -> Histogram:
        return Histogram(self.bins, logits=distr_args[0])

    def loss(
        self,
        target: Tensor,
        distr_args: Any,
        loc: Tensor | None = None,
        scale: Tensor | None = None,
    ) -> Tensor:
        """The criterion of each step: of `distribution` at the target."""
        (logits,) = distr_args
        shape = torch.broadcast_shapes(target.shape, logits.shape[:-1])
        scale = torch.ones_like(target) if scale is None else scale
        scaled = ((target if loc is None else target - loc) / scale).expand(shape)
        logits = logits.expand(*shape, -1)
        if self.criterion == "crps":
            return scale * losses.histogram_crps(logits, scaled, self.bins)
        return losses.histogram_nll(logits, scaled, self.bins) + scale.log()

    @property
    def event_shape(self) -> tuple:
        """Each step is one number."""
        return ()
