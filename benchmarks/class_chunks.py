"""Cross-entropy of a linear layer in chunks of classes: the design that was not taken.

No row's logits are whole at any time, so that they are made twice: a first pass over
the classes finds the normalizer, a second one the gradients. That is four products
where chunks of rows need three. benchmarks/linear.py measures it beside ours.
"""

import torch
from torch import Tensor

WIDTH = 4096
"""Classes at a time: of 512 rows 8 MB of logits."""


def gradients(hidden: Tensor, weight: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    """Mean loss, and its gradients of hidden states and weight."""
    rows, classes = len(hidden), len(weight)
    memory = hidden.new_empty(rows * min(WIDTH, classes))
    each = torch.arange(rows)

    def logits(first: int) -> tuple[Tensor, Tensor]:
        some = weight[first : first + WIDTH]
        z = memory[: rows * len(some)].view(rows, len(some))
        return torch.mm(hidden, some.t(), out=z), some

    def here(first: int, width: int) -> Tensor:
        return each[(target >= first) & (target < first + width)]

    top = hidden.new_full((rows,), -torch.inf)
    mass, own = torch.zeros_like(top), torch.zeros_like(top)
    for first in range(0, classes, WIDTH):
        z, some = logits(first)
        mine = here(first, len(some))
        own[mine] = z[mine, target[mine] - first]
        higher = torch.maximum(top, z.amax(1))
        mass = mass * (top - higher).exp()
        mass += z.sub_(higher[:, None]).exp_().sum(1)
        top = higher
    normalizer = top + mass.log()

    of_hidden, of_weight = torch.zeros_like(hidden), torch.empty_like(weight)
    for first in range(0, classes, WIDTH):
        z, some = logits(first)
        z.sub_(normalizer[:, None]).exp_()
        mine = here(first, len(some))
        z[mine, target[mine] - first] -= 1
        z /= rows
        torch.mm(z.t(), hidden, out=of_weight[first : first + WIDTH])
        of_hidden.addmm_(z, some)
    return (normalizer - own).mean(), of_hidden, of_weight
