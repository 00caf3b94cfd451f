"""`MeanScore`: a metric that is a weighted mean over rows."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from offby.integrations.torchmetrics._batches import Rows


class MeanScore(Metric):
    """Sums of scores and of weights, which processes add up."""

    full_state_update = False
    is_differentiable = False
    higher_is_better = False
    plot_lower_bound = 0.0
    total: Tensor
    weight: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # In float64: a sum over many batches would lose digits in single precision.
        for name in ("total", "weight"):
            zero = torch.zeros((), dtype=torch.float64)
            self.add_state(name, default=zero, dist_reduce_fx="sum")

    def _add(self, rows: Rows, scores: np.ndarray) -> None:
        self.total += float((scores * rows.weight).sum())
        self.weight += float(rows.weight.sum())

    def compute(self) -> Tensor:
        """The mean over all rows so far; NaN if there were none."""
        return self.total / self.weight

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """A point for the value, or a line for several, on a matplotlib axis.

        Args:
            val: What `compute` or `forward` gave, or a list of it; the present value by
                default.
            ax: The axis to draw on; a new one by default.

        Returns:
            Figure and axis.
        """
        return self._plot(val, ax)
