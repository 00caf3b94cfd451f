"""The kernels inside `torch.compile`: one operator, opaque to the compiler."""

import torch
from torch import Tensor

from offby.grounds import Cuts
from offby.kernels.cpp._library import LossCall, cuts_of


# PyTorch 2.4 does not know that list[Tensor] is a list of tensors.
@torch.library.custom_op(
    "offby::rows",
    mutates_args=(),
    device_types="cpu",
    schema="(Tensor logits, Tensor? index, Tensor? value, Tensor? positions, "
    "Tensor? edges, Tensor[] cuts, float[] factors, float power) -> (Tensor, Tensor)",
)
def _rows(
    logits: Tensor,
    index: Tensor | None,
    value: Tensor | None,
    positions: Tensor | None,
    edges: Tensor | None,
    cuts: list[Tensor],
    factors: list[float],
    power: float,
) -> tuple[Tensor, Tensor]:
    """Loss and gradient of every row."""
    tree = Cuts(*cuts) if cuts else None
    call = LossCall(tuple(factors), index, value, positions, edges, power, tree)
    return call.loss_and_gradient(logits.contiguous(), 1.0)


@_rows.register_kernel("cuda")
def _(logits, index, value, positions, edges, cuts, factors, power):
    from offby.kernels.triton import _rows as _triton

    assert not cuts  # refused before
    call = _triton.LossCall(tuple(factors), index, value, positions, edges, power)
    return call.loss_and_gradient(logits.contiguous(), 1.0)


@_rows.register_fake
def _(logits, index, value, positions, edges, cuts, factors, power):
    wide = torch.promote_types(logits.dtype, torch.float32)
    loss = logits.new_empty(logits.shape[:-1], dtype=wide)
    return loss, logits.new_empty(logits.shape)


def _keep_gradient(ctx, inputs, output) -> None:
    ctx.n_cuts = len(inputs[5])
    ctx.save_for_backward(output[1])
    ctx.set_materialize_grads(False)


def _backward(ctx, upstream, upstream_of_gradient):
    if upstream_of_gradient is not None:
        raise RuntimeError(
            "second derivatives must be taken outside torch.compile, got one inside; "
            'pass impl="torch" to compile them'
        )
    (gradient,) = ctx.saved_tensors
    scaled = gradient * upstream[..., None].to(gradient.dtype)
    return scaled, None, None, None, None, [None] * ctx.n_cuts, None, None


_rows.register_autograd(_backward, setup_context=_keep_gradient)


def per_row(call: LossCall, logits: Tensor) -> Tensor:
    """Loss of each row."""
    numbers = call.index, call.value, call.positions, call.edges
    cuts = [] if call.cuts is None else list(cuts_of(call.cuts))
    loss, _ = _rows(logits, *numbers, cuts, list(call.factors), call.power)
    return loss
