"""The fused linear layer inside `torch.compile`: three operators, opaque to it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from offby.grounds import Cuts
from offby.kernels._chunks import KernelStep, run
from offby.kernels._last_layer import LastLayer
from offby.kernels.cpp._library import LossCall, cuts_of


@dataclass(frozen=True, eq=False)
class Arguments:
    """What the kernels read, as an operator can take it."""

    call: LossCall


def _step(
    hidden: Tensor,
    numbers: tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None],
    cuts: list[Tensor],
    factors: list[float],
    power: float,
) -> KernelStep:
    index, value, positions, edges = numbers
    if hidden.is_cuda:
        from offby.kernels.triton import _rows as _triton

        call = _triton.LossCall(tuple(factors), index, value, positions, edges, power)
        return KernelStep(call)
    tree = Cuts(*cuts) if cuts else None
    call = LossCall(tuple(factors), index, value, positions, edges, power, tree)
    return KernelStep(call)


# PyTorch 2.4 does not know that list[Tensor] is a list of tensors.
_LOSS = (
    "Tensor? index, Tensor? value, Tensor? positions, Tensor? edges, Tensor[] cuts, "
    "float[] factors, float power, int? chunk"
)


@torch.library.custom_op(
    "offby::linear_rows",
    mutates_args=(),
    schema=f"(Tensor hidden, Tensor weight, Tensor? bias, {_LOSS}) -> Tensor",
)
def _rows(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    index: Tensor | None,
    value: Tensor | None,
    positions: Tensor | None,
    edges: Tensor | None,
    cuts: list[Tensor],
    factors: list[float],
    power: float,
    chunk: int | None,
) -> Tensor:
    """Loss of every row."""
    layer = LastLayer(hidden, weight, bias, chunk)
    numbers = index, value, positions, edges
    return run(layer, _step(hidden, numbers, cuts, factors, power))[0]


@torch.library.custom_op(
    "offby::linear_slopes",
    mutates_args=(),
    schema="(Tensor hidden, Tensor weight, Tensor? bias, Tensor upstream, "
    f"Tensor? kept, {_LOSS}, bool[] wanted) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _slopes(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    upstream: Tensor,
    kept: Tensor | None,
    index: Tensor | None,
    value: Tensor | None,
    positions: Tensor | None,
    edges: Tensor | None,
    cuts: list[Tensor],
    factors: list[float],
    power: float,
    chunk: int | None,
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Loss of every row, and the gradients for one upstream number of each."""
    layer = LastLayer(hidden, weight, bias, chunk)
    numbers = index, value, positions, edges
    step = _step(hidden, numbers, cuts, factors, power)
    needs = wanted[0], wanted[1], wanted[2]
    loss, gradients = run(layer, step, upstream, needs, kept)
    # Outputs of their own: none may share memory with another.
    one, two, three = (
        hidden.new_empty(0) if each is None else each.contiguous() for each in gradients
    )
    return loss, one, two, three


@_rows.register_fake
def _(hidden, *rest):
    del rest
    return _fake_loss(hidden)


@_slopes.register_fake
def _(hidden, weight, bias, *rest):
    wanted, given = rest[-1], (hidden, weight, bias)
    shapes = [x.shape if need else (0,) for x, need in zip(given, wanted, strict=True)]
    return _fake_loss(hidden), *(hidden.new_empty(shape) for shape in shapes)


def _fake_loss(hidden: Tensor) -> Tensor:
    wide = torch.promote_types(hidden.dtype, torch.float32)
    return hidden.new_empty(hidden.shape[:-1], dtype=wide)


def _keep_inputs(ctx, inputs, output) -> None:
    del output
    hidden, weight, bias, *numbers, cuts, ctx.factors, ctx.power, ctx.chunk = inputs
    ctx.save_for_backward(hidden, weight, bias, *numbers, *cuts)


def _backward_of_rows(ctx, upstream):
    hidden, weight, bias, *numbers = ctx.saved_tensors
    numbers, cuts = numbers[:4], numbers[4:]
    wanted = list(ctx.needs_input_grad[:3])
    settings = cuts, ctx.factors, ctx.power, ctx.chunk, wanted
    _, *found = _slopes(
        hidden, weight, bias, upstream.contiguous(), None, *numbers, *settings
    )
    gradients = [x if need else None for x, need in zip(found, wanted, strict=True)]
    return *gradients, *([None] * 4), [None] * len(cuts), None, None, None


_rows.register_autograd(_backward_of_rows, setup_context=_keep_inputs)


class _Total(torch.autograd.Function):
    """The gradients come with the loss, and are multiplied by its upstream number."""

    @staticmethod
    def forward(ctx, hidden, weight, bias, share, kept, settings):
        wanted = list(ctx.needs_input_grad[:3])
        loss, *found = _slopes(hidden, weight, bias, share, kept, *settings, wanted)
        ctx.save_for_backward(*found)
        return torch.where(share != 0, loss * share.to(loss.dtype), 0.0).sum()

    @staticmethod
    def backward(ctx, upstream):  # pyright: ignore[reportIncompatibleMethodOverride]
        needs = ctx.needs_input_grad[:3]
        found = [
            each * upstream.to(each.dtype) if need else None
            for each, need in zip(ctx.saved_tensors, needs, strict=True)
        ]
        return *found, None, None, None


def per_row(layer: LastLayer, arguments: Arguments) -> Tensor:
    """Loss of each row."""
    inputs = layer.hidden, layer.weight, layer.bias
    return _rows(*inputs, *_settings(layer, arguments.call))


def total(
    layer: LastLayer, arguments: Arguments, share: Tensor, kept: Tensor | None
) -> Tensor:
    """The sum of the losses times what each row counts."""
    inputs = layer.hidden, layer.weight, layer.bias
    settings = _settings(layer, arguments.call)
    return _Total.apply(*inputs, share, kept, settings)


def _settings(layer: LastLayer, call: LossCall) -> tuple[Any, ...]:
    """What the operators take between their tensors and what is wanted of them."""
    cuts = [] if call.cuts is None else list(cuts_of(call.cuts))
    numbers = call.index, call.value, call.positions, call.edges
    return *numbers, cuts, list(call.factors), call.power, layer.chunk
