"""`PITHistogram`: are the forecasts too narrow, too wide, or shifted?"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from offby.bins import Bins
from offby.integrations.torchmetrics._batches import rows_of
from offby.metrics import rows as scores_of


class PITHistogram(Metric):
    """Histogram of the probability integral transform over all batches.

    The heights are 1 on average, and all close to 1 if the forecasts are calibrated. A
    U says that they are too narrow, a hump that they are too wide, a slope that they
    are shifted.

    Args:
        forecast: Number of classes, or the `Bins` of the histograms.
        bars: Number of bars.
        from_logits: Whether `preds` are logits; probabilities by default.
        ignore_index: Targets of this index do not count.
        kwargs: Those of `torchmetrics.Metric`.

    References:
        Czado, Gneiting, Held (2009), Predictive model assessment for count data,
        Biometrics 65, doi:10.1111/j.1541-0420.2009.01191.x.

    >>> heights = PITHistogram(Bins([0, 2, 4]), bars=4)
    >>> y = torch.tensor([0.5, 1.5, 2.5, 2.6])
    >>> heights(torch.full((4, 2), 0.5), y)
    tensor([1., 1., 2., 0.], dtype=torch.float64)
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = None
    reached: Tensor
    weight: Tensor

    def __init__(
        self,
        forecast: int | Bins,
        *,
        bars: int = 10,
        from_logits: bool = False,
        ignore_index: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if bars < 1:
            raise ValueError(f"bars must be at least 1, got {bars}")
        self.forecast = forecast
        self.from_logits = from_logits
        self.ignore_index = ignore_index
        self.levels = np.arange(1, bars + 1) / bars
        for name, shape in (("reached", (bars,)), ("weight", ())):
            zero = torch.zeros(shape, dtype=torch.float64)
            self.add_state(name, default=zero, dist_reduce_fx="sum")

    def update(
        self, preds: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Take in a batch.

        Args:
            preds: Probabilities (N, C, ...), or logits if `from_logits` is set.
            target: Class indices, or numbers if the forecast has bins (N, ...).
            sample_weight: One weight for each target.
        """
        given = self.forecast
        bins, n = (given, given.n_bins) if isinstance(given, Bins) else (None, given)
        rows = rows_of(
            preds,
            target,
            sample_weight,
            n_classes=n,
            from_logits=self.from_logits,
            ignore_index=self.ignore_index,
        )
        if not len(rows.target):
            return
        if bins is None:
            found = scores_of.pit_cdf(rows.target, rows.preds, self.levels)
        else:
            found = scores_of.histogram_pit_cdf(
                rows.target, rows.preds, bins, self.levels
            )
        total = torch.as_tensor(rows.weight @ found, device=self.reached.device)
        self.reached += total
        self.weight += float(rows.weight.sum())

    def compute(self) -> Tensor:
        """Height of each bar."""
        share = self.reached / self.weight
        return torch.diff(share, prepend=share.new_zeros(1)) * len(share)

    def plot(self, val: Tensor | None = None, ax: Any = None) -> Any:
        """Bars on a matplotlib axis, and a line at 1.

        Args:
            val: What `compute` gave; the present value by default.
            ax: The axis to draw on; a new one by default.

        Returns:
            Figure and axis.
        """
        from matplotlib import pyplot

        heights = (self.compute() if val is None else val).cpu().numpy()
        figure, axis = (ax.figure, ax) if ax is not None else pyplot.subplots()
        width = 1 / len(heights)
        axis.bar(np.arange(len(heights)) * width, heights, width, align="edge")
        axis.axhline(1, color="black", linewidth=1)
        axis.set(xlabel="PIT", ylabel="density", xlim=(0, 1))
        return figure, axis
