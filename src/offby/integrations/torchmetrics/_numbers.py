"""Scores of histograms: probabilities of bins against real numbers."""

from typing import Any

import numpy as np
from torch import Tensor

from offby.bins import Bins
from offby.distribution import BinnedDistribution
from offby.integrations.torchmetrics._batches import Rows, rows_of
from offby.integrations.torchmetrics._mean import MeanScore
from offby.metrics import rows as scores_of


class _NumberScore(MeanScore):
    def __init__(self, bins: Bins, *, from_logits: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(bins, Bins):
            raise TypeError(
                f"bins must be offby.Bins, got {type(bins).__name__}; Bins(edges) "
                "makes them of edges"
            )
        self.bins = bins
        self.from_logits = from_logits

    def update(
        self, preds: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Take in a batch.

        Args:
            preds: Probabilities (N, bins, ...), or logits if `from_logits` is set.
            target: Numbers (N, ...). Rows of weight 0 may hold anything.
            sample_weight: One weight for each target.
        """
        rows = rows_of(
            preds,
            target,
            sample_weight,
            n_classes=self.bins.n_bins,
            from_logits=self.from_logits,
        )
        if len(rows.target):
            self._add(rows, self._scores(rows))

    def _scores(self, rows: Rows) -> np.ndarray:
        raise NotImplementedError


class HistogramCRPS(_NumberScore):
    """Mean of :func:`offby.metrics.histogram_crps` over all batches.

    Args:
        bins: The bins of the histograms.
        from_logits: Whether `preds` are logits; probabilities by default.
        kwargs: Those of `torchmetrics.Metric`.

    >>> import torch
    >>> score = HistogramCRPS(Bins.uniform(0, 8, 4))
    >>> score(torch.full((1, 4), 0.25), torch.tensor([4.0]))
    tensor(0.6667, dtype=torch.float64)
    """

    def _scores(self, rows: Rows) -> np.ndarray:
        return scores_of.histogram_crps(rows.target, rows.preds, self.bins)


class HistogramLogScore(_NumberScore):
    """Mean of :func:`offby.metrics.histogram_log_score` over all batches.

    Args:
        bins: The bins of the histograms.
        from_logits: Whether `preds` are logits; probabilities by default.
        kwargs: Those of `torchmetrics.Metric`.
    """

    plot_lower_bound = None

    def _scores(self, rows: Rows) -> np.ndarray:
        return scores_of.histogram_log_score(rows.target, rows.preds, self.bins)


class IntervalCoverage(_NumberScore):
    """Share of the numbers inside the central interval of their histogram.

    For calibrated forecasts it is close to `coverage`: neither higher nor lower is
    better.

    Args:
        bins: The bins of the histograms.
        coverage: Mass of the intervals.
        from_logits: Whether `preds` are logits; probabilities by default.
        kwargs: Those of `torchmetrics.Metric`.

    >>> import torch
    >>> share = IntervalCoverage(Bins.uniform(0, 8, 4), coverage=0.5)
    >>> share(torch.full((2, 4), 0.25), torch.tensor([4.0, 7.5]))
    tensor(0.5000, dtype=torch.float64)
    """

    higher_is_better = None
    plot_upper_bound = 1.0

    def __init__(
        self,
        bins: Bins,
        coverage: float = 0.9,
        *,
        from_logits: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(bins, from_logits=from_logits, **kwargs)
        if not 0 <= coverage < 1:
            raise ValueError(
                f"coverage must be at least 0 and less than 1, got {coverage:g}; "
                "0.9 stands for 90 %"
            )
        self.coverage = coverage

    def _scores(self, rows: Rows) -> np.ndarray:
        low, high = BinnedDistribution(rows.preds, self.bins).interval(self.coverage)
        return ((low <= rows.target) & (rows.target <= high)).astype(np.float64)
