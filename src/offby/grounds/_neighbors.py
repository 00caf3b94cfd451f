"""Which classes lie next to each other."""

import torch
from jaxtyping import Bool
from torch import Tensor

from offby.grounds._circle import Circle
from offby.grounds._ground import Ground
from offby.grounds._line import Line


def neighbors(ground: Ground) -> Bool[Tensor, "classes classes"]:
    """Whether class j (column) is a neighbor of class i (row).

    On a line and a circle the neighbors are the next classes on both sides, however far
    they are; on a tree, and under any costs, they are the nearest ones. So a class may
    be the nearest one of another whose own nearest class is a third one.

    >>> from offby import Circle
    >>> neighbors(Circle([0, 6, 12, 18], 24)).int()
    tensor([[0, 1, 0, 1],
            [1, 0, 1, 0],
            [0, 1, 0, 1],
            [1, 0, 1, 0]], dtype=torch.int32)
    """
    n = ground.n_classes
    index = torch.arange(n)
    if isinstance(ground, Line | Circle):
        apart = (index[:, None] - index).abs()
        if isinstance(ground, Circle):
            apart = torch.minimum(apart, n - apart)
        return apart == 1
    cost = ground.cost.cpu()
    # What costs nothing may still be another class; only the class itself is left out.
    away = cost.T.masked_fill(torch.eye(n, dtype=torch.bool), torch.inf)
    nearest = away.min(-1, keepdim=True).values
    # Lengths of ways on a tree are sums, which rounding must not tell apart.
    return away <= nearest * (1 + 1e-9)
