"""`LinearLoss`: the last linear layer of a network and its criterion in one."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from offby import kernels
from offby._checks import check_tensor
from offby.nn import _values
from offby.nn._criterion import ClassCriterion, PerRow
from offby.nn._mixed import MixedLoss
from offby.nn._number_criterion import NumberCriterion
from offby.nn._reduction import (
    Reduction,
    check_sample_weight,
    check_weight,
    of_class,
    product,
    reduce,
    shares,
)
from offby.nn._shapes import check_class_target, check_pair


@dataclass(frozen=True, eq=False)
class _Rows:
    """The losses of a batch's rows, and how they are reduced."""

    fused: kernels.Fused
    reduction: Reduction
    kept: Tensor | None = None
    weight: Tensor | None = None
    share: Tensor | None = None

    def reduced(self) -> Tensor | None:
        """The loss of the batch; None if the whole logits are needed."""
        settings = {"kept": self.kept, "weight": self.weight, "share": self.share}
        fused, learned = self.fused, False
        for each in (self.weight, self.share):
            learned = learned or (each is not None and each.requires_grad)
        alike = self.kept is None and self.weight is None and self.share is None
        # A compiler does not see that all rows count alike.
        alike = alike and not torch.compiler.is_compiling()
        if self.reduction == "none" or learned or alike:
            if self.kept is not None:
                # 0 * NaN is NaN in the gradient of the weight.
                layer = fused.layer
                hidden = layer.hidden.where(self.kept[..., None], 0.0)
                fused = replace(fused, layer=replace(layer, hidden=hidden))
            loss = fused.per_row()
            return None if loss is None else reduce(loss, self.reduction, **settings)
        hidden = fused.layer.hidden
        wide = torch.promote_types(hidden.dtype, torch.float32)
        rows = torch.empty(fused.layer.rows, dtype=wide, device=hidden.device)
        share = shares(rows, self.reduction, **settings)
        return fused.total(share, self.kept)


class LinearLoss(nn.Module):
    """A linear layer and a criterion of its outputs, whose logits never all exist.

    Equal to `criterion(linear(hidden), target)`, in less memory: logits, and their
    gradient, are held for a chunk of rows at a time. For a head of many classes, or
    for many rows, they are most of the memory of a training step. See docs/linear.md.

    Transforms of `torch.func`, second derivatives, targets that require a gradient and
    `torch.jit.trace` take the whole logits.

    Args:
        in_features: Size of each hidden state.
        num_classes: Number of classes or bins, that is of logits for each row.
        criterion: A criterion of `offby.nn`: its weights, ignored rows and reduction
            are those of the loss. A `MixedLoss` is computed in one pass; one with
            `balance` or `head_start` is refused. Its `dim` has no effect here.
        bias: Whether the layer has a bias.
        dim: Axis of the features in `input`: the last by default, as in
            `torch.nn.Linear`; 1 for images, where the layer is a convolution of size 1.
            Probabilities as a target have their classes on the same axis.
        chunk: Rows whose logits are held at a time; chosen by default.
        device: Where the parameters are made.
        dtype: Of the parameters.

    `weight` (classes, features) and `bias` are initialized as those of
    `torch.nn.Linear`, and may be set to those of another layer, such as an embedding.

    >>> from offby.nn import CrossEntropyLoss, MixedLoss, SquaredEMDLoss
    >>> both = MixedLoss([(1.0, CrossEntropyLoss()), (0.5, SquaredEMDLoss())])
    >>> head = LinearLoss(3, 4, both)
    >>> _ = nn.init.zeros_(head.weight), nn.init.zeros_(head.bias)
    >>> print(f"{head(torch.ones(2, 3), torch.tensor([0, 0])):.4f}")
    1.8238
    >>> head.logits(torch.ones(2, 3)).shape
    torch.Size([2, 4])
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        criterion: nn.Module,
        *,
        bias: bool = True,
        dim: int = -1,
        chunk: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        _check_criterion(criterion)
        memory = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.empty(num_classes, in_features, **memory))
        empty = nn.Parameter(torch.empty(num_classes, **memory)) if bias else None
        self.register_parameter("bias", empty)
        self.criterion = criterion
        self.dim, self.chunk = dim, chunk
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Random parameters, as those of `torch.nn.Linear`."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(max(self.weight.shape[1], 1))
            nn.init.uniform_(self.bias, -bound, bound)

    def logits(self, input: Tensor) -> Tensor:
        """All logits, to predict with: classes on axis `dim`."""
        layer = self._layer(input)
        return layer.logits().movedim(-1, self.dim % input.ndim)

    def forward(
        self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a batch, reduced as the criterion says.

        Args:
            input: Hidden states with the features on axis `dim`: (N, D), (N, ..., D) or
                (D,).
            target: As the criterion takes it: class indices or numbers in the shape of
                the rows, or probabilities.
            sample_weight: One weight per row, or a mask. A row of weight 0 does not
                count, whatever its target and hidden state.
        """
        layer = self._layer(input)
        check_tensor("target", target)
        parts = self._parts(layer, target, sample_weight)
        found = [rows.reduced() for _, rows in parts]
        if not found or any(each is None for each in found):
            return self._plain(layer, target, sample_weight)
        weighed = [
            value if factor == 1 else factor * value
            for (factor, _), value in zip(parts, cast(list[Tensor], found), strict=True)
        ]
        return sum(weighed[1:], weighed[0])

    def _layer(self, input: Tensor) -> kernels.LastLayer:
        return kernels.last_layer(
            input, self.weight, self.bias, dim=self.dim, chunk=self.chunk
        )

    def _plain(
        self, layer: kernels.LastLayer, target: Tensor, sample_weight: Tensor | None
    ) -> Tensor:
        """The criterion of the whole logits."""
        inner = self.criterion
        axis = cast(int, (inner.criteria[0] if _mixed(inner) else inner).dim)  # pyright: ignore[reportIndexIssue]
        logits = layer.logits()
        if logits.ndim > 1:
            if target.is_floating_point() and target.ndim == logits.ndim:
                target = target.movedim(self.dim, axis)
            logits = logits.movedim(-1, axis)
        return inner(logits, target, sample_weight)

    def _parts(
        self, layer: kernels.LastLayer, target: Tensor, sample_weight: Tensor | None
    ) -> list[tuple[float, _Rows]]:
        """What to compute, with its factor, a pass each; none for the plain form."""
        inner = self.criterion
        if layer.out_of_reach():
            return []
        numbers = isinstance(inner, NumberCriterion) or (
            isinstance(inner, MixedLoss)
            and any(isinstance(each, NumberCriterion) for each in inner.criteria)
        )
        stand_in = layer.stand_in
        soft = target.is_floating_point() and not numbers
        if soft and target.ndim == stand_in.ndim > 1:
            target = target.movedim(self.dim, -1)
        axis = check_pair(stand_in, target, -1)
        if numbers:
            _check_numbers(stand_in, target)
        else:
            check_class_target(stand_in, target, axis, -1)
        check_sample_weight(sample_weight, layer.rows)
        if sample_weight is not None and _values.readable(sample_weight):
            _values.check_row_weights(sample_weight)
        if soft:
            return [(1.0, _of_probabilities(inner, layer, target, sample_weight))]
        if not isinstance(inner, MixedLoss):
            return [(1.0, _rows_of(inner, layer, target, sample_weight))]
        first = inner._one_pass(target)
        if first is not None:
            terms, each = inner._terms(), inner._per_row
            of = _of_classes(first, each, terms, layer, target, sample_weight)
            return [(1.0, of)]
        pairs = list(zip(inner.factors, inner.criteria, strict=True))
        targets = inner._targets(target)
        together = _together(pairs, targets, layer, sample_weight)
        if together is not None:
            return [(1.0, together)]
        return [
            (factor, _rows_of(each, layer, goal, sample_weight))
            for (factor, each), goal in zip(pairs, targets, strict=True)
        ]


def _rows_of(
    criterion: nn.Module,
    layer: kernels.LastLayer,
    target: Tensor,
    sample_weight: Tensor | None,
) -> _Rows:
    if isinstance(criterion, ClassCriterion):
        terms = [criterion.term(1.0)]
        each = criterion.per_row
        return _of_classes(criterion, each, terms, layer, target, sample_weight)
    assert isinstance(criterion, NumberCriterion)
    kept = criterion.counted(target, sample_weight)
    if kept is not None:
        target = target.where(kept, criterion.bins.edges[0].to(target))
    term = criterion.term_of(target, 1.0)
    terms = None if term is None else [term]
    fused = kernels.Fused(layer, criterion.per_row, [target], terms)
    return _Rows(fused, criterion.reduction, kept, sample_weight, sample_weight)


def _of_classes(
    criterion: ClassCriterion,
    per_row: PerRow,
    terms: Sequence[kernels.Term | None],
    layer: kernels.LastLayer,
    target: Tensor,
    sample_weight: Tensor | None,
) -> _Rows:
    """As `ClassCriterion.reduced`, of rows whose logits are not there."""
    check_weight(criterion.weight, len(layer.weight))
    target, kept = criterion.counted(layer.stand_in, target, sample_weight)
    if kept is not None:
        target = target.where(kept, 0)
    known = [term for term in terms if term is not None]
    loss, weight, share = per_row, sample_weight, sample_weight
    if criterion.weight is not None:
        of_rows = of_class(criterion.weight, target)
        share = product(of_rows, sample_weight)
        if len(known) == len(terms):
            weight = share
        else:  # a formula of its own, if labels are smoothed
            loss = partial(criterion.weighted_rows, per_row)

    fused = kernels.Fused(
        layer, loss, [target], known if len(known) == len(terms) else None, target
    )
    return _Rows(fused, criterion.reduction, kept, weight, share)


def _of_probabilities(
    criterion: nn.Module,
    layer: kernels.LastLayer,
    target: Tensor,
    sample_weight: Tensor | None,
) -> _Rows:
    """As `ClassCriterion.reduced`: of a sum in one pass, for here weights are rows'."""
    pairs = [(1.0, criterion)]
    if isinstance(criterion, MixedLoss):
        pairs = list(zip(criterion.factors, criterion.criteria, strict=True))
    classes = cast(list[tuple[float, ClassCriterion]], pairs)
    kept = None
    for _, each in classes:
        look = _values.readable(target) and each._first_look()
        check_weight(each.weight, len(layer.weight))
        kept = each.counted_probabilities(layer.stand_in, target, sample_weight, look)

    def loss(z: Tensor, goal: Tensor, counts: Tensor | None = None) -> Tensor:
        rows = [
            factor * each.rows_of_probabilities(each.per_row, z, goal, counts)
            for factor, each in classes
        ]
        return sum(rows[1:], rows[0])

    targets = [target] if kept is None else [target, kept]
    fused = kernels.Fused(layer, loss, targets)
    reduction = classes[0][1].reduction
    return _Rows(fused, reduction, kept, sample_weight, sample_weight)


def _together(
    pairs: Sequence[tuple[float, nn.Module]],
    targets: Sequence[Tensor],
    layer: kernels.LastLayer,
    sample_weight: Tensor | None,
) -> _Rows | None:
    """Criteria of classes and of numbers in one pass; None if they weigh otherwise."""
    numbers = [each for _, each in pairs if isinstance(each, NumberCriterion)]
    classes = [each for _, each in pairs if isinstance(each, ClassCriterion)]
    plain = all(each.weight is None for each in classes)
    if not (numbers and plain and all(each.ignore_nan for each in numbers)):
        return None
    at = [isinstance(each, NumberCriterion) for _, each in pairs].index(True)
    kept = numbers[0].counted(targets[at], sample_weight)
    assert kept is not None
    low = numbers[0].bins.edges[0].to(targets[at])
    value = targets[at].where(kept, low)
    goals = [
        value if isinstance(each, NumberCriterion) else goal.long().where(kept, 0)
        for (_, each), goal in zip(pairs, targets, strict=True)
    ]
    index = next((goal for goal in goals if not goal.is_floating_point()), None)
    rows = cast(list[Callable[..., Tensor]], [each.per_row for _, each in pairs])

    def loss(z: Tensor, *goals: Tensor) -> Tensor:
        each = [
            factor * row(z, goal)
            for (factor, _), row, goal in zip(pairs, rows, goals, strict=True)
        ]
        return sum(each[1:], each[0])

    terms = [
        each.term_of(value, factor)
        if isinstance(each, NumberCriterion)
        else cast(ClassCriterion, each).term(factor)
        for factor, each in pairs
    ]
    known = [term for term in terms if term is not None]
    fused = kernels.Fused(
        layer, loss, goals, known if len(known) == len(terms) else None, index
    )
    return _Rows(fused, numbers[0].reduction, kept, sample_weight, sample_weight)


def _mixed(criterion: nn.Module) -> bool:
    return isinstance(criterion, MixedLoss)


def _check_criterion(criterion: nn.Module) -> None:
    parts = (
        list(criterion.criteria) if isinstance(criterion, MixedLoss) else [criterion]
    )
    row_by_row = ClassCriterion.forward, NumberCriterion.forward
    for each in parts:
        if not isinstance(each, nn.Module) or type(each).forward not in row_by_row:
            raise TypeError(
                "criterion must be one of offby.nn that is computed row by row, got "
                f"{type(each).__name__}; another loss takes the logits of a "
                "torch.nn.Linear"
            )
    if isinstance(criterion, MixedLoss) and (criterion.balance or criterion.head_start):
        raise ValueError(
            "criterion must be a MixedLoss without balance and head_start, which "
            "compare its terms over all logits; give it factors, or use it after a "
            "torch.nn.Linear"
        )


def _check_numbers(logits: Tensor, target: Tensor) -> None:
    if not target.is_floating_point() or target.shape != logits.shape[:-1]:
        raise ValueError(
            "target must hold one real number for each row, shape "
            f"{tuple(logits.shape[:-1])}, got {target.dtype} of shape "
            f"{tuple(target.shape)}; dim= says which axis of the input has the features"
        )
