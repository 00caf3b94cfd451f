"""Criteria whose targets are classes."""

from torch import Tensor

from offby import kernels, losses
from offby.grounds import Ground
from offby.nn._criterion import Criterion, Held


class CrossEntropyLoss(Criterion):
    """Module form of :func:`offby.losses.cross_entropy`."""

    def rows(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.cross_entropy(logits, target)

    def term(self, factor: float) -> kernels.Term:
        """This loss as part of a sum."""
        return kernels.Term("cross_entropy", factor=factor)

    def reweighed(self, target: Tensor, weight: Tensor) -> Tensor:
        """Class by class, as in PyTorch: the cross-entropy is a sum over classes."""
        weighed = target * weight
        total = weighed.sum(-1, keepdim=True)
        return weighed / total.where(total != 0, 1.0)


class OnGround(Criterion):
    """A criterion that holds a ground."""

    def __init__(self, ground: Ground | None = None, **settings) -> None:
        super().__init__(**settings)
        self.held = None if ground is None else Held(ground)

    @property
    def ground(self) -> Ground | None:
        """The ground, on the device the criterion is on; None: `Line.regular(K)`."""
        return None if self.held is None else self.held()

    @ground.setter
    def ground(self, ground: Ground | None) -> None:
        beside = [] if self.held is None else list(self.held.buffers())
        self.held = None if ground is None else Held(ground)
        if self.held is not None and beside:
            self.held.to(beside[0].device)


class WassersteinLoss(OnGround):
    """Module form of :func:`offby.losses.wasserstein`."""

    def __init__(self, ground: Ground | None = None, *, p: float = 1, **settings):
        super().__init__(ground, **settings)
        self.p = p

    def rows(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.wasserstein(logits, target, self.ground, p=self.p)

    def term(self, factor: float) -> kernels.Term:
        """This loss as part of a sum."""
        return kernels.Term("wasserstein", self.ground, factor, self.p)


class SquaredEMDLoss(OnGround):
    """Module form of :func:`offby.losses.squared_emd`.

    >>> import torch
    >>> criterion = SquaredEMDLoss()  # where nn.CrossEntropyLoss() stood
    >>> criterion(torch.zeros(2, 4), torch.tensor([0, 1]))
    tensor(0.6250)
    """

    def rows(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.squared_emd(logits, target, self.ground)

    def term(self, factor: float) -> kernels.Term:
        """This loss as part of a sum."""
        return kernels.Term("squared_emd", self.ground, factor)


class CumulativeCrossEntropyLoss(OnGround):
    """Module form of :func:`offby.losses.cumulative_cross_entropy`."""

    def rows(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.cumulative_cross_entropy(logits, target, self.ground)

    def term(self, factor: float) -> kernels.Term:
        """This loss as part of a sum."""
        return kernels.Term("cumulative_cross_entropy", self.ground, factor)


class SinkhornLoss(OnGround):
    """Module form of :func:`offby.losses.sinkhorn`."""

    def __init__(
        self,
        ground: Ground | None = None,
        *,
        epsilon: float,
        max_iter: int = 1000,
        **settings,
    ) -> None:
        super().__init__(ground, **settings)
        self.epsilon, self.max_iter = epsilon, max_iter

    def rows(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.sinkhorn(
            logits, target, self.ground, epsilon=self.epsilon, max_iter=self.max_iter
        )


class SquaredMassLoss(OnGround):
    """Module form of :func:`offby.losses.squared_mass`."""

    def __init__(
        self, ground: Ground, *, power: float = 1.0, offset: float = 0.0, **settings
    ) -> None:
        super().__init__(ground, **settings)
        self.power, self.offset = power, offset

    def rows(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        assert self.ground is not None
        return losses.squared_mass(
            logits, target, self.ground, power=self.power, offset=self.offset
        )
