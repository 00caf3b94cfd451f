"""Cuts: splits of the classes in two. Theory: docs/maths/grounds.md."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def mass_on_both_sides(
    mass: Float[Tensor, "*batch classes"],
) -> tuple[Float[Tensor, "*batch cuts"], Float[Tensor, "*batch cuts"]]:
    """Mass below and above each cut between neighboring classes of a line.

    Both are sums of their own side: 1 minus the other would lose every digit of a
    small tail to cancellation, and with it the gradient of a nearly right prediction.
    """
    below = mass.cumsum(-1)[..., :-1]
    above = mass.flip(-1).cumsum(-1).flip(-1)[..., 1:]
    return below, above


@dataclass(frozen=True, eq=False)
class Cuts:
    r"""Splits of the classes in two whose weights add up to the distance.

    .. math:: d(i, j) = \sum_e w_e \, \mathbf 1[i \in e, j \notin e
              \text{ or } i \notin e, j \in e]

    The edges of a tree are such cuts, and the diameters of a circle. With the classes
    well ordered one side of every cut is a run of neighbors, so that its mass is the
    difference of two cumulative sums: no loss on them needs a K x K matrix.
    """

    order: Int[Tensor, " classes"]
    """The classes, in the order in which the runs are runs."""
    start: Int[Tensor, " cuts"]
    """Rank of the first class of each run."""
    end: Int[Tensor, " cuts"]
    """One more than the rank of its last class."""
    weights: Float[Tensor, " cuts"]
    """Length of each cut, in the units of the ground."""

    def on(self, like: Tensor) -> "Cuts":
        """The same cuts, beside a tensor and with weights of its dtype."""
        at = like.device
        return Cuts(
            self.order.to(at), self.start.to(at), self.end.to(at), self.weights.to(like)
        )

    def rank(self, index: Int[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
        """Place of a class in the order."""
        # Not [index]: under vmap a single index would be read on the host.
        return self.order.argsort().to(index.device)[index[..., None]].squeeze(-1)

    def hold(self, index: Int[Tensor, "*batch"]) -> Bool[Tensor, "*batch cuts"]:
        """Which runs a class belongs to."""
        rank = self.rank(index)[..., None]
        return (self.start <= rank) & (rank < self.end)

    def inside(
        self, mass: Float[Tensor, "*batch classes"]
    ) -> Float[Tensor, "*batch cuts"]:
        """Mass of each run: a difference of two sums, exact to eps of all the mass."""
        sums = _sums(mass[..., self.order])
        return sums[..., self.end] - sums[..., self.start]

    def outside(
        self, mass: Float[Tensor, "*batch classes"]
    ) -> Float[Tensor, "*batch cuts"]:
        """Mass beside each run: before and after it, with nothing subtracted."""
        sorted_mass = mass[..., self.order]
        before = _sums(sorted_mass)[..., self.start]
        after = _sums(sorted_mass.flip(-1)).flip(-1)[..., self.end]
        return before + after

    def distance_from(
        self, index: Int[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch classes"]:
        """Distance of every class from one class per row: the cuts between them."""
        holds = self.hold(index)
        # Leaving a run that holds the class costs its weight, entering another as well.
        shared = self.weights * holds
        steps = self.weights - 2 * shared
        jumps = steps.new_zeros((*index.shape, len(self.order) + 1))
        jumps = jumps.index_add(-1, self.start, steps).index_add(-1, self.end, -steps)
        ranked = shared.sum(-1, keepdim=True) + jumps.cumsum(-1)[..., :-1]
        found = ranked[..., self.order.argsort()].clamp(min=0.0)
        # Rounding must not part a class from itself.
        itself = torch.arange(len(self.order), device=index.device) == index[..., None]
        return found.masked_fill(itself, 0.0)


def _sums(mass: Tensor) -> Tensor:
    """Mass before each rank, and all of it at the end."""
    return torch.cat([torch.zeros_like(mass[..., :1]), mass.cumsum(-1)], -1)
