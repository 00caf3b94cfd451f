"""Bins by themselves: uniform inside, or half of a normal distribution at the ends."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from offby.bins import Bins

_MEDIAN = 0.6744897501960817
"""Median of the half-normal distribution of scale 1."""
_ROOT_PI = math.sqrt(math.pi)
_ROOT_2_OVER_PI = math.sqrt(2 / math.pi)


@dataclass(frozen=True, eq=False)
class Tail:
    """An end bin that reaches to infinity: half of a normal distribution."""

    at: int
    """Which bin it is."""
    start: Float[Tensor, ""]
    """Its inner edge, where it is densest."""
    scale: Float[Tensor, ""]
    """Standard deviation of the whole normal distribution."""
    outward: int
    """1 if it reaches upward, -1 if downward."""

    def reach(self, value: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """How far beyond the inner edge numbers lie; negative on the other side."""
        return self.outward * (value - self.start)


def tails_of(bins: Bins, like: Tensor | None = None) -> list[Tail]:
    """The bins that are tails, on the device of a tensor if there is one."""
    device = bins.edges.device if like is None else like.device
    edges, widths = bins.edges.to(device), bins.widths.to(device)
    found = []
    if bins.lower_tail:
        found.append(Tail(0, edges[1], widths[0] / _MEDIAN, -1))
    if bins.upper_tail:
        found.append(Tail(bins.n_bins - 1, edges[-2], widths[-1] / _MEDIAN, 1))
    return found


def log_density(
    value: Float[Tensor, "*batch"], index: Int[Tensor, "*batch"], bins: Bins
) -> Float[Tensor, "*batch"]:
    """Log density that a bin's own distribution has at a number, in float64."""
    edges, widths = bins.edges.to(value.device), bins.widths.to(value.device)
    y = bins.on_grid(value)
    # Not [index]: under vmap a single index would be read on the host.
    inside = -widths.log()[index[..., None]].squeeze(-1)
    if not bins.lower_tail:
        inside = inside.masked_fill(y < edges[0], -torch.inf)
    if not bins.upper_tail:
        inside = inside.masked_fill(y > edges[-1], -torch.inf)
    for tail in tails_of(bins, y):
        peak = math.log(2 / math.pi) / 2 - tail.scale.log()
        out = peak - (tail.reach(y) / tail.scale).square() / 2
        inside = torch.where(index == tail.at, out, inside)
    return inside


def share_below(
    value: Float[Tensor, "*batch"], index: Int[Tensor, "*batch"], bins: Bins
) -> Float[Tensor, "*batch"]:
    """Share of its mass that a bin has below a number."""
    share = ((value - bins.edges[index]) / bins.widths[index]).clamp(0, 1)
    for tail in tails_of(bins):
        z = tail.reach(value).clamp(min=0) / (tail.scale * math.sqrt(2))
        below = torch.erf(z) if tail.outward > 0 else torch.erfc(z)
        share = torch.where(index == tail.at, below, share)
    return share


def number_at(
    share: Float[Tensor, "*batch"], index: Int[Tensor, "*batch"], bins: Bins
) -> Float[Tensor, "*batch"]:
    """The number below which a bin has a share of its mass."""
    number = bins.edges[index] + bins.widths[index] * share
    for tail in tails_of(bins):
        # The normal quantile of half the smaller side: 1 - share would lose its digits.
        rest = 1 - share if tail.outward > 0 else share
        out = tail.start - tail.outward * tail.scale * torch.special.ndtri(rest / 2)
        number = torch.where(index == tail.at, out, number)
    return number


def moments(bins: Bins) -> tuple[Float[Tensor, " bins"], Float[Tensor, " bins"]]:
    """Mean and variance of each bin's own distribution."""
    means, variances = bins.centers.clone(), bins.widths.square() / 12
    for tail in tails_of(bins):
        means[tail.at] = tail.start + tail.outward * tail.scale * _ROOT_2_OVER_PI
        variances[tail.at] = tail.scale.square() * (1 - 2 / math.pi)
    return means, variances


def densest(bins: Bins) -> tuple[Float[Tensor, " bins"], Float[Tensor, " bins"]]:
    """Where each bin by itself is densest (its center if all over), and how dense."""
    places = bins.centers.clone()
    for tail in tails_of(bins):
        places[tail.at] = tail.start
    index = torch.arange(bins.n_bins, device=places.device)
    return places, log_density(places, index, bins).exp()


@dataclass(frozen=True, eq=False)
class Beyond:
    r"""All that lies beyond the inner edge of an end bin that is a half-normal tail.

    With G the distribution function of the tail, seen from that edge:
    """

    mass: Float[Tensor, "*batch"]
    """Mass of the tail."""
    rest: Float[Tensor, "*batch"]
    """Mass of all other bins."""
    reach: Float[Tensor, "*batch"]
    """How far beyond the edge the number lies, d; 0 if on the other side of it."""
    near: tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]
    r""":math:`\int_0^d G` and :math:`\int_0^d G^2`."""
    far: tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]
    r""":math:`\int_d^\infty (1 - G)` and :math:`\int_d^\infty (1 - G)^2`."""

    @classmethod
    def at(cls, out: Tensor, scale: Tensor, mass: Tensor, rest: Tensor) -> "Beyond":
        """The integrals for numbers that far out, in float64, in the dtype of mass."""
        # Infinity is accounted for elsewhere; here it would meet zeros.
        reach = out.clamp(min=0).masked_fill(out.isinf(), 0.0)
        unit = scale * math.sqrt(2)
        z = reach / unit
        bell, inner, outer = (-z * z).exp() / _ROOT_PI, z.erf(), z.erfc()
        wide = math.sqrt(2) * z
        near = z * inner + bell - 1 / _ROOT_PI
        near_squared = z * inner**2 + 2 * bell * inner - wide.erf() * _ROOT_2_OVER_PI
        far = bell - z * outer
        far_squared = 2 * bell * outer - z * outer**2 - wide.erfc() * _ROOT_2_OVER_PI
        # Where there is next to nothing left, rounding may leave less than nothing.
        n, nn, f, ff = (
            (unit * part.clamp(min=0)).to(mass.dtype)
            for part in (near, near_squared, far, far_squared)
        )
        return cls(mass, rest, reach.to(mass.dtype), (n, nn), (f, ff))

    def integral(self) -> Float[Tensor, "*batch"]:
        """Mass on the far side of the number, integrated."""
        return self.rest * self.reach + self.mass * (self.near[0] + self.far[0])

    def integral_of_squares(self) -> Float[Tensor, "*batch"]:
        """Squared mass on the far side of the number, integrated."""
        rest, mass, (once, twice) = self.rest, self.mass, self.near
        near = rest * rest * self.reach + 2 * rest * mass * once + mass * mass * twice
        return near + mass * mass * self.far[1]


def entropies(bins: Bins) -> Float[Tensor, " bins"]:
    """Differential entropy of each bin's own distribution, in nats."""
    found = bins.widths.log()
    for tail in tails_of(bins):
        found[tail.at] = (math.pi / 2 * tail.scale.square()).log() / 2 + 0.5
    return found
