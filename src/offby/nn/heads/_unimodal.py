"""Heads whose classes have one peak, and fall off from it. Page: docs/heads.md."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from offby._checks import at_least_float32
from offby.nn.heads._checks import check_sizes


class Binomial(nn.Module):
    r"""Classes as the number of successes in K - 1 trials: a single number per row.

    .. math:: p_k = \binom{K - 1}{k} \sigma(s)^k \sigma(-s)^{K - 1 - k}

    One peak, and the spread goes with its place: widest in the middle. With a learned
    temperature, a single number for all rows, the log-probabilities are divided by it.

    Args:
        in_features: Numbers in a row of the input.
        num_classes: Classes, at least 2.
        learn_temperature: Whether to learn how wide the peaks are.

    References:
        Beckham, Pal (2017), Unimodal probability distributions for deep ordinal
        classification, arXiv:1705.05278.

    >>> Binomial(2, num_classes=3)(torch.zeros(2)).exp().round(decimals=2).shape
    torch.Size([3])
    """

    def __init__(
        self, in_features: int, num_classes: int, *, learn_temperature: bool = False
    ) -> None:
        super().__init__()
        check_sizes(in_features, num_classes)
        self.in_features, self.num_classes = in_features, num_classes
        self.score = nn.Linear(in_features, 1)
        self.log_temperature = _temperature(learn_temperature)

    def forward(
        self, input: Float[Tensor, "*batch features"]
    ) -> Float[Tensor, "*batch classes"]:
        """Log-probabilities of the classes, on the last axis."""
        score = at_least_float32(self.score(input))
        n = self.num_classes - 1
        k = torch.arange(n + 1, dtype=score.dtype, device=score.device)
        ways = _log_factorial(k[-1]) - _log_factorial(k) - _log_factorial(n - k)
        log_p = ways + k * logsigmoid(score) + (n - k) * logsigmoid(-score)
        return _sharpened(log_p, self.log_temperature)

    def extra_repr(self) -> str:
        """Its settings, as `print` shows them."""
        return f"{self.in_features}, num_classes={self.num_classes}"


class Poisson(nn.Module):
    r"""Classes as counts, cut off after the last: a single number per row.

    .. math:: p_k \propto \frac{\lambda^k}{k!}, \qquad \lambda = e^s

    One peak; higher classes are wider ones. See `Binomial` for the temperature.

    NOTE[DIFF] the rate is the exponential of the score, not its softplus: the
    log-probabilities are then linear in the score, and no rate is clamped.

    Args:
        in_features: Numbers in a row of the input.
        num_classes: Classes, at least 2.
        learn_temperature: Whether to learn how wide the peaks are.

    References:
        Beckham, Pal (2017), Unimodal probability distributions for deep ordinal
        classification, arXiv:1705.05278.

    >>> Poisson(2, num_classes=3)(torch.zeros(2)).exp().round(decimals=2).shape
    torch.Size([3])
    """

    def __init__(
        self, in_features: int, num_classes: int, *, learn_temperature: bool = False
    ) -> None:
        super().__init__()
        check_sizes(in_features, num_classes)
        self.in_features, self.num_classes = in_features, num_classes
        self.score = nn.Linear(in_features, 1)
        self.log_temperature = _temperature(learn_temperature)
        nn.init.constant_(self.score.bias, torch.tensor(num_classes / 2).log().item())

    def forward(
        self, input: Float[Tensor, "*batch features"]
    ) -> Float[Tensor, "*batch classes"]:
        """Log-probabilities of the classes, on the last axis."""
        score = at_least_float32(self.score(input))
        k = torch.arange(self.num_classes, dtype=score.dtype, device=score.device)
        log_p = (k * score - _log_factorial(k)).log_softmax(-1)
        return _sharpened(log_p, self.log_temperature)

    def extra_repr(self) -> str:
        """Its settings, as `print` shows them."""
        return f"{self.in_features}, num_classes={self.num_classes}"


class Unimodal(nn.Module):
    r"""Any distribution with one peak: class logits that first rise and then fall.

    .. math:: z_k = -|r_k|, \qquad r_k = u_0 + \sum_{j = 1}^{k} |u_j|

    K outputs, of which all but the first are steps upward: r crosses zero at most once,
    and the class nearest to the crossing is the peak. Free in its width and its slopes,
    unlike `Binomial`.

    Args:
        in_features: Numbers in a row of the input.
        num_classes: Classes, at least 2.

    References:
        Dey, Merugu, Kaveri (2023), Conformal prediction sets for ordinal
        classification, NeurIPS 36 (the layer is called COPOC).

    >>> log_p = Unimodal(2, num_classes=6)(torch.randn(9, 2))
    >>> falls = log_p.diff().sign().diff()  # The sign turns at most once, downward.
    >>> bool((falls <= 0).all())
    True
    """

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        check_sizes(in_features, num_classes)
        self.in_features, self.num_classes = in_features, num_classes
        self.linear = nn.Linear(in_features, num_classes)
        # The peak begins in the middle, and each step is one logit high.
        nn.init.ones_(self.linear.bias)
        nn.init.constant_(self.linear.bias[:1], -(num_classes - 1) / 2)

    def forward(
        self, input: Float[Tensor, "*batch features"]
    ) -> Float[Tensor, "*batch classes"]:
        """Log-probabilities of the classes, on the last axis."""
        u = at_least_float32(self.linear(input))
        # Near the peak the steps cancel the start: what is left must not be rounding.
        steps = torch.cat([u[..., :1], u[..., 1:].abs()], -1).double()
        return (-steps.cumsum(-1).abs()).log_softmax(-1).to(u.dtype)

    def extra_repr(self) -> str:
        """Its settings, as `print` shows them."""
        return f"{self.in_features}, num_classes={self.num_classes}"


def _temperature(learn: bool) -> nn.Parameter | None:
    return nn.Parameter(torch.zeros(())) if learn else None


def _sharpened(log_p: Tensor, log_temperature: Tensor | None) -> Tensor:
    if log_temperature is None:
        return log_p
    return (log_p * (-log_temperature).exp()).log_softmax(-1)


def _log_factorial(k: Tensor) -> Tensor:
    return torch.lgamma(k + 1)
