"""`Intervals`: edges of bins, and what is known from them alone."""

import copy
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor

from offby._checks import as_numbers, check_increasing, check_tensor
from offby.bins.names import Tails, has_lower_tail, has_upper_tail
from offby.grounds import Circle, Line, settings

IGNORED = -100
"""Index of a number that is missing: `ignore_index` of PyTorch's criteria and ours."""


def check_bins(bins: object) -> None:
    """Refuse what is no grid: edges, a line, or an argument that belongs elsewhere."""
    if not isinstance(bins, Intervals):
        raise TypeError(
            f"bins must be offby.Bins, got {type(bins).__name__}; Bins(edges) makes "
            "them of edges, and they stand behind the numbers that they belong to"
        )


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Intervals:
    """Adjacent intervals: a grid that is already there. `Bins` makes them."""

    edges: Float[Tensor, " edges"]
    tails: Tails
    # Defaults, for files written before there were any.
    wraps: bool = False
    even: bool = False
    """Whether all bins are of one width, but for rounding."""

    def __init__(
        self,
        edges: Tensor | ArrayLike,
        *,
        tails: Tails = "none",
        wraps: bool = False,
    ) -> None:
        checked = as_numbers("edges", edges)
        object.__setattr__(self, "edges", checked)
        object.__setattr__(self, "tails", tails)
        object.__setattr__(self, "wraps", bool(wraps))
        check_increasing("edges", checked, at_least=2)
        object.__setattr__(self, "even", _are_even(checked))
        if tails not in get_args(Tails):
            names = ", ".join(f'"{name}"' for name in get_args(Tails))
            raise ValueError(f"tails must be one of {names}, got {tails!r}")
        if tails == "half-normal" and len(checked) < 3:
            raise ValueError(
                "half-normal tails need a bin on either side, got one bin in all"
            )
        if tails != "none" and wraps:
            raise ValueError(
                f"bins on a circle have no ends, got tails={tails!r}; leave it out"
            )

    @property
    def lower_tail(self) -> bool:
        """Whether the first bin reaches to minus infinity."""
        return has_lower_tail(self.tails)

    @property
    def upper_tail(self) -> bool:
        """Whether the last bin reaches to infinity."""
        return has_upper_tail(self.tails)

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1

    @property
    def widths(self) -> Float[Tensor, " bins"]:
        """Width of each bin, in the units of the target."""
        return self.edges.diff()

    @property
    def centers(self) -> Float[Tensor, " bins"]:
        """Midpoint of each bin, in the units of the target."""
        return self.edges[:-1] + self.widths / 2

    def to(self, device: torch.device | str) -> Self:
        """The same bins beside tensors on a device.

        Nothing is checked again: checks would wait for the device, and read numbers
        that the meta device does not have.

        >>> from offby import Bins
        >>> Bins([0, 1, 5]).to("meta").edges.device
        device(type='meta')
        """
        moved = copy.copy(self)
        object.__setattr__(moved, "edges", self.edges.to(device))
        return moved

    def index(self, values: Float[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
        """Bin that holds each value; one beyond the outer edges goes to the end bin.

        On a circle the value is turned into the grid first.

        NaN, a number that is missing, gives -100: the index that PyTorch and the
        criteria of `offby.nn` ignore, and that no function takes for a class.

        >>> from offby import Bins
        >>> bins = Bins.uniform(0, 3, 3)
        >>> bins.index(torch.tensor([-9.0, 1.0, 3.0, torch.nan]))
        tensor([   0,    1,    2, -100])
        """
        check_tensor("values", values)
        edges = self.edges.to(values.device)
        y = self.on_grid(values)
        inner = torch.bucketize(y.contiguous(), edges[1:-1], right=True)
        return inner.where(~y.isnan(), IGNORED)

    @property
    def period(self) -> Float[Tensor, ""]:
        """From the first edge to the last: of bins on a circle, one turn."""
        return self.edges[-1] - self.edges[0]

    def on_grid(self, values: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The values in float64; on a circle, on the turn that the edges are on.

        >>> from offby import Bins
        >>> Bins.periodic(0, 24, 4).on_grid(torch.tensor([25.0, -1.0]))
        tensor([ 1., 23.], dtype=torch.float64)
        """
        # In float64: a float32 number of 1e6 is known to the width of many a bin.
        y = values.double()
        if not self.wraps:
            return y
        low = self.edges[0].to(y.device)
        return low + torch.remainder(y - low, self.period.to(y.device))

    def line(self) -> Line:
        """The bins as classes on a line, each at its center."""
        if self.wraps:
            raise ValueError(
                f"bins on a circle have no line, got {self}; use `bins.circle()`"
            )
        return Line(self.centers)

    def circle(self, distance: Literal["arc", "chord"] = "arc") -> Circle:
        """The bins as classes on a circle, each at its center."""
        if not self.wraps:
            raise ValueError(
                f"bins that do not wrap have no circle, got {self}; use `bins.line()`, "
                "or make them with `Bins.periodic(low, high, n)`"
            )
        return Circle(self.centers, self.period, distance)

    def jitter(self, scale: float, generator: torch.Generator) -> Self:
        """Bins whose inner edges are moved at random and stay in order.

        Args:
            scale: Half-width of the uniform noise on an edge, as a share of the width
                of the narrower of its two bins; 0 to 0.5 (beyond, edges could cross).
            generator: Where the noise comes from.

        >>> from offby import Bins
        >>> moved = Bins.uniform(0, 3, 3).jitter(0.1, torch.Generator().manual_seed(0))
        >>> moved.edges[[0, -1]]
        tensor([0., 3.], dtype=torch.float64)
        """
        if not 0 <= scale <= 0.5:
            raise ValueError(
                f"scale must lie between 0 and 0.5 of a bin width, got {scale:g}; "
                "larger noise would let edges cross"
            )
        room = torch.minimum(self.widths[:-1], self.widths[1:])
        noise = torch.rand(len(room), generator=generator, dtype=torch.float64)
        edges = self.edges.clone()
        # Just under one: two neighbors that both move by half a width must not meet.
        edges[1:-1] += (1 - 1e-9) * scale * room * (2 * noise - 1).to(room.device)
        return type(self)(edges, tails=self.tails, wraps=self.wraps)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a configuration file; `from_dict` reads it.

        >>> from offby import Bins
        >>> Bins([0, 1, 5]).to_dict()
        {'kind': 'Bins', 'edges': [0.0, 1.0, 5.0], 'tails': 'none', 'wraps': False}
        """
        return settings.to_dict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """What `to_dict` gave."""
        return settings.from_dict(cls, saved)

    def __eq__(self, other: object) -> bool:
        return settings.equal(self, other)

    def __hash__(self) -> int:
        return settings.hashed(self)

    def __repr__(self) -> str:
        low, high = self.edges[0], self.edges[-1]
        least, most = self.widths.min(), self.widths.max()
        ends = "" if self.tails == "none" else f", {self.tails} tails"
        ends += ", on a circle" if self.wraps else ""
        return (
            f"{type(self).__name__}({self.n_bins} bins from {low:g} to {high:g}, "
            f"widths {least:g} to {most:g}{ends})"
        )


def _are_even(edges: Tensor) -> bool:
    """Read on the host once, so that no target has to search for its bin."""
    n = len(edges) - 1
    step = (edges[-1] - edges[0]) / n
    exact = edges[0] + step * torch.arange(n + 1, device=edges.device)
    return bool(((edges - exact).abs() <= 1e-12 * step).all())
