"""`MixedLoss`: a weighted sum of criteria."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from offby import kernels
from offby.nn._criterion import reduce_alike


class MixedLoss(nn.Module):
    """Weighted sum of criteria.

    Args:
        terms: Pairs of a factor and a criterion that take the same targets.
        balance: "ratio" scales every later term, before its factor, so that its running
            mean over the training batches equals that of the first term, as Hou et al.
            do; None leaves them as they are.
        head_start: So many training batches with the first term alone.

    References:
        Hou, Yu, Samaras (2016), Squared earth mover's distance-based loss for training
        deep neural networks, arXiv:1611.05916, section 3.3.

    >>> from offby.nn import CrossEntropyLoss, SquaredEMDLoss
    >>> mixed = MixedLoss([(1.0, CrossEntropyLoss()), (0.5, SquaredEMDLoss())])
    >>> mixed(torch.zeros(1, 4), torch.tensor([0]))
    tensor(1.8238)
    """

    means: Tensor
    batches: Tensor

    def __init__(
        self,
        terms: Sequence[tuple[float, Callable[..., Tensor]]],
        *,
        balance: Literal["ratio"] | None = None,
        head_start: int = 0,
    ) -> None:
        super().__init__()
        if not terms:
            raise ValueError("a mixed loss needs at least one (factor, criterion) pair")
        if balance not in (None, "ratio"):
            raise ValueError(f'balance must be None or "ratio", got {balance!r}')
        self.factors = [float(factor) for factor, _ in terms]
        self.criteria = nn.ModuleList([criterion for _, criterion in terms])  # pyright: ignore[reportArgumentType]
        self.balance = balance
        self.head_start = head_start
        self.register_buffer("means", torch.zeros(len(terms)))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Sum of the terms, each reduced as its own criterion says."""
        if self.training:
            self.batches += 1
        first = self.criteria[0]
        plain = not (self.balance or self.head_start or target.is_floating_point())
        if plain and all(reduce_alike(first, each) for each in self.criteria):
            terms = self._terms()
            return first.reduced(self._rows, terms, logits, target, sample_weight)  # pyright: ignore[reportCallIssue]
        values = [term(logits, target, sample_weight) for term in self.criteria]
        scales = self._scales(values) if self.balance else [1.0] * len(values)
        parts = zip(self.factors, scales, values, strict=True)
        weighed = [factor * scale * value for factor, scale, value in parts]
        later = self.batches > self.head_start
        # Not a product with 0: a later term may be infinite before its time.
        held = [term.where(later, torch.zeros_like(term)) for term in weighed[1:]]
        return torch.stack(
            [weighed[0], *(held if self.head_start else weighed[1:])]
        ).sum(0)

    def _terms(self) -> list[kernels.Term | None]:
        parts = zip(self.factors, self.criteria, strict=True)
        return [each.term(factor) for factor, each in parts]  # pyright: ignore[reportCallIssue]

    def _rows(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, in one pass over the logits if it can be."""
        terms = self._terms()

        def plain(z: Tensor) -> Tensor:
            parts = zip(self.factors, self.criteria, strict=True)
            first, *others = [factor * each.rows(z, target) for factor, each in parts]  # pyright: ignore[reportCallIssue]
            return sum(others, first)

        twin = None
        if None not in terms:
            twin = kernels.choose("auto", logits, target, *terms)  # pyright: ignore[reportArgumentType]
        return plain(logits) if twin is None else twin(plain)

    def _scales(self, values: list[Tensor]) -> list[Tensor]:
        if self.training:
            now = torch.stack([value.detach().float().mean() for value in values])
            fresh = self.means == 0
            moved = torch.where(fresh, now, 0.99 * self.means + 0.01 * now)
            # One infinite batch must not stay in the mean for ever.
            self.means = torch.where(now.isfinite(), moved, self.means)
        ratio = (self.means[0] / self.means).abs()
        return list(torch.where(self.means != 0, ratio, torch.ones_like(ratio)))
