"""Heads that ask class by class: go on, or stop here? Page: docs/heads.md."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from offby._checks import at_least_float32
from offby.nn.heads._checks import check_sizes


class CORN(nn.Module):
    r"""The last layer of CORN and CONDOR: is it above class k, if not below it?

    .. math:: P(y > k \mid y \ge k) = \sigma(z_k), \qquad
              p_k = \sigma(-z_k) \prod_{j < k} \sigma(z_j)

    K - 1 outputs with weights of their own: as free as class logits, with the order
    built in. `offby.nn.CrossEntropyLoss` on its log-probabilities is the loss of CORN
    and CONDOR's likelihood, summed over the questions of a row;
    `CumulativeCrossEntropyLoss` is CONDOR's ordinal cross-entropy.

    NOTE[DIFF] CORN's authors divide by the number of questions that were asked, here by
    the number of rows.

    Args:
        in_features: Numbers in a row of the input.
        num_classes: Classes, at least 2.

    References:
        Shi, Cao, Raschka (2023), Deep neural networks for rank-consistent ordinal
        regression based on conditional probabilities, Pattern Anal. Appl. 26,
        doi:10.1007/s10044-023-01181-9.
        Jenkinson et al. (2022), Universally rank consistent ordinal regression in
        neural networks, arXiv:2110.07470.

    >>> head = CORN(3, num_classes=3)
    >>> head(torch.randn(5, 7, 3)).exp().sum(-1).allclose(torch.ones(5, 7))
    True
    """

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        check_sizes(in_features, num_classes)
        self.in_features, self.num_classes = in_features, num_classes
        self.linear = nn.Linear(in_features, num_classes - 1)
        _begin_even(self.linear, num_classes, 1.0)

    def forward(
        self, input: Float[Tensor, "*batch features"]
    ) -> Float[Tensor, "*batch classes"]:
        """Log-probabilities of the classes, on the last axis."""
        return one_after_the_other(at_least_float32(self.linear(input)))

    def extra_repr(self) -> str:
        """Its settings, as `print` shows them."""
        return f"{self.in_features}, num_classes={self.num_classes}"


class StickBreaking(nn.Module):
    r"""Stick breaking: each class takes its share of what the classes before left.

    .. math:: p_k = \sigma(z_k) \prod_{j < k} \sigma(-z_j)

    The same distributions as `CORN`, with the sign of the logits turned.

    NOTE[DIFF] the last class takes the whole rest, so that the masses sum to 1 without
    a softmax, and no share is clamped.

    Args:
        in_features: Numbers in a row of the input.
        num_classes: Classes, at least 2.

    References:
        Linderman, Johnson, Adams (2015), Dependent multinomial models made easy:
        stick breaking with the Pólya-gamma augmentation, arXiv:1506.05843.

    >>> StickBreaking(2, num_classes=4)(torch.zeros(2)).exp().round(decimals=4).detach()
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        check_sizes(in_features, num_classes)
        self.in_features, self.num_classes = in_features, num_classes
        self.linear = nn.Linear(in_features, num_classes - 1)
        _begin_even(self.linear, num_classes, -1.0)

    def forward(
        self, input: Float[Tensor, "*batch features"]
    ) -> Float[Tensor, "*batch classes"]:
        """Log-probabilities of the classes, on the last axis."""
        return one_after_the_other(-at_least_float32(self.linear(input)))

    def extra_repr(self) -> str:
        """Its settings, as `print` shows them."""
        return f"{self.in_features}, num_classes={self.num_classes}"


def one_after_the_other(
    go_on: Float[Tensor, "*batch questions"],
) -> Float[Tensor, "*batch classes"]:
    """Log-probabilities from the logits of "go on" at each class but the last."""
    reached = logsigmoid(go_on).cumsum(-1)
    reached = torch.nn.functional.pad(reached, (1, 0))
    stop = torch.nn.functional.pad(logsigmoid(-go_on), (0, 1))
    return reached + stop


def _begin_even(linear: nn.Linear, num_classes: int, sign: float) -> None:
    """Biases under which all classes are alike: of n that are left, n - 1 go on."""
    left = torch.arange(num_classes, 1, -1)
    with torch.no_grad():
        linear.bias.copy_(sign * torch.log(left - 1.0))
