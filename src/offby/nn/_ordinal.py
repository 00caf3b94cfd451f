"""Criteria from the literature on ordinal classification, and the Brier score."""

import math

from torch import Tensor

from offby import losses
from offby.bins import Bins
from offby.grounds import Ground
from offby.nn._criterion import ClassCriterion, GroundCriterion
from offby.nn._reduction import ClassWeight, Reduction


class BrierLoss(ClassCriterion):
    """Module form of :func:`offby.losses.brier`.

    Args:
        weight: One number per class, (C,): a tensor, which follows the criterion from
            device to device and is saved, or a list. By default all classes count
            alike.
        ignore_index: Rows of this class index do not count.
        reduction: "mean" divides by the sum of the weights of the rows, "sum" adds,
            "none" gives one loss per row.
        dim: Axis of the classes in logits and probabilities: 1, as in PyTorch, for
            (N, C) and (N, C, d1, ...), and the only one of a single example; -1 if the
            classes are last.

    >>> import torch
    >>> criterion = BrierLoss()
    >>> criterion(torch.zeros(2, 4), torch.tensor([0, 1]))
    tensor(0.7500)
    """

    def __init__(
        self,
        *,
        weight: ClassWeight = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        dim: int = 1,
    ) -> None:
        super().__init__(
            weight=weight, ignore_index=ignore_index, reduction=reduction, dim=dim
        )

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.brier(logits, target)


class CDWCrossEntropyLoss(GroundCriterion):
    """Module form of :func:`offby.losses.cdw_cross_entropy`.

    Args:
        ground: How far apart the classes are; `Line.regular(C)` by default. `Bins`
            stand for the line of their centers.
        power: Power of the distance, positive.
        margin: Wrong mass up to this much costs nothing, from 0 to below 1.
        weight: One number per class, (C,): a tensor, which follows the criterion from
            device to device and is saved, or a list. By default all classes count
            alike.
        ignore_index: Rows of this class index do not count.
        reduction: "mean" divides by the sum of the weights of the rows, "sum" adds,
            "none" gives one loss per row.
        dim: Axis of the classes in logits and probabilities: 1, as in PyTorch, for
            (N, C) and (N, C, d1, ...), and the only one of a single example; -1 if the
            classes are last.

    >>> import torch
    >>> criterion = CDWCrossEntropyLoss(power=2)
    >>> criterion(torch.zeros(1, 3), torch.tensor([0]))
    tensor(2.0273)
    """

    def __init__(
        self,
        ground: Ground | Bins | None = None,
        *,
        power: float = 1.0,
        margin: float = 0.0,
        weight: ClassWeight = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        dim: int = 1,
    ) -> None:
        super().__init__(
            ground,
            weight=weight,
            ignore_index=ignore_index,
            reduction=reduction,
            dim=dim,
        )
        if not power > 0:
            raise ValueError(f"power must be positive, got {power:g}")
        if not 0 <= margin < 1:
            raise ValueError(
                f"margin must be from 0 to below 1, got {margin:g}; it is the share of "
                "the mass that a wrong class may have for nothing"
            )
        self.power, self.margin = power, margin

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.cdw_cross_entropy(
            logits, target, self.ground, power=self.power, margin=self.margin
        )


class SLACELoss(GroundCriterion):
    """Module form of :func:`offby.losses.slace`.

    Args:
        ground: How far apart the classes are; `Line.regular(C)` by default. `Bins`
            stand for the line of their centers.
        temperature: Distance at which the soft label falls to 1/e, in the units of the
            ground.
        weight: One number per class, (C,): a tensor, which follows the criterion from
            device to device and is saved, or a list. By default all classes count
            alike.
        ignore_index: Rows of this class index do not count.
        reduction: "mean" divides by the sum of the weights of the rows, "sum" adds,
            "none" gives one loss per row.
        dim: Axis of the classes in logits and probabilities: 1, as in PyTorch, for
            (N, C) and (N, C, d1, ...), and the only one of a single example; -1 if the
            classes are last.

    >>> import torch
    >>> criterion = SLACELoss()
    >>> criterion(torch.zeros(2, 4), torch.tensor([0, 1]))
    tensor(0.9680)
    """

    def __init__(
        self,
        ground: Ground | Bins | None = None,
        *,
        temperature: float = 1.0,
        weight: ClassWeight = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        dim: int = 1,
    ) -> None:
        super().__init__(
            ground,
            weight=weight,
            ignore_index=ignore_index,
            reduction=reduction,
            dim=dim,
        )
        if not 0 < temperature < math.inf:
            raise ValueError(f"temperature must be positive, got {temperature:g}")
        self.temperature = temperature

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.slace(logits, target, self.ground, temperature=self.temperature)
