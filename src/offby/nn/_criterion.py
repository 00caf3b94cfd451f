"""What all criteria share: held grounds and grids, weights, ignored rows, reduction."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Literal

import torch
from torch import Tensor, nn

from offby import kernels
from offby._checks import check_logits, check_target
from offby.bins import Bins
from offby.grounds import Ground

Reduction = Literal["mean", "sum", "none"]


class Held(nn.Module):
    """A ground or a grid whose tensors are buffers: they follow `.to()`, are saved."""

    def __init__(self, held: Ground | Bins) -> None:
        super().__init__()
        self._kind = type(held)
        self._plain = {}
        for field in fields(held):  # pyright: ignore[reportArgumentType]
            part = getattr(held, field.name)
            if isinstance(part, Tensor):
                self.register_buffer(field.name, part.clone())
            else:
                self._plain[field.name] = part

    def _apply(self, fn, recurse=True):
        # A change of dtype is for weights: edges in bfloat16 would run into each other.
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = buffer.to(fn(buffer).device)
        return self

    def forward(self):
        """The ground or grid, unchecked: checks would wait for the device."""
        held = object.__new__(self._kind)
        for name, part in {**self._plain, **self._buffers}.items():
            object.__setattr__(held, name, part)
        return held

    def extra_repr(self) -> str:
        return repr(self())


class Criterion(nn.Module):
    """A criterion on classes: class axis, weights, ignored rows, reduction."""

    weight: Tensor | None

    def __init__(
        self,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        dim: int = -1,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction: Reduction = reduction
        self.dim = dim

    def rows(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        raise NotImplementedError

    def term(self, factor: float) -> kernels.Term | None:
        """This loss as part of a sum that is computed in one pass, if it can be."""
        del factor
        return None

    def forward(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a batch, reduced as asked at construction.

        As in PyTorch, the mean over class indices is divided by the weights in total,
        the mean over probabilities by the number of rows. (By the sum of the sample
        weights, if there are any.)

        Args:
            logits: Raw network output, classes on axis `dim`.
            target: Class indices, or probabilities of `logits`' shape. Rows whose index
                is `ignore_index` count for nothing.
            sample_weight: One weight per row; a mask (bool) also will do. A row of
                weight 0 has no say, whatever its target.
        """
        terms = [self.term(1.0)]
        return self.reduced(self.rows, terms, logits, target, sample_weight)

    def reduced(
        self,
        rows: Callable[[Tensor, Tensor], Tensor],
        terms: Sequence[kernels.Term | None],
        logits: Tensor,
        target: Tensor,
        sample_weight: Tensor | None,
    ) -> Tensor:
        """What `rows` gives for class indices, reduced as this criterion does.

        `terms` is the same for a twin; one of them is None if no twin has it.
        """
        check_logits(logits)
        if self.dim != -1:
            logits = logits.movedim(self.dim, -1)
        _check_weight(self.weight, logits.shape[-1])
        if target.is_floating_point():
            return self._of_probabilities(logits, target, sample_weight)
        # Before the mask, which would make an index of a bool. And in 64 bits: -100 in
        # eight is class 156.
        check_target(logits, target)
        check_sample_weight(sample_weight, target.shape)
        target = target.long()
        counted = None
        if _may_hold(target, self.ignore_index):
            counted = target != self.ignore_index
            # An ignored row is computed against class 0, then weighed with nothing.
            target = target.where(counted, 0)
        row_weight = _class_weight(self.weight, target)
        alike = counted is None and row_weight is None and sample_weight is None
        if alike and self.reduction == "mean" and target.numel() and None not in terms:
            twin = kernels.choose("auto", logits, target, *terms, reduction="mean")  # pyright: ignore[reportArgumentType]
            if twin is not None:
                return twin(lambda z: rows(z, target).mean())
        loss = rows(logits, target)
        return reduce(loss, self.reduction, counted, row_weight, sample_weight)

    def _of_probabilities(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None
    ) -> Tensor:
        target = target.movedim(self.dim, -1)
        check_target(logits, target)
        check_sample_weight(sample_weight, target.shape[:-1])
        if sample_weight is not None:
            # What is masked may be anything, and 0 * NaN is NaN in the backward pass.
            target = target.where(sample_weight[..., None] != 0, 1 / target.shape[-1])
        if self.weight is None:
            loss = self.rows(logits, target)
        else:
            weight = self.weight.to(target)
            row_weight = (target * weight).sum(-1)
            loss = self.rows(logits, self.reweighed(target, weight))
            loss = reduce(loss, "none", None, row_weight)
        return reduce(loss, self.reduction, None, sample_weight)

    def reweighed(self, target: Tensor, weight: Tensor) -> Tensor:
        """Target probabilities where classes have weights, and rows their mean weight.

        The distance of two distributions does not split into classes: it is weighed as
        a whole.
        """
        return target


def _may_hold(target: Tensor, index: int) -> bool:
    """Whether a target may hold an index: no, if a look costs nothing and finds none.

    On the CPU a look is cheaper than to weigh every row; a GPU it would wait for, and a
    transform cannot take it.
    """
    if torch.compiler.is_compiling() or kernels.transformed():
        return True
    if not target.is_cpu or type(target) is not Tensor:
        return True
    return bool((target == index).any())


def reduce_alike(one: nn.Module, other: nn.Module) -> bool:
    """Whether the rows of two criteria can be added before they are reduced."""
    if not (isinstance(one, Criterion) and isinstance(other, Criterion)):
        return False
    settings = "ignore_index", "reduction", "dim"
    if any(getattr(one, name) != getattr(other, name) for name in settings):
        return False
    here, there = one.weight, other.weight
    if here is None or there is None:
        return here is there
    return torch.equal(here, there)


def _check_weight(weight: Tensor | None, n_classes: int) -> None:
    if weight is not None and weight.shape != (n_classes,):
        raise ValueError(
            f"weight must hold one number for each of {n_classes} classes, "
            f"got shape {tuple(weight.shape)}"
        )


def check_reduction(reduction: str) -> None:
    """Refuse what is no reduction."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(
            f'reduction must be "mean", "sum" or "none", got {reduction!r}'
        )


def check_sample_weight(weight: Tensor | None, rows: torch.Size) -> None:
    """Refuse what would broadcast: (N, 1) against (N,) gives N x N losses."""
    if weight is not None and weight.shape != rows:
        raise ValueError(
            "sample_weight must hold one number for each row of logits, shape "
            f"{tuple(rows)}, got shape {tuple(weight.shape)}"
        )


def _class_weight(weight: Tensor | None, index: Tensor) -> Tensor | None:
    if weight is None:
        return None
    # An impossible index must not address memory; its loss is NaN whatever it weighs.
    return weight[index.long().clamp(0, len(weight) - 1)]


def reduce(
    loss: Tensor, reduction: Reduction, counted: Tensor | None, *weights: Tensor | None
) -> Tensor:
    """Weigh and combine the losses of rows; "mean" divides by the weight in total.

    With nothing to count the mean is zero, and still has a graph to go backward.
    """
    given = [w.to(loss.dtype) for w in weights if w is not None]
    if counted is not None:
        loss = loss.where(counted, loss.detach().new_zeros(()))
        given.append(counted.to(loss.dtype))
    total = None
    if given:
        weight = torch.ones_like(loss)
        for factor in given:
            weight = weight * factor
        # No weight, no say: not even for a loss that is infinite.
        loss = torch.where(weight != 0, loss * weight, 0.0 * loss.detach().nan_to_num())
        total = weight.sum()
        total = total.where(total != 0, torch.ones_like(total))
    match reduction:
        case "none":
            return loss
        case "sum":
            return loss.sum()
        case "mean":
            if total is None:
                return loss.mean() if loss.numel() else loss.sum()
            return loss.sum() / total
