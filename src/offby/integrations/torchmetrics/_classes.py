"""Scores of the probabilities of classes."""

from typing import Any

import numpy as np
from torch import Tensor

from offby._checks import on_host
from offby.grounds import Ground, Line
from offby.integrations.torchmetrics._batches import Rows, rows_of
from offby.integrations.torchmetrics._mean import MeanScore
from offby.metrics import rows as scores_of


class _ClassScore(MeanScore):
    def __init__(
        self,
        num_classes: int,
        *,
        from_logits: bool = False,
        ignore_index: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(num_classes, int) or num_classes < 2:
            raise ValueError(
                f"num_classes must be a number of 2 or more, got {num_classes!r}"
            )
        self.num_classes = num_classes
        self.from_logits = from_logits
        self.ignore_index = ignore_index

    def update(
        self, preds: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Take in a batch.

        Args:
            preds: Probabilities (N, C, ...), or logits if `from_logits` is set.
            target: Class indices (N, ...).
            sample_weight: One weight for each target.
        """
        rows = rows_of(
            preds,
            target,
            sample_weight,
            n_classes=self.num_classes,
            from_logits=self.from_logits,
            ignore_index=self.ignore_index,
        )
        if len(rows.target):
            self._add(rows, self._scores(rows))

    def _scores(self, rows: Rows) -> np.ndarray:
        raise NotImplementedError


class RankedProbabilityScore(_ClassScore):
    """Mean of :func:`offby.metrics.ranked_probability_score` over all batches.

    Args:
        num_classes: Number of classes.
        ground: Distances of the classes; 0, 1, 2, ... on a line by default.
        normalized: Divide by the largest distance.
        from_logits: Whether `preds` are logits; probabilities by default.
        ignore_index: Targets of this index do not count.
        kwargs: Those of `torchmetrics.Metric`.

    >>> import torch
    >>> score = RankedProbabilityScore(num_classes=3)
    >>> score.update(torch.tensor([[0.5, 0.0, 0.5]]), torch.tensor([0]))
    >>> score.update(torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([2]))
    >>> score.compute()
    tensor(0.2500, dtype=torch.float64)
    """

    def __init__(
        self,
        num_classes: int,
        *,
        ground: Ground | None = None,
        normalized: bool = False,
        from_logits: bool = False,
        ignore_index: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_classes, from_logits=from_logits, ignore_index=ignore_index, **kwargs
        )
        self.ground = ground
        self.normalized = normalized

    def _scores(self, rows: Rows) -> np.ndarray:
        return scores_of.ranked_probability_score(
            rows.target, rows.preds, ground=self.ground, normalized=self.normalized
        )


class LogScore(_ClassScore):
    """Mean of :func:`offby.metrics.log_score`, in nats, over all batches.

    Args:
        num_classes: Number of classes.
        from_logits: Whether `preds` are logits; probabilities by default.
        ignore_index: Targets of this index do not count.
        kwargs: Those of `torchmetrics.Metric`.
    """

    plot_lower_bound = None

    def _scores(self, rows: Rows) -> np.ndarray:
        return scores_of.log_score(rows.target, rows.preds)


class BrierScore(_ClassScore):
    """Mean of :func:`offby.metrics.brier_score`, from 0 to 2, over all batches.

    Args:
        num_classes: Number of classes.
        from_logits: Whether `preds` are logits; probabilities by default.
        ignore_index: Targets of this index do not count.
        kwargs: Those of `torchmetrics.Metric`.
    """

    def _scores(self, rows: Rows) -> np.ndarray:
        return scores_of.brier_score(rows.target, rows.preds)


class EarthMoversDistance(_ClassScore):
    """Mean distance of the predicted mass from the true class: Wasserstein-1.

    It is :func:`offby.losses.wasserstein` of the probabilities. It is not proper: a
    forecast does best by putting all mass on its median. To compare forecasts, take
    `RankedProbabilityScore`.

    Args:
        num_classes: Number of classes.
        ground: Distances of the classes; 0, 1, 2, ... on a line by default.
        from_logits: Whether `preds` are logits; probabilities by default.
        ignore_index: Targets of this index do not count.
        kwargs: Those of `torchmetrics.Metric`.

    >>> import torch
    >>> distance = EarthMoversDistance(num_classes=3)
    >>> distance(torch.tensor([[0.5, 0.0, 0.5]]), torch.tensor([0]))
    tensor(1., dtype=torch.float64)
    """

    def __init__(
        self,
        num_classes: int,
        *,
        ground: Ground | None = None,
        from_logits: bool = False,
        ignore_index: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_classes, from_logits=from_logits, ignore_index=ignore_index, **kwargs
        )
        ground = Line.regular(num_classes) if ground is None else ground
        if ground.n_classes != num_classes:
            raise ValueError(
                f"ground must have {num_classes} classes, got {ground.n_classes}"
            )
        self.ground = ground

    def _scores(self, rows: Rows) -> np.ndarray:
        # The check of classes and probabilities is that of all scores.
        scores_of.log_score(rows.target, rows.preds)
        total = rows.preds.sum(-1)
        cost = on_host(self.ground.cost)[rows.target.astype(np.int64)]
        return (rows.preds * cost).sum(-1) / total
