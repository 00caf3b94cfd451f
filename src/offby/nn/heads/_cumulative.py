"""Heads with one score and thresholds: the ordered models. Page: docs/heads.md."""

from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

from offby._checks import at_least_float32
from offby.nn.heads._checks import check_sizes
from offby.nn.heads._links import LINKS, QUANTILES, Link


class CumulativeLink(nn.Module):
    r"""The ordered model: one score for each row, and thresholds between the classes.

    .. math:: P(y \le k) = F(\theta_k - w \cdot x)

    with the logistic distribution for F ("logit": the proportional-odds model), the
    normal one ("probit") or the complementary log-log. The thresholds increase by
    construction. In_features + K - 1 numbers are learned, whatever the classes are:
    the right choice where rows are few and one direction orders them.

    The log-probabilities are exact and have a slope at any score, in float32 too: no
    difference of two probabilities is taken.

    NOTE[DIFF] above a threshold minus score of 40, the log-log link goes on as a
    straight line: exp(-e^88) is no number of float32.

    Args:
        in_features: Numbers in a row of the input.
        num_classes: Classes, at least 2.
        link: "logit", "probit" or "cloglog".

    Attributes:
        thresholds: The K - 1 thresholds, increasing.

    References:
        McCullagh (1980), Regression models for ordinal data, J. R. Stat. Soc. B 42.
        Vargas, Gutiérrez, Hervás-Martínez (2020), Cumulative link models for deep
        ordinal classification, Neurocomputing 401, doi:10.1016/j.neucom.2020.03.034.

    >>> head = CumulativeLink(3, num_classes=4)
    >>> head(torch.zeros(2, 3)).exp().detach()
    tensor([[0.2500, 0.2500, 0.2500, 0.2500],
            [0.2500, 0.2500, 0.2500, 0.2500]])
    """

    def __init__(
        self, in_features: int, num_classes: int, link: Link = "logit"
    ) -> None:
        super().__init__()
        check_sizes(in_features, num_classes)
        if link not in get_args(Link):
            raise ValueError(
                f'link must be "logit", "probit" or "cloglog", got {link!r}'
            )
        self.in_features, self.num_classes = in_features, num_classes
        self.link: Link = link
        self.score = nn.Linear(in_features, 1, bias=False)
        # Training begins with classes of equal probability at the score 0.
        shares = torch.arange(1, num_classes, dtype=torch.float64) / num_classes
        thresholds = QUANTILES[link](shares)
        self.first_threshold = nn.Parameter(thresholds[:1].float())
        self.raw_gaps = nn.Parameter(thresholds.diff().expm1().log().float())

    @property
    def thresholds(self) -> Float[Tensor, " cuts"]:
        """Where one class ends and the next begins, on the scale of the score."""
        gaps = softplus(self.raw_gaps)
        return torch.cat([self.first_threshold, self.first_threshold + gaps.cumsum(0)])

    def forward(
        self, input: Float[Tensor, "*batch features"]
    ) -> Float[Tensor, "*batch classes"]:
        """Log-probabilities of the classes, on the last axis."""
        score = at_least_float32(self.score(input))
        raw_gaps = self.raw_gaps.to(score.dtype)
        return LINKS[self.link](self.thresholds.to(score.dtype) - score, raw_gaps)

    def extra_repr(self) -> str:
        """Its settings, as `print` shows them."""
        return f"{self.in_features}, num_classes={self.num_classes}, link={self.link!r}"


class CORAL(nn.Module):
    r"""The last layer of CORAL: shared weights, and a bias for each threshold.

    .. math:: P(y > k) = \sigma(w \cdot x + b_k)

    The same distributions as `CumulativeLink(..., "logit")`, with thresholds that are
    free numbers. Under `offby.nn.CumulativeCrossEntropyLoss` it is trained by the loss
    of the paper. The parameters have the names and shapes of coral-pytorch's layer, so
    a `state_dict` of it can be loaded.

    NOTE[DIFF] the biases are sorted on the way through, so that no probability is
    negative; the paper proves that they end sorted. Biases closer than 1e-6 count as
    that far apart: the class in between keeps a finite log-probability.

    Args:
        in_features: Numbers in a row of the input.
        num_classes: Classes, at least 2.

    References:
        Cao, Mirjalili, Raschka (2020), Rank consistent ordinal regression for neural
        networks with application to age estimation, Pattern Recognition Letters 140,
        doi:10.1016/j.patrec.2020.11.008.

    >>> head = CORAL(3, num_classes=4)
    >>> head(torch.zeros(3)).exp().round(decimals=4).detach()
    tensor([0.2689, 0.0703, 0.0782, 0.5826])
    """

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        check_sizes(in_features, num_classes)
        self.in_features, self.num_classes = in_features, num_classes
        self.coral_weights = nn.Linear(in_features, 1, bias=False)
        steps = torch.arange(num_classes - 1, 0, -1) / (num_classes - 1)
        self.coral_bias = nn.Parameter(steps.float())

    def forward(
        self, input: Float[Tensor, "*batch features"]
    ) -> Float[Tensor, "*batch classes"]:
        """Log-probabilities of the classes, on the last axis."""
        score = at_least_float32(self.coral_weights(input))
        bias = self.coral_bias.to(score.dtype).sort(descending=True).values
        gaps = (-bias.diff()).clamp(min=1e-6)
        above, below = logsigmoid(score + bias), logsigmoid(-score - bias)
        between = above[..., :-1] + below[..., 1:] + torch.log(-torch.expm1(-gaps))
        return torch.cat([below[..., :1], between, above[..., -1:]], -1)

    def extra_repr(self) -> str:
        """Its settings, as `print` shows them."""
        return f"{self.in_features}, num_classes={self.num_classes}"
