"""`ClassCriterion`: what a criterion of classes does around its formula.

A criterion is a formula for one row (`per_row`) and settings: which axis holds the
classes, which rows count and how much, how rows are combined. Everything but the
formula is here, so that it is the same for all criteria, and so that a sum of criteria
can be computed in one pass over the logits: `MixedLoss` hands a sum of formulas to
`reduced`, where a single criterion hands its own.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from offby import kernels
from offby._checks import check_target
from offby.bins import Bins
from offby.grounds import Ground, as_ground
from offby.nn import _values
from offby.nn._buffers import GroundBuffers
from offby.nn._reduction import (
    ClassWeight,
    Reduction,
    check_reduction,
    check_sample_weight,
    check_weight,
    class_weight,
    of_class,
    product,
    reduce,
)
from offby.nn._shapes import check_class_target, check_dim, check_pair, last

PerRow = Callable[[Tensor, Tensor], Tensor]
"""Loss of each row of logits, classes on the last axis, against its target."""


class Criterion(Protocol):
    """What `MixedLoss` needs of its terms."""

    reduction: Reduction
    dim: int

    def __call__(
        self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a batch."""
        ...

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        ...

    def term(self, factor: float) -> kernels.Term | None:
        """The formula as the kernels know it; None if they do not."""
        ...


class ClassCriterion(nn.Module):
    """A criterion whose targets are classes, or distributions over them."""

    weight: Tensor | None

    def __init__(
        self,
        *,
        weight: ClassWeight = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        dim: int = 1,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        check_dim(dim)
        if not isinstance(ignore_index, int):
            raise TypeError(
                f"ignore_index must be an integer, got {ignore_index!r}; the default, "
                "-100, ignores no class"
            )
        self.register_buffer("weight", class_weight(weight))
        self.ignore_index = ignore_index
        self.reduction: Reduction = reduction
        self.dim = dim
        self._seen_a_batch = False

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        raise NotImplementedError

    def term(self, factor: float) -> kernels.Term | None:
        """The formula as the kernels know it; None if they do not."""
        del factor
        return None

    def weighted_rows(self, per_row: PerRow, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row against a class, times the weight of that class."""
        assert self.weight is not None
        weight = of_class(self.weight, target)
        return reduce(per_row(logits, target), "none", weight=weight)

    def smoothed(self, target: Tensor) -> Tensor:
        """Target probabilities as they are learned from."""
        return target

    def reweighed(self, target: Tensor, weight: Tensor) -> Tensor:
        """Target probabilities where classes have weights, and rows their mean weight.

        The distance of two distributions does not split into classes: it is weighed as
        a whole.
        """
        del weight
        return target

    def forward(
        self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a batch, reduced as asked at construction.

        As in PyTorch, the mean over class indices is divided by the sum of their
        weights, the mean over probabilities by the number of rows. Sample weights
        enter both.

        Args:
            input: Logits, the raw output of a network, with the classes on axis `dim`:
                (N, C), (N, C, d1, ...) or (C,).
            target: Class indices (N, d1, ...), or probabilities of the shape of
                `input`. Rows whose index is `ignore_index` do not count.
            sample_weight: One weight per row, shape (N, d1, ...); a mask (bool) will do
                too. A row of weight 0 does not count, whatever its target and logits.
        """
        terms = [self.term(1.0)]
        return self.reduced(self.per_row, terms, input, target, sample_weight)

    def reduced(
        self,
        per_row: PerRow,
        terms: Sequence[kernels.Term | None],
        input: Tensor,
        target: Tensor,
        sample_weight: Tensor | None,
    ) -> Tensor:
        """What `per_row` gives, reduced as this criterion does.

        `terms` is the same formula for the kernels; a None among them says that they do
        not have it.
        """
        axis = check_pair(input, target, self.dim)
        check_class_target(input, target, axis, self.dim)
        logits = last(input, axis)
        check_weight(self.weight, logits.shape[-1])
        check_sample_weight(sample_weight, logits.shape[:-1])
        look = self.look(logits, sample_weight)
        if target.is_floating_point():
            target = last(target, axis)
            return self._of_probabilities(per_row, logits, target, sample_weight, look)
        return self._of_classes(per_row, terms, logits, target, sample_weight)

    def look(self, logits: Tensor, sample_weight: Tensor | None) -> bool:
        """Look at the values where they can be read; whether at all closely."""
        look = _values.readable(logits) and self._first_look()
        if look:
            _values.warn_of_probabilities(logits)
        if sample_weight is not None and _values.readable(sample_weight):
            _values.check_row_weights(sample_weight)
        return look

    def _first_look(self) -> bool:
        """Whether this batch is to be looked at closely: the first, or all if asked."""
        if self._seen_a_batch:
            return _values.debugging()
        self._seen_a_batch = True
        return True

    def counted(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Class indices in 64 bits, and which rows count; None if all do.

        Of the logits shape, dtype and device are looked at, and no more.
        """
        # Before the mask, which would make an index of a bool. And in 64 bits: -100 in
        # eight is class 156.
        check_target(logits, target)
        target = target.long()
        kept = None if sample_weight is None else sample_weight != 0
        if _values.readable(target):
            # What does not count may be anything.
            counted = target if kept is None else target.where(kept, self.ignore_index)
            ignored = _values.find_ignored(counted, self.ignore_index, logits.shape[-1])
        else:
            ignored = True
        if ignored:
            counted = target != self.ignore_index
            kept = counted if kept is None else kept & counted
        return target, kept

    def _of_classes(
        self,
        per_row: PerRow,
        terms: Sequence[kernels.Term | None],
        logits: Tensor,
        target: Tensor,
        sample_weight: Tensor | None,
    ) -> Tensor:
        target, kept = self.counted(logits, target, sample_weight)
        known = [term for term in terms if term is not None]
        fused = len(known) == len(terms)
        if kept is None and self.weight is None and self.reduction == "mean" and fused:
            kernel = kernels.choose("auto", logits, target, *known, reduction="mean")
            if kernel is not None and target.numel():
                return kernel(lambda z: per_row(z, target).mean())
        if kept is not None:
            if fused and kernels.choose("auto", logits, target, *known) is not None:
                # The kernels give no gradient to a row whose index is no class.
                target = target.where(kept, -1)
            else:
                target = target.where(kept, 0)
                # 0 * NaN is NaN in the backward pass.
                logits = logits.where(kept[..., None], 0.0)
        if self.weight is None:
            loss, share = per_row(logits, target), sample_weight
        else:
            loss = self.weighted_rows(per_row, logits, target)
            share = product(of_class(self.weight, target), sample_weight)
        return reduce(
            loss, self.reduction, kept=kept, weight=sample_weight, share=share
        )

    def _of_probabilities(
        self,
        per_row: PerRow,
        logits: Tensor,
        target: Tensor,
        sample_weight: Tensor | None,
        look: bool,
    ) -> Tensor:
        kept = self.counted_probabilities(logits, target, sample_weight, look)
        if kept is not None:
            # 0 * NaN is NaN in the backward pass.
            logits = logits.where(kept[..., None], 0.0)
        loss = self.rows_of_probabilities(per_row, logits, target, kept)
        return reduce(
            loss, self.reduction, kept=kept, weight=sample_weight, share=sample_weight
        )

    def counted_probabilities(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None, look: bool
    ) -> Tensor | None:
        """Which rows of probabilities count; None if all do.

        Of the logits shape, dtype and device are looked at, and no more.
        """
        check_target(logits, target)
        if self.ignore_index >= 0:
            raise ValueError(
                "ignore_index is for targets of class indices, got probabilities and "
                f"ignore_index={self.ignore_index}; to leave rows out, pass a mask as "
                "sample_weight"
            )
        kept = None if sample_weight is None else sample_weight != 0
        if look and _values.readable(target):
            _values.check_probabilities(_evened(target, kept))
        return kept

    def rows_of_probabilities(
        self,
        per_row: PerRow,
        logits: Tensor,
        target: Tensor,
        kept: Tensor | None = None,
    ) -> Tensor:
        """Loss of each row against probabilities, by the weights of the classes."""
        target = self.smoothed(_evened(target, kept))
        if self.weight is None:
            return per_row(logits, target)
        # In the precision of the loss: a sum of many halves is off by half a percent.
        precise = torch.promote_types(target.dtype, torch.float32)
        precise = torch.promote_types(precise, logits.dtype)
        target = target.to(precise)
        weight = self.weight.to(target)
        loss = per_row(logits, self.reweighed(target, weight))
        return reduce(loss, "none", weight=(target * weight).sum(-1))


def _evened(target: Tensor, kept: Tensor | None) -> Tensor:
    """Probabilities, even ones where a row does not count: it may hold anything."""
    if kept is None:
        return target
    return target.where(kept[..., None], 1 / target.shape[-1])


class GroundCriterion(ClassCriterion):
    """A criterion with a ground."""

    _ground: GroundBuffers[Ground] | None

    def __init__(self, ground: Ground | Bins | None, **settings: Any) -> None:
        super().__init__(**settings)
        self._ground = _ground_buffers(ground)

    @property
    def ground(self) -> Ground | None:
        """The ground, on the device the criterion is on; None: `Line.regular(K)`."""
        return None if self._ground is None else self._ground()

    @ground.setter
    def ground(self, ground: Ground | Bins | None) -> None:
        before = [] if self._ground is None else list(self._ground.buffers())
        self._ground = _ground_buffers(ground)
        if self._ground is not None and before:
            self._ground.to(before[0].device)


def _ground_buffers(ground: Ground | Bins | None) -> GroundBuffers[Ground] | None:
    if ground is None:
        return None
    if isinstance(ground, Tensor | list | tuple | np.ndarray):
        raise TypeError(
            "ground must be a Line, Circle, Tree or Costs, or Bins for their centers, "
            f"got {type(ground).__name__}; Line(positions) and Costs(matrix) make one "
            "of numbers, and class weights are weight=..."
        )
    given: Any = ground  # Bins have no type in `grounds`, which knows no grids.
    return GroundBuffers(as_ground(given))
