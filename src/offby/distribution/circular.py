"""Bins on a circle: their mean, and what only bins on a line have."""

import torch
from jaxtyping import Float
from torch import Tensor

from offby.bins import Bins


def mean_direction(
    probs: Float[Tensor, "*batch bins"], bins: Bins
) -> Float[Tensor, "*batch"]:
    """Direction of the mean point of the mass on the circle, as a number on the grid.

    Exact for mass that is spread evenly over each bin: the mean point of an arc lies
    inside the circle, the further the longer the arc. Where the points cancel, no
    direction is better than another: the result is then any.

    References:
        Mardia, Jupp (2000), Directional statistics, section 2.2,
        doi:10.1002/9780470316979.
    """
    edges = bins.edges.to(probs.device)
    turn = 2 * torch.pi / (edges[-1] - edges[0])
    angle = (edges[:-1] + edges.diff() / 2 - edges[0]) * turn
    # torch.sinc(x) is sin(pi x) / (pi x).
    inward = torch.sinc(edges.diff() * turn / (2 * torch.pi))
    p = probs.double()
    sine, cosine = p @ (inward * angle.sin()), p @ (inward * angle.cos())
    # Not on_grid: it would turn what rounding leaves below the first edge to the last.
    return edges[0] + torch.remainder(torch.atan2(sine, cosine), 2 * torch.pi) / turn


def check_on_a_line(what: str, bins: Bins) -> None:
    """Refuse what needs a first and a last number."""
    if bins.wraps:
        raise ValueError(
            f"{what} needs bins on a line, got {bins}: on a circle no number is the "
            "lowest; the mean, the mode, the density, the mass between two numbers and "
            "the CRPS are known there"
        )
