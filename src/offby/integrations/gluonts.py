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
from torch.nn import functional

from offby import losses
from offby.bins import Bins
from offby.integrations.torch_distributions import Histogram

__all__ = ["BinnedOutput"]

_LOCATED = (-8.0, 8.0, 80)
"""Bins around a location, in units of a scale, that the network gives for each step."""
_SCALED = (-10.0, 10.0, 100)
"""Bins in symlog, of series that GluonTS has divided by their mean absolute value."""


class BinnedOutput(DistributionOutput):
    """Logits over bins where `StudentTOutput` stood: `distr_output=BinnedOutput()`.

    The forecast of each step is a histogram. The network gives its masses, and as for
    Student's t its location and scale too, so that bins are narrow where the series is
    easy to forecast. The CRPS is in the units of the series, as the loss of GluonTS's
    `QuantileOutput` is: a series of large numbers counts more.

    Args:
        edges: Increasing bounds of the bins around the location, in units of the scale;
            by default 80 bins of equal width from -8 to 8. Without `location_scale`, in
            the scaled series; by default 100 bins of equal width in symlog, from -10 to
            10.
        tails: As for `offby.Bins`; half-normal by default, so that no number is
            impossible.
        criterion: "crps" or "nll", the exact continuous ranked probability score or
            minus the log density.
        location_scale: Whether the network gives a location and a scale. Bins that stay
            where they are suit a series that returns to the same few values.

    Raises:
        ValueError: If there is no such criterion, or the edges do not increase.

    >>> output = BinnedOutput([0.0, 1.0, 2.0, 5.0], location_scale=False)
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
        location_scale: bool = True,
    ) -> None:
        super().__init__()
        if criterion not in ("crps", "nll"):
            raise ValueError(f'criterion must be "crps" or "nll", got {criterion!r}')
        given: Any = tails
        if edges is not None:
            self.bins = Bins(edges, tails=given)
        elif location_scale:
            self.bins = Bins.uniform(*_LOCATED, tails=given)
        else:
            self.bins = Bins.symlog(*_SCALED, tails=given)
        self.criterion: Literal["crps", "nll"] = criterion
        self.args_dim = {"logits": self.bins.n_bins}
        if location_scale:
            self.args_dim |= {"loc": 1, "scale": 1}

    def domain_map(self, logits: Tensor, *located: Tensor) -> tuple[Tensor, ...]:
        """The outputs of the last layer: logits, steps x bins, location, and scale."""
        if not located:
            return (logits,)
        loc, scale = (each.squeeze(-1) for each in located)
        least = torch.finfo(scale.dtype).eps
        return logits, loc, functional.softplus(scale) + least

    def _base_distribution(self, distr_args: Any) -> Histogram:
        return Histogram(self.bins, logits=distr_args[0])

    def distribution(
        self, distr_args: Any, loc: Tensor | None = None, scale: Tensor | None = None
    ) -> Any:
        """The forecast of each step, in the units of the series."""
        loc, scale = _placed(distr_args, loc, scale)
        return super().distribution(distr_args[:1], loc=loc, scale=scale)

    def loss(
        self,
        target: Tensor,
        distr_args: Any,
        loc: Tensor | None = None,
        scale: Tensor | None = None,
    ) -> Tensor:
        """The criterion of each step: of `distribution` at the target."""
        loc, scale = _placed(distr_args, loc, scale)
        logits = distr_args[0]
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


def _placed(
    distr_args: Any, loc: Tensor | None, scale: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """Where the bins of each step lie in the series: location and scale of both."""
    if len(distr_args) == 1:
        return loc, scale
    _, inner_loc, inner_scale = distr_args
    if scale is not None:
        inner_loc, inner_scale = scale * inner_loc, scale * inner_scale
    return (inner_loc if loc is None else loc + inner_loc), inner_scale
