"""`NumberTokenLoss`: cross-entropy on all tokens, a distance on those of numbers."""

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from offby.grounds import Ground
from offby.integrations.transformers._number_tokens import NumberTokens
from offby.nn import (
    CrossEntropyLoss,
    CumulativeCrossEntropyLoss,
    SquaredEMDLoss,
    SubsetLoss,
    WassersteinLoss,
)

_BY_NAME: dict[str, Any] = {
    "emd1": WassersteinLoss,
    "emd2": SquaredEMDLoss,
    "cce": CumulativeCrossEntropyLoss,
}


@dataclass(frozen=True, eq=False)
class TokenSums:
    """The two parts of the loss of a batch, summed, and how many tokens they are of."""

    cross_entropy: Tensor
    """Over all tokens that count, in nats."""
    distance: Tensor
    """Over those that are numbers, in the units of the ground."""
    tokens: Tensor
    numbers: Tensor


class NumberTokenLoss(nn.Module):
    r"""Cross-entropy of all tokens, plus a distance of those that are numbers.

    .. math:: \frac{1}{n} \sum_i -\log p_i + w \, [i \text{ is a number}] \, d_i

    The distance looks at the probabilities of the number tokens among each other. With
    "emd1" it is the number token loss of Zausinger et al. in its Wasserstein form.
    "emd2" and "cce" are proper scores: they do not draw the probabilities away from the
    frequencies, where "emd1" ends on the median.

    Both parts are divided by the number of tokens that count, so that gradient
    accumulation, packing and several devices give the same as one large batch. The
    paper divides the distance by the number of number tokens: a share s of them makes
    its weight w one of w / s here. `average="numbers"` is the paper's.

    Args:
        tokens: The number tokens of the tokenizer.
        distance: "emd1", "emd2" or "cce" on the values of the tokens, or a criterion of
            classes of `offby.nn` with `reduction="sum"` whose ground has one class for
            each value.
        weight: Factor of the distance. On `tokens.line()` it is in units of the values;
            where these go far beyond 9, give `ground=tokens.line().normalized()`.
        ground: Distances of the values, by default `tokens.line()`. For a distance that
            is given by name.
        average: What the distance is divided by, with `reduction="mean"`.
        ignore_index: Labels of this index do not count.
        label_smoothing: Of the cross-entropy.
        reduction: "mean" or "sum".

    >>> import torch
    >>> tokens = NumberTokens({"a": 0, "1": 1, "2": 2, "3": 3})
    >>> loss = NumberTokenLoss(tokens, "emd1", weight=0.5)
    >>> loss(torch.zeros(1, 2, 4), torch.tensor([[0, 1]]))  # log 4 + 0.5 * 1 / 2
    tensor(1.6363)
    """

    def __init__(
        self,
        tokens: NumberTokens,
        distance: Literal["emd1", "emd2", "cce"] | nn.Module = "emd2",
        *,
        weight: float = 0.3,
        ground: Ground | None = None,
        average: Literal["tokens", "numbers"] = "tokens",
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: Literal["mean", "sum"] = "mean",
    ) -> None:
        super().__init__()
        if not isinstance(tokens, NumberTokens):
            raise TypeError(
                f"tokens must be NumberTokens, got {type(tokens).__name__}; "
                "NumberTokens(tokenizer) finds them"
            )
        for name, given, known in (
            ("average", average, ("tokens", "numbers")),
            ("reduction", reduction, ("mean", "sum")),
        ):
            if given not in known:
                raise ValueError(
                    f"{name} must be {known[0]!r} or {known[1]!r}, got {given!r}"
                )
        if average == "numbers" and reduction == "sum":
            raise ValueError(
                'average="numbers" must go with reduction="mean", got "sum", which '
                "divides by nothing; NumberTokenLoss.sums has the parts"
            )
        self.tokens = tokens
        self.weight = weight
        self.average = average
        self.reduction = reduction
        self.ignore_index = ignore_index
        self.cross_entropy = CrossEntropyLoss(
            ignore_index=ignore_index,
            label_smoothing=label_smoothing,
            reduction="sum",
            dim=-1,
        )
        criterion = self._criterion(distance, ground)
        self.distance = SubsetLoss(tokens.tokens, criterion, dim=-1)

    def _criterion(self, distance: str | nn.Module, ground: Ground | None) -> nn.Module:
        if isinstance(distance, str):
            if distance not in _BY_NAME:
                raise ValueError(
                    f"distance must be one of {', '.join(_BY_NAME)} or a criterion of "
                    f"offby.nn, got {distance!r}"
                )
            line = self.tokens.line() if ground is None else ground
            return _BY_NAME[distance](
                line, ignore_index=self.ignore_index, reduction="sum"
            )
        if ground is not None:
            raise ValueError(
                "ground must come with a distance by name, got a criterion, which has "
                "its own; leave ground out"
            )
        reduction = getattr(distance, "reduction", "sum")
        if reduction != "sum":
            raise ValueError(
                'the distance must have reduction="sum", since its rows are divided by '
                f"the number of tokens, got {reduction!r}"
            )
        return distance

    def sums(self, logits: Tensor, labels: Tensor) -> TokenSums:
        """The parts of the loss, to be logged or put together in another way."""
        counts = labels != self.ignore_index
        numbers = (self.distance.index(labels) >= 0).sum()
        return TokenSums(
            self.cross_entropy(logits, labels),
            self.distance(logits, labels),
            counts.sum(),
            numbers,
        )

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            logits: (batch, length, vocabulary), or (rows, vocabulary). Those of a
                causal model are one step ahead: give `logits[:, :-1]` and
                `labels[:, 1:]`.
            labels: The token that is right for each row of logits.
        """
        sums = self.sums(logits, labels)
        distance = self.weight * sums.distance
        if self.reduction == "sum":
            return sums.cross_entropy + distance
        tokens = sums.tokens.clamp(min=1)
        if self.average == "tokens":
            return (sums.cross_entropy + distance) / tokens
        return sums.cross_entropy / tokens + distance / sums.numbers.clamp(min=1)

    def extra_repr(self) -> str:
        return f"{self.tokens}, weight={self.weight:g}"
