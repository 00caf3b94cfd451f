"""Histograms as `torch.distributions.Distribution`: docs/integrations.md."""

import math
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, constraints, register_kl
from torch.distributions.utils import lazy_property

from offby import decode
from offby._checks import at_least_float32
from offby.bins import Bins
from offby.distribution import BinnedDistribution
from offby.distribution.circular import check_on_a_line
from offby.distribution.half_normal import (
    entropies,
    log_density,
    number_at,
    share_below,
)

__all__ = ["Histogram", "to_torch"]


class Histogram(Distribution):
    """Distributions of numbers whose density is constant inside each bin.

    Bins with half-normal tails have these for their first and last. The numbers are
    those of `BinnedDistribution`, with the methods and shapes of PyTorch: the last axis
    of `probs` or `logits` holds the bins, all before it is `batch_shape`, and
    `event_shape` is (). `log_prob` (in nats), `cdf`, `icdf`, `mean`, `variance` and
    `entropy` are differentiable by the masses. Half precision is computed in float32.

    Draws carry no gradient: there is `sample`, and no `rsample`.

    Args:
        bins: The grid, in the units of the target.
        probs: Mass of each bin; rows are divided by their sum. Either these or logits.
        logits: Raw network output.
        validate_args: Whether values are checked, by default as PyTorch does. A number
            beyond the support is then refused; without, its `log_prob` is -inf.

    Raises:
        ValueError: If both or neither of `probs` and `logits` are given, if they do not
            fit the bins, or if the bins lie on a circle.

    >>> rain = Histogram(Bins([0, 1, 2, 6]), probs=torch.tensor([0.5, 0.25, 0.25]))
    >>> rain.mean, rain.cdf(torch.tensor(2.0)), rain.icdf(torch.tensor(0.5))
    (tensor(1.6250), tensor(0.7500), tensor(1.))
    >>> rain.log_prob(torch.tensor(4.0)).exp()
    tensor(0.0625)
    """

    has_rsample = False

    def __init__(
        self,
        bins: Bins,
        probs: Float[Tensor, "*batch bins"] | None = None,
        logits: Float[Tensor, "*batch bins"] | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if (probs is None) == (logits is None):
            given = "neither" if probs is None else "both"
            raise ValueError(f"give either probs or logits, got {given} of them")
        check_on_a_line("Histogram", bins)
        name, masses = ("probs", probs) if logits is None else ("logits", logits)
        masses = at_least_float32(torch.as_tensor(masses))
        if masses.ndim == 0 or masses.shape[-1] != bins.n_bins:
            raise ValueError(
                f"{name} must have {bins.n_bins} bins on their last axis, as the grid "
                f"has, got shape {tuple(masses.shape)}"
            )
        if name == "probs":
            masses = masses / masses.sum(-1, keepdim=True)
        else:
            masses = masses.log_softmax(-1)
        vars(self)[name] = masses  # where a lazy property keeps what it has found
        self.bins = bins.to(masses.device)
        super().__init__(masses.shape[:-1], validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """What PyTorch checks of the arguments."""
        return {"probs": constraints.simplex, "logits": constraints.real_vector}

    @lazy_property
    def probs(self) -> Float[Tensor, "*batch bins"]:
        """Mass of each bin."""
        return self.logits.exp()

    @lazy_property
    def logits(self) -> Float[Tensor, "*batch bins"]:
        """Log of the mass of each bin."""
        # Twice "where": the gradient of the log of 0 is NaN, also times 0.
        here = self.probs > 0
        return self.probs.where(here, 1.0).log().where(here, -math.inf)

    @property
    def support(self) -> Any:
        """Between the first and the last edge; a tail reaches to infinity."""
        low, high = self._ends()
        if self.bins.lower_tail and self.bins.upper_tail:
            return constraints.real
        if self.bins.upper_tail:
            return constraints.greater_than_eq(low)
        if self.bins.lower_tail:
            return constraints.interval(-math.inf, high)
        return constraints.interval(low, high)

    @property
    def mean(self) -> Float[Tensor, "*batch"]:
        """Expected value, in the units of the target."""
        return decode.mean(self.probs, self.bins, of="probs")

    @property
    def mode(self) -> Float[Tensor, "*batch"]:
        """Center of the densest bin; of a tail, its inner edge."""
        return decode.mode(self.probs, self.bins, of="probs")

    @property
    def variance(self) -> Float[Tensor, "*batch"]:
        """Variance, within bins included, in squared units of the target."""
        return decode.variance(self.probs, self.bins, of="probs")

    def entropy(self) -> Float[Tensor, "*batch"]:
        """Differential entropy, in nats."""
        within = entropies(self.bins).to(self.probs)
        finite = self.logits.where(self.logits > -math.inf, 0.0)
        return self.probs @ within - (self.probs * finite).sum(-1)

    def log_prob(self, value: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Log of the density, in nats per unit of the target."""
        number, at = self._located(value)
        inside = log_density(number, at, self.bins).where(~number.isnan(), math.nan)
        return _pick(self.logits, at) + inside.to(self.logits.dtype)

    def cdf(self, value: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Mass below a number."""
        number, at = self._located(value)
        reached = _reached(self.probs)
        start, end = _pick(reached, at), _pick(reached, at + 1)
        return start + (end - start) * share_below(number, at, self.bins).to(start)

    def icdf(self, value: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The number with a given mass below it: the inverse of `cdf`.

        Of an interval without mass it is the lower end.

        Raises:
            ValueError: If there are levels beyond 0 and 1 and arguments are validated.
        """
        if self._validate_args and not bool(((value >= 0) & (value <= 1)).all()):
            raise ValueError(
                "value must hold probabilities between 0 and 1, got "
                f"{value.min():g} to {value.max():g}"
            )
        return self._number_at(value, self.probs)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Independent draws, in the units of the target; they carry no gradient."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            # In float64: float32 levels are too coarse for far tails, and 0 among them
            # often enough to draw minus infinity.
            p = self.probs.double()
            level = torch.rand(shape, dtype=p.dtype, device=p.device)
            tiny = torch.finfo(p.dtype).tiny
            number = self._number_at(level.clamp(min=tiny), p).to(self.probs.dtype)
            low, high = self._ends()
            # Rounding to float32 must not lead beyond the support.
            number = number if self.bins.lower_tail else number.clamp(min=low)
            return number if self.bins.upper_tail else number.clamp(max=high)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "Histogram":
        """The same distributions with a larger batch shape, as views."""
        new = cast(Histogram, self._get_checked_instance(Histogram, _instance))
        shape = torch.Size(batch_shape)
        new.bins = self.bins
        for name in ("probs", "logits"):
            if name in self.__dict__:
                masses = getattr(self, name)
                setattr(new, name, masses.expand(*shape, self.bins.n_bins))
        Distribution.__init__(new, shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        return f"Histogram(batch {tuple(self.batch_shape)}, {self.bins})"

    def _ends(self) -> tuple[Tensor, Tensor]:
        """The outermost numbers of the precision in use within the outer edges."""
        low, high = self.bins.edges[[0, -1]].unbind()
        first, last = low.to(self.probs.dtype), high.to(self.probs.dtype)
        up, down = first.new_tensor(math.inf), first.new_tensor(-math.inf)
        first = torch.where(first.double() < low, first.nextafter(up), first)
        return first, torch.where(last.double() > high, last.nextafter(down), last)

    def _located(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers in float64, one for each distribution, and the bins they are in."""
        if self._validate_args:
            self._validate_sample(value)
        shape = torch.broadcast_shapes(value.shape, self.batch_shape)
        number = self.bins.on_grid(value).expand(shape)
        # NaN has no bin; any will do.
        return number, self.bins.index(number).clamp(min=0)

    def _number_at(self, level: Tensor, probs: Tensor) -> Tensor:
        shape = torch.broadcast_shapes(level.shape, self.batch_shape)
        level = level.expand(shape).to(probs.dtype)
        reached = _reached(probs)
        # Bins without mass before the first with mass are no part of the support.
        wanted = level.detach().clamp(min=torch.finfo(probs.dtype).tiny)
        ends = reached[..., 1:].detach().expand(*shape, -1).contiguous()
        at = torch.searchsorted(ends, wanted[..., None])[..., 0]
        at = at.clamp(max=self.bins.n_bins - 1)
        start, end = _pick(reached, at), _pick(reached, at + 1)
        mass = end - start
        share = (level - start) / mass.where(mass > 0, 1.0)
        number = number_at(share.clamp(0, 1).double(), at, self.bins)
        return number.to(probs.dtype)


def to_torch(
    distribution: BinnedDistribution, validate_args: bool | None = None
) -> Histogram:
    """A forecast as `torch.distributions.Distribution`, in its precision.

    Args:
        distribution: Such as `BinnedRegressor.predict_dist` gives.
        validate_args: That of `Histogram`.

    Raises:
        TypeError: If it is something else.

    >>> forecast = BinnedDistribution([[0.5, 0.5], [0.0, 1.0]], Bins([0, 1, 3]))
    >>> to_torch(forecast).mean
    tensor([1.2500, 2.0000], dtype=torch.float64)
    """
    if not isinstance(distribution, BinnedDistribution):
        raise TypeError(
            "distribution must be a BinnedDistribution, got a "
            f"{type(distribution).__name__}; logits go to Histogram(bins, logits=...)"
        )
    probs = torch.tensor(distribution.probs)
    return Histogram(distribution.bins, probs, validate_args=validate_args)


@register_kl(Histogram, Histogram)
def _kl(p: Histogram, q: Histogram) -> Tensor:
    if p.bins != q.bins:
        raise NotImplementedError(
            "the divergence of histograms needs the same bins for both, got "
            f"{p.bins} and {q.bins}"
        )
    here = p.probs > 0
    ratio = p.logits.where(here, 0.0) - q.logits.where(here, 0.0)
    return (p.probs * ratio).sum(-1)


def _pick(rows: Tensor, at: Tensor) -> Tensor:
    """One entry of each row."""
    return rows.expand(*at.shape, -1).gather(-1, at[..., None])[..., 0]


def _reached(probs: Tensor) -> Tensor:
    """Mass below each edge; exactly 1 at the last."""
    reached = probs.cumsum(-1)
    return torch.nn.functional.pad(reached / reached[..., -1:], (1, 0))
