"""`Labels`: what a batch is compared with, whether its target is classes or numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from offby import losses, targets
from offby.bins import Bins
from offby.grounds import Line

Takes = Literal["class", "class on a ground", "number", "batch"]
"""What the function of a loss takes beside the logits."""


@dataclass(frozen=True, eq=False)
class Labels:
    """What the logits of a batch are compared with."""

    index: Tensor
    """Class or bin of each row."""
    line: Line
    """Where the classes lie."""
    value: Tensor | None = None
    """The number itself, if the classes are bins."""
    bins: Bins | None = None


OnLabels = Callable[[Tensor, Labels], Tensor]
"""Loss of each row from logits and labels."""


@dataclass(frozen=True)
class FunctionOnLabels:
    """A function of `offby.losses` as a function of logits and labels.

    A class, not a closure, since jobs that hold it are sent to other processes.
    """

    function: Callable[..., Tensor]
    takes: Takes

    def __call__(self, logits: Tensor, labels: Labels) -> Tensor:
        match self.takes:
            case "class":
                return self.function(logits, labels.index)
            case "class on a ground":
                return self.function(logits, labels.index, labels.line)
            case "number":
                return self.function(logits, *_numbers(labels))
            case "batch":
                raise TypeError(
                    f"{self.function.__name__} is one number for a whole batch and has "
                    "no loss of a row"
                )


def crps(logits: Tensor, labels: Labels) -> Tensor:
    """CRPS in the unit of the line, as the squared EMD is.

    So the terms of a sum weigh alike.
    """
    value, bins = _numbers(labels)
    score = losses.histogram_crps(logits, value, bins)
    return score * (_length(labels.line) / _length(bins.line()))


def nll(logits: Tensor, labels: Labels) -> Tensor:
    """Minus log density; beyond an end without a tail, a number counts as on the edge.

    It has no density there, and an infinite loss would end the training.
    """
    value, bins = _numbers(labels)
    if not bins.lower_tail:
        value = value.clamp(min=float(bins.edges[0]))
    if not bins.upper_tail:
        value = value.clamp(max=float(bins.edges[-1]))
    return losses.histogram_nll(logits, value, bins)


def hl_gauss(logits: Tensor, labels: Labels) -> Tensor:
    """Cross-entropy with the bin masses of a normal distribution around the number."""
    return losses.cross_entropy(logits, targets.hl_gauss(*_numbers(labels)))


def two_hot(logits: Tensor, labels: Labels) -> Tensor:
    """Cross-entropy with the number's mass on the two centers around it."""
    return losses.cross_entropy(logits, targets.two_hot(*_numbers(labels)))


def _numbers(labels: Labels) -> tuple[Tensor, Bins]:
    assert labels.value is not None
    assert labels.bins is not None
    return labels.value, labels.bins


def _length(line: Line) -> float:
    return float(line.positions[-1] - line.positions[0]) or 1.0
