"""Scores of predicted classes, from counts of true and predicted ones."""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from offby import metrics
from offby._checks import on_host
from offby.grounds import Ground, Line
from offby.integrations.torchmetrics._batches import classes_of, rows_of


class _Counts(Metric):
    """Counts of true class x predicted class, which processes add up."""

    full_state_update = False
    is_differentiable = False
    counts: Tensor

    def __init__(
        self,
        num_classes: int,
        *,
        decision: Literal["median", "mode"] = "median",
        ignore_index: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if decision not in ("median", "mode"):
            raise ValueError(f'decision must be "median" or "mode", got {decision!r}')
        self.num_classes = num_classes
        self.decision = decision
        self.ignore_index = ignore_index
        none = torch.zeros(num_classes, num_classes, dtype=torch.float64)
        self.add_state("counts", default=none, dist_reduce_fx="sum")

    def update(
        self, preds: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Take in a batch.

        Args:
            preds: Predicted classes (N, ...), or probabilities (N, C, ...), of which
                the median or the most likely class is taken.
            target: Class indices (N, ...).
            sample_weight: One weight for each target.
        """
        if preds.is_floating_point():
            rows = rows_of(
                preds,
                target,
                sample_weight,
                n_classes=self.num_classes,
                ignore_index=self.ignore_index,
            )
            median = self.decision == "median"
            decide = metrics.median_class if median else _most_likely
            predicted = decide(rows.preds) if len(rows.preds) else rows.target
        else:
            rows = classes_of(preds, target, sample_weight, self.ignore_index)
            predicted = rows.preds
        for name, classes in (("target", rows.target), ("preds", predicted)):
            if (
                len(classes)
                and not 0 <= classes.min() <= classes.max() < self.num_classes
            ):
                raise ValueError(
                    f"{name} must hold classes 0 to {self.num_classes - 1}, got "
                    f"{classes.min()} to {classes.max()}"
                )
        cell = rows.target.astype(np.int64) * self.num_classes + predicted.astype(
            np.int64
        )
        found = np.bincount(cell, rows.weight, self.num_classes**2)
        self.counts += torch.as_tensor(found, device=self.counts.device).view_as(
            self.counts
        )

    def compute(self) -> Tensor:
        """The score over all rows so far; NaN if there were none."""
        counts = on_host(self.counts)
        if not counts.any():
            return self.counts.new_tensor(torch.nan)
        true, predicted = counts.nonzero()
        weight = counts[true, predicted]
        return self.counts.new_tensor(self._score(true, predicted, weight))

    def _score(self, true: np.ndarray, predicted: np.ndarray, weight: np.ndarray):
        raise NotImplementedError

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """A point for the value, or a line for several; see `MeanScore.plot`."""
        return self._plot(val, ax)


class FarErrorRate(_Counts):
    """Share of the rows whose predicted class is `distance` or more off.

    It is :func:`offby.metrics.far_error_rate` over all batches.

    Args:
        num_classes: Number of classes.
        distance: From where on an error is a far one.
        ground: Distances of the classes; 0, 1, 2, ... on a line by default.
        decision: The class that probabilities stand for: "median" or "mode".
        ignore_index: Targets of this index do not count.
        kwargs: Those of `torchmetrics.Metric`.

    >>> share = FarErrorRate(num_classes=5)
    >>> share(torch.tensor([0, 3, 4]), torch.tensor([2, 3, 3]))
    tensor(0.3333, dtype=torch.float64)
    """

    higher_is_better = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    def __init__(
        self,
        num_classes: int,
        distance: float = 2,
        *,
        ground: Ground | None = None,
        decision: Literal["median", "mode"] = "median",
        ignore_index: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_classes, decision=decision, ignore_index=ignore_index, **kwargs
        )
        self.distance = distance
        self.ground = ground

    def _score(
        self, true: np.ndarray, predicted: np.ndarray, weight: np.ndarray
    ) -> float:
        return metrics.far_error_rate(
            true, predicted, self.distance, ground=self.ground, sample_weight=weight
        )


class QuadraticWeightedKappa(_Counts):
    """:func:`offby.metrics.quadratic_weighted_kappa` over all batches.

    Args:
        num_classes: Number of classes.
        ground: Positions of the classes; 0, 1, 2, ... by default.
        decision: The class that probabilities stand for: "median" or "mode".
        ignore_index: Targets of this index do not count.
        kwargs: Those of `torchmetrics.Metric`.

    >>> kappa = QuadraticWeightedKappa(num_classes=3)
    >>> kappa(torch.tensor([0, 1, 2, 1]), torch.tensor([0, 1, 2, 2]))
    tensor(0.8000, dtype=torch.float64)
    """

    higher_is_better = True
    plot_upper_bound = 1.0

    def __init__(
        self,
        num_classes: int,
        *,
        ground: Line | None = None,
        decision: Literal["median", "mode"] = "median",
        ignore_index: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_classes, decision=decision, ignore_index=ignore_index, **kwargs
        )
        line = Line.regular(num_classes) if ground is None else ground
        if not isinstance(line, Line) or line.n_classes != num_classes:
            raise ValueError(f"ground must be a Line of {num_classes} classes")
        self.ground = line

    def _score(
        self, true: np.ndarray, predicted: np.ndarray, weight: np.ndarray
    ) -> float:
        at = on_host(self.ground.positions)
        return metrics.quadratic_weighted_kappa(
            at[true], at[predicted], sample_weight=weight
        )


def _most_likely(probabilities: np.ndarray) -> np.ndarray:
    return probabilities.argmax(-1)
