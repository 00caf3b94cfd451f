"""Criteria: they stand where `torch.nn.CrossEntropyLoss` stood, and do no maths."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Literal

import torch
from torch import Tensor, nn

from offby import kernels, losses
from offby._checks import check_logits, check_target
from offby.bins import Bins
from offby.grounds import Ground

Reduction = Literal["mean", "sum", "none"]

__all__ = [
    "CrossEntropyLoss",
    "CumulativeCrossEntropyLoss",
    "HistogramCRPSLoss",
    "HistogramNLLLoss",
    "HistogramWassersteinLoss",
    "MixedLoss",
    "SquaredEMDLoss",
    "WassersteinLoss",
]


class _Held(nn.Module):
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


class _Criterion(nn.Module):
    """What all criteria share: class axis, weights, ignored rows, reduction."""

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
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(
                f'reduction must be "mean", "sum" or "none", got {reduction!r}'
            )
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

        Args:
            logits: Raw network output, classes on axis `dim`.
            target: Class indices, or probabilities of `logits`' shape. Rows whose index
                is `ignore_index` count for nothing.
            sample_weight: One weight per row; a mask (bool) also will do.
        """
        return self.reduced(self.rows, logits, target, sample_weight)

    def reduced(
        self,
        rows: Callable[[Tensor, Tensor], Tensor],
        logits: Tensor,
        target: Tensor,
        sample_weight: Tensor | None,
    ) -> Tensor:
        """What `rows` gives, weighed and reduced as this criterion does."""
        check_logits(logits)
        logits = logits.movedim(self.dim, -1)
        _check_weight(self.weight, logits.shape[-1])
        if target.is_floating_point():
            return self._of_probabilities(rows, logits, target, sample_weight)
        # Before the mask, which would make an index of a bool. And in 64 bits: -100 in
        # eight is class 156.
        check_target(logits, target)
        target = target.long()
        counted = target != self.ignore_index
        # An ignored row is computed against class 0 and then weighed with nothing.
        target = target.where(counted, 0)
        row_weight = _class_weight(self.weight, target)
        loss = rows(logits, target)
        _check_sample_weight(sample_weight, loss)
        return reduce(loss, self.reduction, counted, row_weight, sample_weight)

    def _of_probabilities(self, rows, logits, target, sample_weight):
        target = target.movedim(self.dim, -1)
        weight = None if self.weight is None else target @ self.weight.to(target)
        loss = rows(logits, target)
        _check_sample_weight(sample_weight, loss)
        return reduce(loss, self.reduction, None, weight, sample_weight)


def _check_weight(weight: Tensor | None, n_classes: int) -> None:
    if weight is not None and weight.shape != (n_classes,):
        raise ValueError(
            f"weight must hold one number for each of {n_classes} classes, "
            f"got shape {tuple(weight.shape)}"
        )


def _check_sample_weight(weight: Tensor | None, loss: Tensor) -> None:
    """Refuse what would broadcast: (N, 1) against (N,) gives N x N losses."""
    if weight is not None and weight.shape != loss.shape:
        raise ValueError(
            "sample_weight must hold one number for each row of logits, shape "
            f"{tuple(loss.shape)}, got shape {tuple(weight.shape)}"
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
    if not given:
        total = loss.new_tensor(float(max(loss.numel(), 1)))
    else:
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
            return loss.sum() / total


class CrossEntropyLoss(_Criterion):
    """Module form of :func:`offby.losses.cross_entropy`."""

    def rows(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.cross_entropy(logits, target)

    def term(self, factor: float) -> kernels.Term:
        """This loss as part of a sum."""
        return kernels.Term("cross_entropy", factor=factor)


class _OnGround(_Criterion):
    """A criterion that holds a ground."""

    def __init__(self, ground: Ground | None = None, **settings) -> None:
        super().__init__(**settings)
        self.held = None if ground is None else _Held(ground)

    @property
    def ground(self) -> Ground | None:
        """The ground, on the device the criterion is on; None: `Line.regular(K)`."""
        return None if self.held is None else self.held()


class WassersteinLoss(_OnGround):
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


class SquaredEMDLoss(_OnGround):
    """Module form of :func:`offby.losses.squared_emd`.

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


class CumulativeCrossEntropyLoss(_OnGround):
    """Module form of :func:`offby.losses.cumulative_cross_entropy`."""

    def rows(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, classes on the last axis."""
        return losses.cumulative_cross_entropy(logits, target, self.ground)

    def term(self, factor: float) -> kernels.Term:
        """This loss as part of a sum."""
        return kernels.Term("cumulative_cross_entropy", self.ground, factor)


class _OnBins(nn.Module):
    """A criterion against real numbers: it holds a grid. Rows of NaN are an error."""

    def __init__(
        self, bins: Bins, *, reduction: Reduction = "mean", dim: int = -1
    ) -> None:
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(
                f'reduction must be "mean", "sum" or "none", got {reduction!r}'
            )
        self.held = _Held(bins)
        self.reduction: Reduction = reduction
        self.dim = dim

    @property
    def bins(self) -> Bins:
        """The grid, on the device the criterion is on."""
        return self.held()

    def rows(self, logits: Tensor, value: Tensor) -> Tensor:
        """Loss of each row, bins on the last axis."""
        raise NotImplementedError

    def forward(
        self, logits: Tensor, value: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a batch, reduced as asked at construction.

        Args:
            logits: Raw network output, bins on axis `dim`.
            value: The true numbers, in the units of the bins.
            sample_weight: One weight per row; a mask (bool) also will do.
        """
        check_logits(logits)
        loss = self.rows(logits.movedim(self.dim, -1), value)
        _check_sample_weight(sample_weight, loss)
        return reduce(loss, self.reduction, None, sample_weight)


class HistogramNLLLoss(_OnBins):
    """Module form of :func:`offby.losses.histogram_nll`."""

    def rows(self, logits: Tensor, value: Tensor) -> Tensor:
        """Loss of each row, bins on the last axis."""
        return losses.histogram_nll(logits, value, self.bins)


class HistogramCRPSLoss(_OnBins):
    """Module form of :func:`offby.losses.histogram_crps`."""

    def rows(self, logits: Tensor, value: Tensor) -> Tensor:
        """Loss of each row, bins on the last axis."""
        return losses.histogram_crps(logits, value, self.bins)


class HistogramWassersteinLoss(_OnBins):
    """Module form of :func:`offby.losses.histogram_wasserstein`."""

    def rows(self, logits: Tensor, value: Tensor) -> Tensor:
        """Loss of each row, bins on the last axis."""
        return losses.histogram_wasserstein(logits, value, self.bins)


def _alike(one: nn.Module, other: nn.Module) -> bool:
    """Whether two criteria reduce alike, so that their rows can be added first."""
    if not (isinstance(one, _Criterion) and isinstance(other, _Criterion)):
        return False
    settings = "ignore_index", "reduction", "dim"
    weights = one.weight, other.weight
    return all(getattr(one, name) == getattr(other, name) for name in settings) and (
        weights == (None, None) or (None not in weights and torch.equal(*weights))  # pyright: ignore[reportArgumentType]
    )


class MixedLoss(nn.Module):
    """Weighted sum of criteria.

    Args:
        terms: Pairs of a factor and a criterion that take the same targets.
        balance: "ratio" scales every later term, before its factor, so that its running
            mean over the training batches equals that of the first term, as Hou et al.
            do; None leaves them as they are.

    References:
        Hou, Yu, Samaras (2016), arXiv:1611.05916, section 3.3.

    >>> mixed = MixedLoss([(1.0, CrossEntropyLoss()), (0.5, SquaredEMDLoss())])
    >>> mixed(torch.zeros(1, 4), torch.tensor([0]))
    tensor(1.8238)
    """

    means: Tensor

    def __init__(
        self,
        terms: Sequence[tuple[float, Callable[..., Tensor]]],
        *,
        balance: Literal["ratio"] | None = None,
    ) -> None:
        super().__init__()
        if not terms:
            raise ValueError("a mixed loss needs at least one (factor, criterion) pair")
        if balance not in (None, "ratio"):
            raise ValueError(f'balance must be None or "ratio", got {balance!r}')
        self.factors = [float(factor) for factor, _ in terms]
        self.criteria = nn.ModuleList([criterion for _, criterion in terms])  # pyright: ignore[reportArgumentType]
        self.balance = balance
        self.register_buffer("means", torch.zeros(len(terms)))

    def forward(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Sum of the terms, each reduced as its own criterion says."""
        first = self.criteria[0]
        if not self.balance and all(_alike(first, other) for other in self.criteria):
            return first.reduced(self._rows, logits, target, sample_weight)  # pyright: ignore[reportCallIssue]
        values = [term(logits, target, sample_weight) for term in self.criteria]
        scales = self._scales(values) if self.balance else [1.0] * len(values)
        parts = zip(self.factors, scales, values, strict=True)
        return torch.stack(
            [factor * scale * value for factor, scale, value in parts]
        ).sum(0)

    def _rows(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, in one pass over the logits if it can be."""
        parts = list(zip(self.factors, self.criteria, strict=True))
        terms = [each.term(factor) for factor, each in parts]  # pyright: ignore[reportCallIssue]

        def plain(z: Tensor) -> Tensor:
            first, *others = [factor * each.rows(z, target) for factor, each in parts]  # pyright: ignore[reportCallIssue]
            return sum(others, first)

        twin = None
        if None not in terms:
            twin = kernels.choose("auto", logits, target, *terms)
        return plain(logits) if twin is None else twin(plain)

    def _scales(self, values: list[Tensor]) -> list[Tensor]:
        if self.training:
            now = torch.stack([value.detach().float().mean() for value in values])
            fresh = self.means == 0
            self.means = torch.where(fresh, now, 0.99 * self.means + 0.01 * now)
        ratio = self.means[0] / self.means
        return list(torch.where(self.means > 0, ratio, torch.ones_like(ratio)))
