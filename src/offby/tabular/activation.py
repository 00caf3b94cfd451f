"""relu(product + bias) with dropout, in as few passes over memory as PyTorch allows.

Between two matrix products of a small network, passes over the hidden values take more
time than the products. So this works in place, draws no new random numbers for each
value, and leaves the scale of what dropout keeps to the next layer's matrix.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

import torch
from torch import Tensor


@dataclass(frozen=True)
class Dropout:
    """Drops a share of the hidden values, other ones in every run, member and row."""

    share: float
    generators: Sequence[torch.Generator]
    """One for each run."""

    @property
    def scale(self) -> float:
        """What makes up for the dropped values."""
        return 1 / (1 - self.share)

    def limits(self, values: Tensor) -> list[Tensor]:
        """For each run upper limits of its values: 0 for those dropped, else infinity.

        Each run takes a window of its own of a pool drawn once: to draw the limits
        anew takes longer than all other passes together.
        """
        n_values = values[0].numel()
        # Four times the window, so that windows of two steps seldom overlap.
        n_pool = 2 ** max(22, math.ceil(math.log2(max(n_values, 1))) + 2)
        pool = _pool(self.share, n_pool, values.device)
        starts = [
            int(torch.randint(n_pool - n_values, (), generator=each))
            for each in self.generators
        ]
        return [pool[start : start + n_values].view_as(values[0]) for start in starts]


@cache
def _pool(share: float, size: int, device: torch.device) -> Tensor:
    draws = torch.rand(size, generator=torch.Generator().manual_seed(0))
    return torch.where(draws < share, 0.0, math.inf).to(device)


def activation(product: Tensor, bias: Tensor, dropout: Dropout | None) -> Tensor:
    """relu(product + bias), some of it dropped; overwrites the product.

    What dropout keeps is not yet scaled by `dropout.scale`.

    **Shape**

    - product: (runs, members * rows, width) or (runs, members, rows * width)
    - bias: (runs, members, 1, width)
    - Output: (runs, members, rows, width)
    """
    shape = *bias.shape[:2], -1, bias.shape[-1]
    return cast(Tensor, _Activation.apply(product, bias, dropout)).view(shape)


class _Activation(torch.autograd.Function):
    """The plain form is `(product + bias).relu()`, times 0 where dropped."""

    @staticmethod
    def forward(ctx, product: Tensor, bias: Tensor, dropout: Dropout | None) -> Tensor:
        hidden = product.view(*bias.shape[:2], -1, bias.shape[-1])
        hidden.add_(bias)
        if dropout is None:
            hidden.relu_()
        else:
            zero = product.new_zeros(())
            for run, limit in zip(hidden, dropout.limits(hidden), strict=True):
                run.clamp_(zero, limit)
        ctx.mark_dirty(product)
        ctx.save_for_backward(product)
        ctx.shape = hidden.shape
        return product

    @staticmethod
    def backward(ctx, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        (output,) = ctx.saved_tensors
        # Not in place: the slope may belong to someone else.
        slope = torch.ops.aten.threshold_backward(slopes[0], output, 0)
        return slope, slope.view(ctx.shape).sum(2, keepdim=True), None
