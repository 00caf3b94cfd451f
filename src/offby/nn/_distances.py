"""Criteria of classes that have a ground."""

from torch import Tensor

from offby import kernels, losses
from offby.bins import Bins
from offby.grounds import Ground
from offby.nn._criterion import GroundCriterion
from offby.nn._reduction import ClassWeight, Reduction


class WassersteinLoss(GroundCriterion):
    """Module form of :func:`offby.losses.wasserstein`.

    Loss and gradient are in the units of the ground. With distances up to D the
    gradient of a row can be 0.35 D long (on 61 classes at distance 1: 21), that of a
    cross-entropy at most 1.41: at its learning rate training may diverge. Give the
    criterion `ground.normalized()`, whose largest distance is 1, or a lower rate.

    Args:
        ground: How far apart the classes are; `Line.regular(C)` by default. `Bins`
            stand for the line of their centers.
        p: Power of the distance, at least 1.
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
    >>> criterion = WassersteinLoss(p=2)
    >>> criterion(torch.zeros(1, 3), torch.tensor([0]))
    tensor(1.6667)
    """

    def __init__(
        self,
        ground: Ground | Bins | None = None,
        *,
        p: float = 1,
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
        if not p >= 1:
            raise ValueError(
                f"p must be at least 1, got {p:g}; of smaller powers the optimal "
                "transport is not the one that is computed"
            )
        self.p = p

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.wasserstein(logits, target, self.ground, p=self.p)

    def term(self, factor: float) -> kernels.Term | None:
        """The formula as the kernels know it."""
        return kernels.Term("wasserstein", self.ground, factor, self.p)


class SquaredEMDLoss(GroundCriterion):
    """Module form of :func:`offby.losses.squared_emd`.

    Loss and gradient are in the units of the ground. With distances up to D the
    gradient of a row can be 0.42 D long (on 61 classes at distance 1: 25), that of a
    cross-entropy at most 1.41: at its learning rate training may diverge. Give the
    criterion `ground.normalized()`, whose largest distance is 1, or a lower rate.

    Args:
        ground: How far apart the classes are; `Line.regular(C)` by default. `Bins`
            stand for the line of their centers.
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
    >>> criterion = SquaredEMDLoss()  # where torch.nn.CrossEntropyLoss() stood
    >>> criterion(torch.zeros(2, 4), torch.tensor([0, 1]))
    tensor(0.6250)
    """

    def __init__(
        self,
        ground: Ground | Bins | None = None,
        *,
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

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.squared_emd(logits, target, self.ground)

    def term(self, factor: float) -> kernels.Term | None:
        """The formula as the kernels know it."""
        return kernels.Term("squared_emd", self.ground, factor)


class CumulativeCrossEntropyLoss(GroundCriterion):
    """Module form of :func:`offby.losses.cumulative_cross_entropy`.

    Loss and gradient are in the units of the ground. With distances up to D the
    gradient of a row can be 1.41 D long (on 61 classes at distance 1: 85), that of a
    cross-entropy at most 1.41: at its learning rate training may diverge. Give the
    criterion `ground.normalized()`, whose largest distance is 1, or a lower rate.

    Args:
        ground: How far apart the classes are; `Line.regular(C)` by default. `Bins`
            stand for the line of their centers.
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
    >>> criterion = CumulativeCrossEntropyLoss()
    >>> criterion(torch.zeros(1, 3), torch.tensor([0]))
    tensor(1.5041)
    """

    def __init__(
        self,
        ground: Ground | Bins | None = None,
        *,
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

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.cumulative_cross_entropy(logits, target, self.ground)

    def term(self, factor: float) -> kernels.Term | None:
        """The formula as the kernels know it."""
        return kernels.Term("cumulative_cross_entropy", self.ground, factor)


class SinkhornLoss(GroundCriterion):
    """Module form of :func:`offby.losses.sinkhorn`.

    Args:
        ground: How far apart the classes are; `Line.regular(C)` by default. `Bins`
            stand for the line of their centers.
        epsilon: Strength of the blur, positive, in the units of the ground.
        max_iter: Most iterations.
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
    >>> criterion = SinkhornLoss(epsilon=1.0)
    >>> criterion(torch.zeros(1, 3), torch.tensor([0])).round(decimals=2)
    tensor(0.6800)
    """

    def __init__(
        self,
        ground: Ground | Bins | None = None,
        *,
        epsilon: float,
        max_iter: int = 1000,
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
        if not epsilon > 0:
            raise ValueError(f"epsilon must be positive, got {epsilon:g}")
        if not max_iter >= 1:
            raise ValueError(f"max_iter must be at least 1, got {max_iter}")
        self.epsilon, self.max_iter = epsilon, max_iter

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.sinkhorn(
            logits, target, self.ground, epsilon=self.epsilon, max_iter=self.max_iter
        )


class SquaredMassLoss(GroundCriterion):
    """Module form of :func:`offby.losses.squared_mass`.

    Args:
        ground: How far apart the classes are; `Line.regular(C)` by default. `Bins`
            stand for the line of their centers.
        power: Power of the distance, positive.
        offset: Added to every power of a distance.
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
    >>> from offby import Costs
    >>> criterion = SquaredMassLoss(Costs.equal(4))
    >>> criterion(torch.zeros(1, 4), torch.tensor([0]))
    tensor(0.1875)
    """

    def __init__(
        self,
        ground: Ground | Bins,
        *,
        power: float = 1.0,
        offset: float = 0.0,
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
        self.power, self.offset = power, offset

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        ground = self.ground
        assert ground is not None
        return losses.squared_mass(
            logits, target, ground, power=self.power, offset=self.offset
        )
