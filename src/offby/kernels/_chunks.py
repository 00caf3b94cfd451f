"""A linear layer and a loss of its outputs, a chunk of rows at a time.

Of the logits, and of the loss's gradient with respect to them, only those of a chunk
exist. Each chunk goes through three products: its logits, its part of the gradient of
the hidden states, and what it adds to the gradient of the weight.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from offby._checks import float_dtype
from offby.kernels._autograd import LossCall
from offby.kernels._last_layer import (
    LastLayer,
    Rows,
    empty_rows,
    rows_of,
    some_rows,
)


class Chunk(NamedTuple):
    """Memory for the logits of some rows and what is made of them."""

    logits: Tensor
    """(rows, classes)."""
    gradient: Tensor | None
    """Lies as the logits do, perhaps in their memory; None: not wanted."""
    loss: Tensor
    """(rows,)."""


class Step(Protocol):
    """Loss and gradient of some of the rows, by a kernel or in plain PyTorch."""

    def fill(
        self, chunk: Chunk, start: int, stop: int, upstream: Tensor | float
    ) -> None:
        """Writes the loss of these rows, and `upstream` times its gradient."""
        ...

    def in_place(self, n_classes: int) -> bool:
        """Whether the gradient may be written over the logits."""
        ...


@dataclass(frozen=True, eq=False)
class KernelStep:
    """A step that a kernel does."""

    call: LossCall

    def fill(
        self, chunk: Chunk, start: int, stop: int, upstream: Tensor | float
    ) -> None:
        """Writes the loss of these rows, and `upstream` times its gradient."""
        call = self.call.of_rows(start, stop)
        call.fill(chunk.logits, chunk.loss, chunk.gradient, upstream)

    def in_place(self, n_classes: int) -> bool:
        """Whether the gradient may be written over the logits."""
        return self.call.in_place(n_classes)


@dataclass(frozen=True, eq=False)
class PlainStep:
    """A step by a function of logits and targets, which PyTorch differentiates."""

    loss: Callable[..., Tensor]
    targets: Sequence[Rows]
    """What `loss` takes beside the logits."""

    def fill(
        self, chunk: Chunk, start: int, stop: int, upstream: Tensor | float
    ) -> None:
        """Writes the loss of these rows, and `upstream` times its gradient."""
        targets = [some_rows(each, start, stop) for each in self.targets]
        if chunk.gradient is None:
            with torch.no_grad():
                chunk.loss.copy_(self.loss(chunk.logits, *targets))
            return
        with torch.enable_grad():
            z = chunk.logits.detach().requires_grad_()
            loss = self.loss(z, *targets)
            if not isinstance(upstream, Tensor):
                upstream = torch.full_like(loss, upstream)
            (gradient,) = torch.autograd.grad(loss, z, upstream.to(loss.dtype))
        chunk.loss.copy_(loss.detach())
        chunk.gradient.copy_(gradient)

    def in_place(self, n_classes: int) -> bool:
        """The gradient is made elsewhere, then copied."""
        del n_classes
        return True


class Gradients(NamedTuple):
    """Of the inputs of a layer; None where it is not wanted."""

    hidden: Tensor | None = None
    weight: Tensor | None = None
    bias: Tensor | None = None


Wanted = tuple[bool, bool, bool]
"""Of which of hidden, weight and bias the gradient is wanted."""


def run(
    layer: LastLayer,
    step: Step,
    upstream: Tensor | float = 1.0,
    wanted: Wanted = (False, False, False),
    kept: Tensor | None = None,
) -> tuple[Tensor, Gradients]:
    """Loss of each row, and the gradients of the sum of `upstream` times the losses.

    Args:
        layer: The layer.
        step: What is computed of the logits.
        upstream: One number, or one for each row.
        wanted: Which gradients.
        kept: False for rows that do not count: their hidden states may be anything.
    """
    with torch.no_grad(), torch.autocast(layer.hidden.device.type, enabled=False):
        return _run(layer, step, upstream, wanted, kept)


def _run(
    layer: LastLayer,
    step: Step,
    upstream: Tensor | float,
    wanted: Wanted,
    kept: Tensor | None,
) -> tuple[Tensor, Gradients]:
    hidden, weight = rows_of(layer.hidden), layer.weight
    outer, inner, _ = hidden.memory.shape
    precise = float_dtype(layer.hidden)
    loss = layer.hidden.new_empty(outer * inner, dtype=precise)
    if isinstance(upstream, Tensor):
        upstream = upstream.to(precise).contiguous().view(-1)
    if kept is not None:
        kept = kept.reshape(-1, 1)
    made = empty_rows(hidden, hidden.memory.dtype) if wanted[0] else None
    # Summed over the chunks in float32 at least.
    fresh = torch.empty_like if len(loss) else torch.zeros_like
    of_weight = fresh(weight, dtype=precise) if wanted[1] else None
    of_bias = weight.new_zeros(len(weight), dtype=precise) if wanted[2] else None
    n = layer.chunk_of(inner)
    k = len(weight)
    memory = [weight.new_empty(n * k)]
    if any(wanted) and not (step.in_place(k) and not hidden.beside):
        memory.append(weight.new_empty(n * k))
    for i in range(outer):
        for first in range(0, inner, n):
            last = min(first + n, inner)
            start, stop = i * inner + first, i * inner + last
            some = hidden.memory[i, first:last]
            if kept is not None:
                # 0 * NaN is NaN in the gradient of the weight.
                some = some.where(kept[start:stop], 0.0)
            shaped = [_as_rows(each, last - first, k, hidden.beside) for each in memory]
            _product(some, weight.t(), shaped[0], layer.bias)
            gradient = shaped[-1] if any(wanted) else None
            scale = upstream
            if isinstance(scale, Tensor):
                scale = scale[start:stop]
            step.fill(Chunk(shaped[0], gradient, loss[start:stop]), start, stop, scale)
            if gradient is None:
                continue
            if made is not None:
                torch.mm(gradient, weight, out=made.memory[i, first:last])
            if of_weight is not None:
                _add_product(of_weight, gradient.t(), some, fresh=start == 0)
            if of_bias is not None:
                of_bias += gradient.sum(0, dtype=precise)
    gradients = Gradients(
        None if made is None else made.memory.view(layer.hidden.shape),
        None if of_weight is None else of_weight.to(weight.dtype),
        None if of_bias is None else of_bias.to(weight.dtype),
    )
    return loss.view(layer.rows), gradients


def _as_rows(memory: Tensor, n: int, k: int, beside: bool) -> Tensor:
    """Memory as n rows of k classes."""
    some = memory[: n * k]
    return some.view(k, n).t() if beside else some.view(n, k)


def _product(some: Tensor, by: Tensor, out: Tensor, plus: Tensor | None) -> None:
    if plus is None:
        torch.mm(some, by, out=out)
    else:
        torch.addmm(plus, some, by, out=out)


def _add_product(total: Tensor, left: Tensor, right: Tensor, *, fresh: bool) -> None:
    """Adds a product to a total, in its precision; a fresh one holds nothing yet."""
    left, right = left.to(total.dtype), right.to(total.dtype)
    total.addmm_(left, right, beta=0 if fresh else 1)
