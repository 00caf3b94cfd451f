"""`MixedLoss`: a weighted sum of criteria."""

import math
from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch._compile import _disable_dynamo

from offby import kernels
from offby.nn import _values
from offby.nn._balance import first_push
from offby.nn._criterion import ClassCriterion, Criterion
from offby.nn._number_criterion import NumberCriterion
from offby.nn._shapes import axis_of, check_pair, last


class MixedLoss(nn.Module):
    """Weighted sum of criteria on the same logits.

    Criteria of classes take class indices (or probabilities), criteria of numbers take
    numbers. If both are among the terms, the target is numbers: the criteria of classes
    get the index of the bin that holds each, by the grid of the criteria of numbers. A
    number that is NaN is a row that is ignored, if its criterion says `ignore_nan`.

    Losses on a ground are in its units, and may outweigh a cross-entropy by far: take
    `ground.normalized()`, or let `balance` choose.

    Args:
        terms: Pairs (factor, criterion), the criteria from `offby.nn`, with the same
            `reduction` and `dim`.
        balance: How later terms are scaled, before their factor. "ratio": so that the
            running mean over the training batches (0.99 of the old, 0.01 of the new)
            equals that of the first term, as Hou et al. do. "push": so that the first
            push on the logits of an untrained network is as large as that of the first
            term (`offby.nn.first_push`), measured once, on the targets of the first
            training batch. None: not at all.
        head_start: For so many training batches the first term is alone.

    What "ratio", "push" and `head_start` remember is saved with the model, so that a
    training can go on; without them a mix has no state. Each process of a distributed
    training remembers its own; see docs/pytorch.md.

    References:
        Hou, Yu, Samaras (2016), Squared earth mover's distance-based loss for training
        deep neural networks, arXiv:1611.05916, section 3.3.

    >>> from offby import Bins
    >>> from offby.nn import CrossEntropyLoss, HistogramCRPSLoss, SquaredEMDLoss
    >>> mixed = MixedLoss([(1.0, CrossEntropyLoss()), (0.5, SquaredEMDLoss())])
    >>> mixed(torch.zeros(1, 4), torch.tensor([0]))
    tensor(1.8238)
    >>> grid = Bins.uniform(0, 8, 4)
    >>> mixed = MixedLoss([(1.0, CrossEntropyLoss()), (0.5, HistogramCRPSLoss(grid))])
    >>> mixed(torch.zeros(1, 4), torch.tensor([4.0]))
    tensor(1.7196)
    """

    means: Tensor | None
    pushes: Tensor | None
    batches: Tensor | None

    def __init__(
        self,
        terms: Sequence[tuple[float, nn.Module]],
        *,
        balance: Literal["ratio", "push"] | None = None,
        head_start: int = 0,
    ) -> None:
        super().__init__()
        if balance not in (None, "ratio", "push"):
            raise ValueError(
                f'balance must be "ratio", "push" or None, got {balance!r}'
            )
        if not isinstance(head_start, int) or head_start < 0:
            raise ValueError(
                f"head_start must be a number of batches, 0 or more, got {head_start!r}"
            )
        self.factors, criteria = _checked(terms)
        self.criteria = nn.ModuleList(criteria)
        self.balance = balance
        self.head_start = head_start
        n = len(criteria)
        means = torch.zeros(n) if balance == "ratio" else None
        pushes = torch.zeros(n) if balance == "push" else None
        batches = torch.zeros((), dtype=torch.int64) if head_start else None
        self.register_buffer("means", means)
        self.register_buffer("pushes", pushes)
        self.register_buffer("batches", batches)

    @property
    def _criteria(self) -> list[Criterion]:
        return cast(list[Criterion], list(self.criteria))

    def forward(
        self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Sum of the terms, each reduced as its own criterion says.

        Args:
            input: Logits, as the criteria take them.
            target: Class indices or probabilities; numbers, if a term takes numbers.
            sample_weight: One weight per row, or a mask.
        """
        check_pair(input, target, self._criteria[0].dim)
        remember = self.training and not _values.transforming()
        if self.batches is not None and remember:
            self.batches += 1
        first = self._one_pass(target)
        if first is not None:
            terms = self._terms()
            return first.reduced(self._per_row, terms, input, target, sample_weight)
        targets = self._targets(target)
        parts = list(zip(self._criteria, targets, strict=True))
        values = [each(input, goal, sample_weight) for each, goal in parts]
        if self.pushes is not None and remember:
            _measure_pushes(self.pushes, self._criteria, input, targets)
        if self.means is not None and remember:
            self._follow(values)
        scales = self._scales(len(values))
        weighed = [
            factor * value if scale is None else factor * scale * value
            for factor, scale, value in zip(self.factors, scales, values, strict=True)
        ]
        if self.batches is not None:
            later = self.batches > self.head_start
            # Not a product with 0: a later term may be infinite before its time.
            weighed[1:] = [t.where(later, torch.zeros_like(t)) for t in weighed[1:]]
        return torch.stack(weighed).sum(0)

    def _one_pass(self, target: Tensor) -> ClassCriterion | None:
        """The first criterion, if all can be added before they are reduced."""
        if self.balance or self.head_start or target.is_floating_point():
            return None
        first = self.criteria[0]
        if not isinstance(first, ClassCriterion):
            return None
        if all(_reduce_alike(first, each) for each in self._criteria):
            return first
        return None

    def _terms(self) -> list[kernels.Term | None]:
        parts = zip(self.factors, self._criteria, strict=True)
        return [each.term(factor) for factor, each in parts]

    def _per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, in one pass over the logits if it can be."""

        def reference(z: Tensor) -> Tensor:
            pairs = zip(self.factors, self._criteria, strict=True)
            first, *others = [f * each.per_row(z, target) for f, each in pairs]
            return sum(others, first)

        terms = self._terms()
        known = [term for term in terms if term is not None]
        kernel = None
        if len(known) == len(terms):
            kernel = kernels.choose("auto", logits, target, *known)
        return reference(logits) if kernel is None else kernel(reference)

    def _targets(self, target: Tensor) -> list[Tensor]:
        """What each term is judged against."""
        grids = [
            each.bins for each in self.criteria if isinstance(each, NumberCriterion)
        ]
        if not grids:
            return [target] * len(self.criteria)
        index = None
        targets = []
        for each in self.criteria:
            if isinstance(each, ClassCriterion):
                if index is None:
                    index = grids[0].index(target)
                # A number that is missing has no bin.
                targets.append(index.where(~target.isnan(), each.ignore_index))
            else:
                targets.append(target)
        return targets

    def _follow(self, values: list[Tensor]) -> None:
        """Running mean of each term."""
        assert self.means is not None
        now = torch.stack([value.detach().float().mean() for value in values])
        moved = torch.where(self.means == 0, now, 0.99 * self.means + 0.01 * now)
        # One infinite batch must not stay in the mean for ever.
        self.means = torch.where(now.isfinite(), moved, self.means)

    def _scales(self, n: int) -> Sequence[Tensor | None]:
        sizes = self.means if self.balance == "ratio" else self.pushes
        if sizes is None:
            return [None] * n
        ratio = (sizes[0] / sizes).abs()
        return list(torch.where(sizes != 0, ratio, torch.ones_like(ratio)))


def _checked(
    terms: Sequence[tuple[float, nn.Module]],
) -> tuple[list[float], list[nn.Module]]:
    """Factors and criteria; refuses what cannot be mixed."""
    if not isinstance(terms, Sequence):
        raise TypeError(
            "terms must be a list of pairs (factor, criterion), got "
            f"{type(terms).__name__}; [(1.0, CrossEntropyLoss()), (0.5, "
            "SquaredEMDLoss())] is one"
        )
    if not terms:
        raise ValueError("a mixed loss needs at least one (factor, criterion) pair")
    factors, criteria = [], []
    for pair in terms:
        if not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(
                "terms must be pairs (factor, criterion), but one is "
                f"{type(pair).__name__}; a factor of 1.0 changes nothing"
            )
        factor, criterion = pair
        if isinstance(factor, nn.Module):
            raise TypeError(
                "terms must be pairs (factor, criterion), but one has the criterion "
                f"first; write ({criterion}, {type(factor).__name__}(...))"
            )
        if not isinstance(criterion, ClassCriterion | NumberCriterion):
            kind = criterion if hasattr(criterion, "__name__") else type(criterion)
            raise TypeError(
                f"terms must be criteria of offby.nn, but one is {kind.__name__} of "
                f"{kind.__module__}; offby.nn has one for each of "
                "offby.losses, and its CrossEntropyLoss equals that of torch.nn"
            )
        if not math.isfinite(factor) or factor < 0:
            raise ValueError(
                f"a factor must be a nonnegative, finite number, got {factor:g} for "
                f"{type(criterion).__name__}; below 0 training would make it worse"
            )
        factors.append(float(factor))
        criteria.append(criterion)
    for name in ("reduction", "dim"):
        values = sorted({str(getattr(each, name)) for each in criteria})
        if len(values) > 1:
            raise ValueError(
                f"all terms must have the same {name}, got {' and '.join(values)}; "
                "give each criterion the one that is meant"
            )
    grids = [each.bins for each in criteria if isinstance(each, NumberCriterion)]
    for grid in grids[1:]:
        if not torch.equal(grid.edges, grids[0].edges):
            raise ValueError(
                f"all terms must have the same bins, got {grids[0]} and {grid}; one "
                "output of the network cannot mean two intervals"
            )
    return factors, criteria


def _reduce_alike(one: ClassCriterion, other: Criterion) -> bool:
    """Whether the rows of two criteria can be added before they are reduced."""
    if not isinstance(other, ClassCriterion) or one.ignore_index != other.ignore_index:
        return False
    if one.weight is None or other.weight is None:
        return one.weight is other.weight
    # Spread mass has weights of its own.
    if any(getattr(each, "label_smoothing", 0) for each in (one, other)):
        return False
    return one.weight is other.weight or (
        _values.readable(one.weight) and torch.equal(one.weight, other.weight)
    )


# As `torch.compiler.disable`, which would import the compiler here and now: half the
# time of `import offby`, for whoever does not compile.
@_disable_dynamo
def _measure_pushes(
    pushes: Tensor, criteria: list[Criterion], input: Tensor, targets: list[Tensor]
) -> None:
    """Fill in the first push of each term, on the first batch that has any."""
    if bool(pushes.any()):
        return
    axis = axis_of(input, criteria[0].dim)
    found = []
    for each, target in zip(criteria, targets, strict=True):
        goal, n = _rows_with_a_target(each, target, axis), input.shape[axis]
        found.append(first_push(each, goal, n) if goal.numel() else math.nan)
    if all(math.isfinite(push) for push in found):
        pushes.copy_(torch.tensor(found))


def _rows_with_a_target(criterion: Criterion, target: Tensor, axis: int) -> Tensor:
    """Targets, the classes last, without the rows that do not count."""
    target = target.detach()
    if isinstance(criterion, NumberCriterion):
        return target[~target.isnan()]
    if target.is_floating_point():
        return last(target, axis).flatten(0, -2)
    assert isinstance(criterion, ClassCriterion)
    return target[target != criterion.ignore_index]
