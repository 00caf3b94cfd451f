"""`CrossEntropyLoss`: PyTorch's, and part of the sums that `MixedLoss` makes."""

import torch
from torch import Tensor

from offby import kernels, losses
from offby.nn._criterion import ClassCriterion, PerRow
from offby.nn._reduction import ClassWeight, Reduction, of_class, reduce


class CrossEntropyLoss(ClassCriterion):
    """Module form of :func:`offby.losses.cross_entropy`.

    Equal to `torch.nn.CrossEntropyLoss`, with these differences: a batch without any
    row that counts gives 0, not NaN; and what is sure to be a mistake is refused
    (negative weights, probabilities that do not sum to 1, a floating target on a single
    axis).

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
        label_smoothing: Share of the target mass that is spread evenly over all
            classes, 0 to 1. To spread it by distance, make the target by
            `offby.targets.smoothed(target,
            ground, temperature)` as the target.

    >>> criterion = CrossEntropyLoss(weight=[1.0, 1.0, 2.0])
    >>> criterion(torch.zeros(2, 3), torch.tensor([0, 2]))
    tensor(1.0986)
    """

    def __init__(
        self,
        weight: ClassWeight = None,
        *,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        label_smoothing: float = 0.0,
        dim: int = 1,
    ) -> None:
        super().__init__(
            weight=weight, ignore_index=ignore_index, reduction=reduction, dim=dim
        )
        if not 0 <= label_smoothing <= 1:
            raise ValueError(
                f"label_smoothing must lie between 0 and 1, got {label_smoothing:g}; "
                "it is the share of the mass that is spread over all classes"
            )
        self.label_smoothing = label_smoothing

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        share = self.label_smoothing
        if not share or target.is_floating_point():
            return losses.cross_entropy(logits, target)
        spread = _mean_over_classes(logits, None)
        return (1 - share) * losses.cross_entropy(logits, target) + share * spread

    def term(self, factor: float) -> kernels.Term | None:
        """The formula as the kernels know it; None if labels are smoothed."""
        if self.label_smoothing:
            return None
        return kernels.Term("cross_entropy", factor=factor)

    def weighted_rows(self, per_row: PerRow, logits: Tensor, target: Tensor) -> Tensor:
        """As in PyTorch, spread mass has the weight of the class it is spread on."""
        share = self.label_smoothing
        if not share:
            return super().weighted_rows(per_row, logits, target)
        assert self.weight is not None
        sharp = losses.cross_entropy(logits, target)
        sharp = reduce(sharp, "none", weight=of_class(self.weight, target))
        spread = _mean_over_classes(logits, self.weight)
        return (1 - share) * sharp + share * spread

    def reweighed(self, target: Tensor, weight: Tensor) -> Tensor:
        """Class by class, as in PyTorch: the cross-entropy is a sum over classes."""
        weighed = target * weight
        total = weighed.sum(-1, keepdim=True)
        return weighed / total.where(total != 0, 1.0)

    def smoothed(self, target: Tensor) -> Tensor:
        """Target probabilities, part of their mass spread over all classes."""
        share = self.label_smoothing
        return (1 - share) * target + share / target.shape[-1] if share else target


def _mean_over_classes(logits: Tensor, weight: Tensor | None) -> Tensor:
    """Mean over the classes of minus the log-probability, each times its weight."""
    cost = -logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
    if weight is not None:
        # Of weight 0 and infinite cost the product would be NaN.
        cost = torch.where(weight != 0, cost * weight.to(cost.dtype), 0.0)
    return cost.mean(-1)
