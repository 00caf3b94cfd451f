"""`Fused`: a linear layer and a loss of its outputs, whose logits never all exist."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from offby.kernels import _linear_compiled
from offby.kernels._chunks import Gradients, KernelStep, PlainStep, Step, Wanted, run
from offby.kernels._dispatch import arguments_of, call_of, kernel_for
from offby.kernels._impl import Impl, using, wanted
from offby.kernels._last_layer import LastLayer, rows_of_target
from offby.kernels._memory import not_in_memory
from offby.kernels._terms import Term


@dataclass(frozen=True, eq=False)
class Fused:
    """The losses of the rows of a linear layer.

    Each method gives None where the plain form has to run: all logits, and `loss`.
    """

    layer: LastLayer
    loss: Callable[..., Tensor]
    """Loss of each row from logits and targets, in plain PyTorch or not."""
    targets: Sequence[Tensor]
    """What `loss` takes; their first axes are the rows."""
    terms: Sequence[Term] | None = None
    """The same sum of losses for the kernels; None if they do not have it."""
    index: Tensor | None = None
    """Class indices for the terms."""
    impl: Impl = "auto"

    def plain(self) -> Tensor:
        """Loss of each row, by the whole logits."""
        return self.loss(self.layer.logits(), *self.targets)

    def per_row(self) -> Tensor | None:
        """Loss of each row.

        For the mean or the sum of these (any reduction whose gradient is one number for
        all rows) the gradients are made in the forward pass: three products in all. For
        others the logits are computed once more.
        """
        step = self._step()
        if step is None:
            return None
        layer = self.layer
        if isinstance(step, _linear_compiled.Arguments):
            return _linear_compiled.per_row(layer, step)
        inputs = layer.hidden, layer.weight, layer.bias
        if not _differentiated(inputs):
            return run(layer, step)[0]
        return _PerRow.apply(*inputs, _Task(layer, step, self._reference))

    def total(self, share: Tensor, kept: Tensor | None = None) -> Tensor | None:
        """The sum over the rows of `share` times the loss: three products in all.

        Args:
            share: One number for each row. A row of 0 adds 0, whatever its loss.
            kept: False for rows that do not count: their hidden states may be anything.
        """
        if share.requires_grad:
            return None
        step = self._step()
        if step is None:
            return None
        layer = self.layer
        if isinstance(step, _linear_compiled.Arguments):
            return _linear_compiled.total(layer, step, share, kept)
        inputs = layer.hidden, layer.weight, layer.bias
        if not _differentiated(inputs):
            return _weighed(run(layer, step, kept=kept)[0], share)
        task = _Task(layer, step, self._reference, share, kept)
        return _Total.apply(*inputs, task)

    def _reference(self, layer: LastLayer) -> Tensor:
        with using("torch"):
            return replace(self, layer=layer).plain()

    def _step(self) -> Step | _linear_compiled.Arguments | None:
        """How to compute a chunk; None for the plain form."""
        compiling = torch.compiler.is_compiling()
        form = self.impl if compiling else wanted(self.impl)
        if form == "torch":
            return None
        stand_in = self.layer.stand_in
        why = self.layer.out_of_reach()
        if torch.is_grad_enabled() and any(t.requires_grad for t in self.targets):
            # Chunks give gradients of the layer alone.
            why = why or "a target requires grad"
        kernel = None
        if self.terms is not None and not why:
            kernel = kernel_for(form, stand_in, self.index, self.terms)
        elif form != "auto":
            why = why or "the kernels do not have this loss"
            raise RuntimeError(
                f'impl="{form}" cannot run here: {why}; use impl="auto" or "torch"'
            )
        if why or (compiling and kernel is None):
            return None
        if kernel is None or self.terms is None:
            axes = len(self.layer.rows)
            targets = [rows_of_target(each, axes) for each in self.targets]
            return PlainStep(self.loss, targets)
        if compiling:
            arguments = arguments_of(kernel, self.index, self.terms)
            return _linear_compiled.Arguments(arguments)
        return KernelStep(call_of(kernel, self.index, self.terms))


@dataclass(frozen=True, eq=False)
class _Task:
    """What the two functions below do, beside their inputs."""

    layer: LastLayer
    step: Step
    reference: Callable[[LastLayer], Tensor]
    share: Tensor | None = None
    kept: Tensor | None = None

    @property
    def made_early(self) -> bool:
        """Whether gradients are made in the forward pass.

        Not in float16: the scale that keeps its gradients from vanishing arrives with
        the backward pass.
        """
        return self.layer.hidden.dtype != torch.float16

    def needs_of(self, ctx: FunctionCtx) -> Wanted:
        """Which gradients the forward pass makes."""
        needs = ctx.needs_input_grad  # pyright: ignore[reportAttributeAccessIssue]
        early = self.made_early
        return early and needs[0], early and needs[1], early and needs[2]

    def on(self, inputs: Sequence[Tensor | None]) -> "LastLayer":
        """The layer with other inputs."""
        hidden, weight, bias = inputs
        assert hidden is not None
        assert weight is not None
        return replace(self.layer, hidden=hidden, weight=weight, bias=bias)

    def run(
        self, inputs: Sequence[Tensor | None], upstream: Tensor | float, needs: Wanted
    ) -> tuple[Tensor, Gradients]:
        """Loss of each row and gradients, by chunks."""
        inputs = [None if each is None else each.detach() for each in inputs]
        return run(self.on(inputs), self.step, upstream, needs, self.kept)

    def differentiable(self, ctx: FunctionCtx, upstream: Tensor, *, twice: bool):
        """Gradients by the plain form, which can be differentiated once more."""
        inputs = ctx.saved_tensors  # pyright: ignore[reportAttributeAccessIssue]
        needs = ctx.needs_input_grad[:3]  # pyright: ignore[reportAttributeAccessIssue]
        with torch.enable_grad():
            if not twice:
                inputs = [
                    None if x is None else x.detach().requires_grad_() for x in inputs
                ]
            hidden, weight, bias = inputs
            loss = self.reference(self.on((hidden, weight, bias)))
            if self.share is not None:
                loss = _weighed(loss, self.share)
        pairs = zip(inputs, needs, strict=True)
        asked = [x for x, need in pairs if need and x is not None]
        found = iter(torch.autograd.grad(loss, asked, upstream, create_graph=twice))
        return (*(next(found) if need else None for need in needs), None)


class _PerRow(torch.autograd.Function):
    """Loss of each row; gradients are made for the mean, the usual reduction."""

    @staticmethod
    def forward(ctx, hidden: Tensor, weight: Tensor, bias: Tensor | None, task: _Task):
        ctx.task = task
        ctx.save_for_backward(hidden, weight, bias)
        needs = task.needs_of(ctx)
        ctx.n = task.layer.rows.numel()
        loss, made = task.run((hidden, weight, bias), 1 / max(ctx.n, 1), needs)
        ctx.made = made if task.made_early else None
        return loss

    @staticmethod
    def backward(ctx, upstream: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        task = ctx.task
        unread = not_in_memory(upstream)
        if torch.is_grad_enabled() or unread:
            return task.differentiable(ctx, upstream, twice=torch.is_grad_enabled())
        # Handed over once, for its owner may write into it.
        made, ctx.made = ctx.made, None
        if made is not None and _is_one_number(upstream):
            return (*_times(made, upstream.reshape(-1)[0] * ctx.n), None)
        del made
        needs = ctx.needs_input_grad[:3]
        return (*task.run(ctx.saved_tensors, upstream, needs)[1], None)


class _Total(torch.autograd.Function):
    """The sum of the losses times what each row counts."""

    @staticmethod
    def forward(ctx, hidden: Tensor, weight: Tensor, bias: Tensor | None, task: _Task):
        assert task.share is not None
        ctx.task = task
        ctx.save_for_backward(hidden, weight, bias)
        needs = task.needs_of(ctx)
        loss, made = task.run((hidden, weight, bias), task.share, needs)
        ctx.made = made if task.made_early else None
        return _weighed(loss, task.share)

    @staticmethod
    def backward(ctx, upstream: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        task = ctx.task
        if torch.is_grad_enabled() or not_in_memory(upstream):
            return task.differentiable(ctx, upstream, twice=torch.is_grad_enabled())
        made, ctx.made = ctx.made, None
        if made is not None:
            return (*_times(made, upstream), None)
        needs = ctx.needs_input_grad[:3]
        return (*task.run(ctx.saved_tensors, task.share * upstream, needs)[1], None)


def _is_one_number(upstream: Tensor) -> bool:
    """Whether all rows have one upstream number, as those of a mean or a sum have."""
    if upstream.numel() == 0:
        return False
    if not any(upstream.stride()):
        return True
    if upstream.is_cuda and torch.cuda.is_current_stream_capturing():
        return False  # a graph that is recorded cannot be asked
    # A GPU is waited for: three more products would take longer.
    return bool((upstream == upstream.reshape(-1)[0]).all())


def _differentiated(inputs: Sequence[Tensor | None]) -> bool:
    return torch.is_grad_enabled() and any(
        each is not None and each.requires_grad for each in inputs
    )


def _weighed(loss: Tensor, share: Tensor) -> Tensor:
    # A row of share 0 adds 0, also where its loss is infinite (0 * inf would be NaN).
    return torch.where(share != 0, loss * share.to(loss.dtype), 0.0).sum()


def _times(made: Gradients, factor: Tensor) -> Gradients:
    """Gradients times a number, in their own memory."""
    # Most often it is one. A GPU would have to be waited for.
    if factor.is_cpu and factor.item() == 1:
        return made
    for each in made:
        if each is not None:
            each.mul_(factor.to(each.dtype))
    return made
