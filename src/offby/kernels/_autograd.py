"""The kernels as differentiable functions of the logits."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from offby._checks import float_dtype
from offby.kernels._impl import using
from offby.kernels._memory import not_in_memory


class LossCall(Protocol):
    """A sum of losses that a kernel computes."""

    def loss(self, logits: Tensor) -> Tensor:
        """Loss of each row."""
        ...

    def expected_scale(self, n_rows: int) -> float:
        """The scale to make a gradient for."""
        ...

    def is_scale(self, upstream: Tensor, scale: float) -> bool:
        """Whether every number is the scale."""
        ...

    def loss_and_gradient(self, logits: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """Loss of each row, and `scale` times its gradient."""
        ...

    def gradient(
        self,
        logits: Tensor,
        upstream: Tensor,
        scaled: tuple[Tensor, float] | None = None,
    ) -> Tensor:
        """Gradient of each row times `upstream`; `scaled`, if given, is used up."""
        ...

    def of_rows(self, start: int, stop: int) -> "LossCall":
        """The same sum for some of the rows."""
        ...

    def fill(
        self,
        logits: Tensor,
        loss: Tensor,
        gradient: Tensor | None = None,
        upstream: Tensor | float = 1.0,
    ) -> None:
        """Writes loss and gradient into the caller's memory."""
        ...

    def in_place(self, n_classes: int) -> bool:
        """Whether `fill` may write the gradient over the logits."""
        ...


Reference = Callable[[Tensor], Tensor]
"""The plain PyTorch form of a loss, as a function of the logits alone."""


def per_row(call: LossCall, reference: Reference, logits: Tensor) -> Tensor:
    """Loss of each row; `reference` serves where a derivative is differentiated."""
    if not (logits.requires_grad and torch.is_grad_enabled()):
        return call.loss(logits)
    return _Rows.apply(logits, call, reference)


def mean(call: LossCall, reference: Reference, logits: Tensor) -> Tensor:
    """Mean over the rows; `reference` gives the mean of the plain form.

    It has less overhead than the mean of `per_row`.
    """
    if not (logits.requires_grad and torch.is_grad_enabled()):
        return call.loss(logits).mean()
    return _Mean.apply(logits, call, reference)


class _Rows(torch.autograd.Function):
    """Loss and gradient in one pass.

    The gradient is made for the mean over the rows, the usual reduction. Whatever was
    guessed, each of its rows ends with the same bits: it is computed, and last of all
    multiplied by its upstream number.
    """

    @staticmethod
    def forward(ctx, logits: Tensor, call: LossCall, reference: Reference) -> Tensor:
        ctx.scale = call.expected_scale(logits.numel() // logits.shape[-1])
        loss, ctx.gradient = call.loss_and_gradient(logits, ctx.scale)
        ctx.save_for_backward(logits)
        ctx.call, ctx.reference = call, reference
        return loss

    @staticmethod
    def backward(ctx, upstream: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        if torch.is_grad_enabled():  # create_graph: the slopes are to be differentiated
            return _differentiable(ctx, upstream), None, None
        return _gradient(ctx, upstream), None, None


class _Mean(torch.autograd.Function):
    """The same for the mean over the rows, whose upstream number is one."""

    @staticmethod
    def forward(ctx, logits: Tensor, call: LossCall, reference: Reference) -> Tensor:
        ctx.shape = logits.shape[:-1]
        return _Rows.forward(ctx, logits, call, reference).mean()

    @staticmethod
    def backward(ctx, upstream: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        if torch.is_grad_enabled():
            return _differentiable(ctx, upstream), None, None
        # Most often the mean is the loss itself. A GPU would have to be waited for.
        if (
            ctx.gradient is not None
            and upstream.is_cpu
            and not not_in_memory(upstream)
            and upstream.item() == 1
        ):
            gradient, ctx.gradient = ctx.gradient, None
            return gradient, None, None
        each = upstream / ctx.shape.numel()
        return _gradient(ctx, each.expand(ctx.shape)), None, None


def _gradient(ctx: FunctionCtx, upstream: Tensor) -> Tensor:
    if not_in_memory(upstream):
        # Of a tensor subclass or a batch of gradients: its own product, after a kernel
        # call that reads plain tensors only.
        (logits,) = ctx.saved_tensors  # pyright: ignore[reportAttributeAccessIssue]
        ones = torch.ones(logits.shape[:-1], dtype=float_dtype(logits))
        call = ctx.call  # pyright: ignore[reportAttributeAccessIssue]
        each = call.gradient(logits, ones.to(logits.device))
        return each * upstream[..., None].to(each.dtype)
    # Handed over once, for its owner may write into it.
    gradient, ctx.gradient = ctx.gradient, None  # pyright: ignore[reportAttributeAccessIssue]
    call, scale = ctx.call, ctx.scale  # pyright: ignore[reportAttributeAccessIssue]
    if gradient is not None and call.is_scale(upstream, scale):
        return gradient
    (logits,) = ctx.saved_tensors  # pyright: ignore[reportAttributeAccessIssue]
    made = None if gradient is None else (gradient, scale)
    return call.gradient(logits, upstream, made)


def _differentiable(ctx: FunctionCtx, upstream: Tensor) -> Tensor:
    (logits,) = ctx.saved_tensors  # pyright: ignore[reportAttributeAccessIssue]
    with using("torch"):
        loss = ctx.reference(logits)  # pyright: ignore[reportAttributeAccessIssue]
    (gradient,) = torch.autograd.grad(loss, logits, upstream, create_graph=True)
    return gradient
