"""Log-probabilities of classes between thresholds, for three links.

A class between the thresholds a < b has the mass F(b) - F(a). Taken as written, the
difference is zero far from both, and its logarithm has no slope left. Each link has a
form in which nothing cancels; all take the gap b - a by itself, since a and b agree in
all of their digits where the score is large.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

Link = Literal["logit", "probit", "cloglog"]

Classes = Callable[
    [Float[Tensor, "*batch cuts"], Float[Tensor, " gaps"]],
    Float[Tensor, "*batch classes"],
]


def logit(z: Tensor, raw_gaps: Tensor) -> Tensor:
    """Log masses of the classes under the logistic distribution.

    F(b) - F(a) = F(b) (1 - F(a)) (1 - e^-(b - a)), and of a gap that is the softplus of
    r the last factor is sigmoid(r).
    """
    below, above = logsigmoid(z), logsigmoid(-z)
    between = below[..., 1:] + above[..., :-1] + logsigmoid(raw_gaps)
    return torch.cat([below[..., :1], between, above[..., -1:]], -1)


def probit(z: Tensor, raw_gaps: Tensor) -> Tensor:
    """Log masses of the classes under the normal distribution."""
    gaps = torch.nn.functional.softplus(raw_gaps)
    between = _log_normal_mass(z[..., :-1], z[..., 1:], gaps)
    ends = _log_normal_below(z[..., :1]), _log_normal_below(-z[..., -1:])
    return torch.cat([ends[0], between, ends[1]], -1)


def cloglog(z: Tensor, raw_gaps: Tensor) -> Tensor:
    """Log masses of the classes under F(z) = 1 - exp(-e^z).

    F(b) - F(a) = exp(-e^a) (1 - exp(-e^a (e^(b - a) - 1))), and of a gap that is the
    softplus of r, e^gap - 1 = e^r.
    """
    above = -_steep(z)
    between = above[..., :-1] + _log_of_at_most(z[..., :-1] + raw_gaps)
    return torch.cat([_log_of_at_most(z[..., :1]), between, above[..., -1:]], -1)


LINKS: dict[Link, Classes] = {"logit": logit, "probit": probit, "cloglog": cloglog}
"""From thresholds minus score, and the gaps before the softplus, to log masses."""

QUANTILES: dict[Link, Callable[[Tensor], Tensor]] = {
    "logit": torch.logit,
    "probit": torch.special.ndtri,
    "cloglog": lambda share: torch.log(-torch.log1p(-share)),
}
"""The thresholds below which a share of the mass lies, at the score 0."""


def _log_normal_mass(a: Tensor, b: Tensor, gap: Tensor) -> Tensor:
    """log(Phi(b) - Phi(a)) of b = a + gap, in the tail or around zero."""
    # The mass is the same on either side of zero: look at the lower one.
    up = a + b > 0
    a, b = torch.where(up, -b, a), torch.where(up, -a, b)
    around = b > 0
    # Both branches are computed; the one that is not meant gets harmless numbers.
    low, high = a.where(~around, -2.0), b.where(~around, -1.0)
    space = torch.where(around, torch.ones_like(a), gap)
    # log Phi(high) - log Phi(low), its squares subtracted as (high - low)(high + low).
    ratio = torch.special.erfcx(-high * _ROOT).log()
    ratio = ratio - torch.special.erfcx(-low * _ROOT).log()
    ratio = ratio - space * (low + high) / 2
    # A gap of nothing has no mass, and no slope either.
    ratio = ratio.clamp(min=torch.finfo(ratio.dtype).tiny)
    in_tail = _log_normal_below(high) + torch.log(-torch.expm1(-ratio))
    # On two sides of zero the two parts add up, and nothing cancels.
    low, high = a.where(around, -1.0), b.where(around, 1.0)
    inside = ((high * _ROOT).erf() + (-low * _ROOT).erf()) / 2
    return torch.where(around, inside.log(), in_tail)


_ROOT = math.sqrt(0.5)


def _log_normal_below(z: Tensor) -> Tensor:
    """log Phi(z). The slope of torch.special.log_ndtr is wrong below -1000 in float32.

    (PyTorch 2.13 gives 65,000 for it at -10,000, and 0.4 at -100,000.)
    """
    right = z > 0
    low, high = z.where(~right, 0.0), z.where(right, 0.0)
    in_tail = torch.special.erfcx(-low * _ROOT).log() - math.log(2) - low.square() / 2
    return torch.where(right, torch.log1p(-(high * _ROOT).erfc() / 2), in_tail)


_STRAIGHT = 40.0


def _steep(z: Tensor) -> Tensor:
    """e^z, continued as a straight line above 40, where it is 2e17.

    float32 ends at e^88; an infinite loss would have no slope.
    """
    bent = z.clamp(max=_STRAIGHT)
    return bent.exp() * (1 + z - bent)


def _log_of_at_most(z: Tensor) -> Tensor:
    """log(1 - exp(-e^z)); far below zero it is z, though e^z is zero in float32."""
    low = z < -20
    exact = torch.log(-torch.expm1(-_steep(z.where(~low, 0.0))))
    return torch.where(low, z - z.clamp(max=0.0).exp() / 2, exact)
