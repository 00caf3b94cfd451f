"""Integrals of a histogram's distribution function on both sides of a number."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from offby.bins import Bins
from offby.distribution.half_normal import Beyond, tails_of
from offby.grounds import mass_on_both_sides


@dataclass(frozen=True, eq=False)
class Sides:
    """Every bin of a histogram, cut in two at a number.

    Of most bins one part is empty; so one formula serves them all.
    """

    left: Float[Tensor, "*batch bins"]
    """Width of the part of each bin that lies left of the number."""
    right: Float[Tensor, "*batch bins"]
    """Width of the part that lies right of it."""
    below: tuple[Float[Tensor, "*batch bins"], Float[Tensor, "*batch bins"]]
    """Mass below the start and below the end of each left part."""
    above: tuple[Float[Tensor, "*batch bins"], Float[Tensor, "*batch bins"]]
    """Mass above the start and above the end of each right part."""
    outside: Float[Tensor, "*batch"]
    """Distance of the number from the nearest edge, if nothing lies out there."""
    beyond: tuple[Beyond, ...] = ()
    """What lies beyond the inner edges of the end bins, if they are tails."""

    @classmethod
    def of(
        cls,
        mass: Float[Tensor, "*batch bins"],
        value: Float[Tensor, "*batch"],
        bins: Bins,
    ) -> "Sides":
        """Cut the bins at one number per row."""
        edges, widths = bins.edges.to(mass.device), bins.widths.to(mass.device)
        # In float64: a float32 number of 1e6 is known to the width of many a bin.
        y = value.double()
        share = ((y[..., None] - edges[:-1]) / widths).clamp(0, 1)
        below, above = mass_on_both_sides(mass)
        none = torch.zeros_like(mass[..., :1])
        start, end = torch.cat([none, below], -1), torch.cat([above, none], -1)
        beyond = []
        for tail in tails_of(bins, y):
            # The bin itself has no inside: all of it is in the part beyond.
            kept = torch.arange(len(widths), device=widths.device) != tail.at
            widths = widths * kept
            rest = below[..., -1] if tail.outward > 0 else above[..., 0]
            beyond.append(
                Beyond.at(tail.reach(y), tail.scale, mass[..., tail.at], rest)
            )
        part = share.to(mass.dtype)
        return cls(
            left=(widths * share).to(mass.dtype),
            right=(widths * (1 - share)).to(mass.dtype),
            below=(start, start + mass * part),
            above=(end + mass * (1 - part), end),
            outside=distance_outside(y, bins).to(mass.dtype),
            beyond=tuple(beyond),
        )

    def integral(self) -> Float[Tensor, "*batch"]:
        """Mass on the far side, integrated: the mean distance from the number."""
        (a, c), (b, d) = self.below, self.above
        inside = (self.left * (a + c) + self.right * (b + d)).sum(-1) / 2
        return inside + self.outside + sum(end.integral() for end in self.beyond)

    def integral_of_squares(self) -> Float[Tensor, "*batch"]:
        """Squared mass on the far side, integrated: the CRPS."""
        (a, c), (b, d) = self.below, self.above
        left = self.left * (a * a + a * c + c * c)
        right = self.right * (b * b + b * d + d * d)
        inside = (left + right).sum(-1) / 3
        far = sum(end.integral_of_squares() for end in self.beyond)
        return inside + self.outside + far


def distance_outside(y: Float[Tensor, "*batch"], bins: Bins) -> Float[Tensor, "*batch"]:
    """Distance of numbers from the nearest edge, where no tail reaches."""
    edges = bins.edges.to(y.device)
    # Infinity is infinitely far away, also where there are tails.
    outside = torch.zeros_like(y).masked_fill(y.isinf(), torch.inf)
    if not bins.lower_tail:
        outside = outside + (edges[0] - y).clamp(min=0)
    if not bins.upper_tail:
        outside = outside + (y - edges[-1]).clamp(min=0)
    return outside
