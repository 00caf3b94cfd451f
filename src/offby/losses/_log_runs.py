"""Log odds of runs of classes. Theory: docs/maths/cumulative-cross-entropy.md."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from offby.grounds import Cuts


def log_odds_of_runs(
    logits: Float[Tensor, "*batch classes"], cuts: Cuts
) -> Float[Tensor, "*batch cuts"]:
    """log S_e - log(1 - S_e) of the mass S_e of every run, each summed in log space.

    Before and after a run the sums begin at the ends of the row. Inside they begin at
    the middle of the smallest aligned block of 2^k classes that holds the run: so every
    run is two sums, and K log K steps give them all. Differences of sums from one end,
    as of masses, would lose a run of small mass altogether.

    Args:
        logits: In float32 or float64.
        cuts: The runs, on the device of the logits.
    """
    logits = logits[..., cuts.order]
    possible = torch.nn.functional.pad((~logits.isneginf()).cumsum(-1), (1, 0))
    # As on the line: finite inside, so that the backward pass is.
    logits = logits - logits.amax(-1, keepdim=True).detach()
    lowest = torch.finfo(logits.dtype).min / 4
    logits = logits.clamp(min=lowest)

    inside, from_first, to_last = _log_sums(logits, cuts.start, cuts.end - 1, lowest)
    nothing = torch.full_like(logits[..., :1], lowest)
    before = torch.cat([nothing, from_first], -1)[..., cuts.start]
    after = torch.cat([to_last, nothing], -1)[..., cuts.end]
    outside = _log_add(before, after)

    held = possible[..., cuts.end] - possible[..., cuts.start]
    inside = inside.masked_fill(held == 0, -torch.inf)
    return inside - outside.masked_fill(held == possible[..., -1:], -torch.inf)


def _log_sums(
    logits: Tensor, first: Tensor, last: Tensor, lowest: float
) -> tuple[Tensor, Tensor, Tensor]:
    """log of the summed exponentials: of each run, up to each class, from each on.

    Sums of blocks of 1, 2, 4, ... classes, each from two of the size before. Not by
    `logcumsumexp`: its second derivative drops classes that no sum reads (PyTorch 2.13
    takes the logarithm of their slope, which is 0).
    """
    n = logits.shape[-1]
    size = 1 << int(n - 1).bit_length()  # a tensor, while torch.jit traces
    up_to = from_on = torch.nn.functional.pad(logits, (0, size - n), value=lowest)
    runs = logits[..., first]  # of one class
    half = 1
    while half < size:
        up_left, up_right = up_to.unflatten(-1, (-1, 2, half)).unbind(-2)
        on_left, on_right = from_on.unflatten(-1, (-1, 2, half)).unbind(-2)
        from_middle = torch.stack([on_left, up_right], -2).flatten(-3)
        both = _log_add(from_middle[..., first], from_middle[..., last])
        # The run lies in one block of this size, on both sides of its middle.
        here = (first // (2 * half) == last // (2 * half)) & (
            first // half != last // half
        )
        runs = torch.where(here, both, runs)
        beyond = _log_add(up_left[..., -1:], up_right)
        up_to = torch.stack([up_left, beyond], -2).flatten(-3)
        beyond = _log_add(on_left, on_right[..., :1])
        from_on = torch.stack([beyond, on_right], -2).flatten(-3)
        half *= 2
    return runs, up_to[..., :n], from_on[..., :n]


def _log_add(a: Tensor, b: Tensor) -> Tensor:
    """log(e^a + e^b), twice differentiable also where a and b are far apart.

    The second derivative of `torch.logaddexp` overflows to NaN there.
    """
    if torch.compiler.is_compiling():
        # Written into one another, all sums of 64 classes take a compiler 40 seconds.
        return _opaque_log_add(*torch.broadcast_tensors(a, b))
    return torch.where(a > b, a + softplus(b - a), b + softplus(a - b))


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x) to the last digit; torch's own drops the e^-x of x above 20."""
    return -logsigmoid(-x)


@torch.library.custom_op("offby::log_add", mutates_args=())
def _opaque_log_add(a: Tensor, b: Tensor) -> Tensor:
    """The same to a compiler, which takes no second derivatives."""
    return torch.logaddexp(a, b)


@_opaque_log_add.register_fake
def _(a, b):
    return torch.empty_like(a, memory_format=torch.contiguous_format)


def _backward(ctx, upstream):
    a, b, both = ctx.saved_tensors
    return upstream * (a - both).exp(), upstream * (b - both).exp()


_opaque_log_add.register_autograd(
    _backward,
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs, output),
)
