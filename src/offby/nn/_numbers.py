"""Criteria whose targets are real numbers."""

from torch import Tensor, nn

from offby import losses
from offby._checks import check_logits
from offby.bins import Bins
from offby.nn._criterion import (
    Held,
    Reduction,
    check_reduction,
    check_sample_weight,
    reduce,
)


class OnBins(nn.Module):
    """A criterion against real numbers: it holds a grid. NaN gives NaN."""

    def __init__(
        self, bins: Bins, *, reduction: Reduction = "mean", dim: int = -1
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        self.held = Held(bins)
        self.reduction: Reduction = reduction
        self.dim = dim

    @property
    def bins(self) -> Bins:
        """The grid, on the device the criterion is on."""
        return self.held()

    def rows(self, logits: Tensor, value: Tensor) -> Tensor:
        """Loss of each row, bins on the last axis."""
        raise NotImplementedError

    def forward(
        self, logits: Tensor, value: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a batch, reduced as asked at construction.

        Args:
            logits: Raw network output, bins on axis `dim`.
            value: The true numbers, in the units of the bins.
            sample_weight: One weight per row; a mask (bool) also will do. A row of
                weight 0 has no say, whatever its number: NaN, for instance.
        """
        check_logits(logits)
        check_sample_weight(sample_weight, value.shape)
        if sample_weight is not None:
            # 0 * NaN is NaN in the backward pass.
            value = value.where(sample_weight != 0, self.bins.edges[0].to(value))
        loss = self.rows(logits.movedim(self.dim, -1), value)
        return reduce(loss, self.reduction, None, sample_weight)


class HistogramNLLLoss(OnBins):
    """Module form of :func:`offby.losses.histogram_nll`."""

    def rows(self, logits: Tensor, value: Tensor) -> Tensor:
        """Loss of each row, bins on the last axis."""
        return losses.histogram_nll(logits, value, self.bins)


class HistogramCRPSLoss(OnBins):
    """Module form of :func:`offby.losses.histogram_crps`."""

    def rows(self, logits: Tensor, value: Tensor) -> Tensor:
        """Loss of each row, bins on the last axis."""
        return losses.histogram_crps(logits, value, self.bins)


class HistogramWassersteinLoss(OnBins):
    """Module form of :func:`offby.losses.histogram_wasserstein`."""

    def rows(self, logits: Tensor, value: Tensor) -> Tensor:
        """Loss of each row, bins on the last axis."""
        return losses.histogram_wasserstein(logits, value, self.bins)
