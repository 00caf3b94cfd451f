"""Criteria whose targets are real numbers."""

from torch import Tensor

from offby import kernels, losses
from offby.bins import Bins
from offby.nn._number_criterion import NumberCriterion
from offby.nn._reduction import Reduction


class HistogramNLLLoss(NumberCriterion):
    """Module form of :func:`offby.losses.histogram_nll`.

    Args:
        bins: The grid, in the units of the target.
        ignore_nan: Rows whose number is NaN do not count; by default they make the loss
            NaN.
        reduction: "mean" divides by the sum of the weights of the rows, "sum" adds,
            "none" gives one loss per row.
        dim: Axis of the bins in logits: 1, as in PyTorch, for (N, K) and
            (N, K, d1, ...), and the only one of a single example; -1 if the bins are
            last.

    >>> import torch
    >>> criterion = HistogramNLLLoss(Bins.uniform(0, 8, 4))
    >>> criterion(torch.zeros(1, 4), torch.tensor([4.0]))
    tensor(2.0794)
    """

    def __init__(
        self,
        bins: Bins,
        *,
        ignore_nan: bool = False,
        reduction: Reduction = "mean",
        dim: int = 1,
    ) -> None:
        super().__init__(bins, ignore_nan=ignore_nan, reduction=reduction, dim=dim)

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, bins on the last axis."""
        return losses.histogram_nll(logits, target, self.bins)


class HistogramCRPSLoss(NumberCriterion):
    """Module form of :func:`offby.losses.histogram_crps`.

    Args:
        bins: The grid, in the units of the target.
        ignore_nan: Rows whose number is NaN do not count; by default they make the loss
            NaN.
        reduction: "mean" divides by the sum of the weights of the rows, "sum" adds,
            "none" gives one loss per row.
        dim: Axis of the bins in logits: 1, as in PyTorch, for (N, K) and
            (N, K, d1, ...), and the only one of a single example; -1 if the bins are
            last.

    >>> import torch
    >>> criterion = HistogramCRPSLoss(Bins.uniform(0, 8, 4))
    >>> criterion(torch.zeros(1, 4), torch.tensor([4.0]))
    tensor(0.6667)
    """

    def __init__(
        self,
        bins: Bins,
        *,
        ignore_nan: bool = False,
        reduction: Reduction = "mean",
        dim: int = 1,
    ) -> None:
        super().__init__(bins, ignore_nan=ignore_nan, reduction=reduction, dim=dim)

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, bins on the last axis."""
        return losses.histogram_crps(logits, target, self.bins)

    def term_of(self, target: Tensor, factor: float) -> kernels.Term | None:
        """The formula against these numbers as the kernels know it."""
        return kernels.Term("histogram_crps", self.bins, factor, value=target)


class HistogramWassersteinLoss(NumberCriterion):
    """Module form of :func:`offby.losses.histogram_wasserstein`.

    Args:
        bins: The grid, in the units of the target.
        ignore_nan: Rows whose number is NaN do not count; by default they make the loss
            NaN.
        reduction: "mean" divides by the sum of the weights of the rows, "sum" adds,
            "none" gives one loss per row.
        dim: Axis of the bins in logits: 1, as in PyTorch, for (N, K) and
            (N, K, d1, ...), and the only one of a single example; -1 if the bins are
            last.

    >>> import torch
    >>> criterion = HistogramWassersteinLoss(Bins.uniform(0, 8, 4))
    >>> criterion(torch.zeros(1, 4), torch.tensor([4.0]))
    tensor(2.)
    """

    def __init__(
        self,
        bins: Bins,
        *,
        ignore_nan: bool = False,
        reduction: Reduction = "mean",
        dim: int = 1,
    ) -> None:
        super().__init__(bins, ignore_nan=ignore_nan, reduction=reduction, dim=dim)

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, bins on the last axis."""
        return losses.histogram_wasserstein(logits, target, self.bins)
