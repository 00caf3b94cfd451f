"""The `loss` of an estimator as the trainer takes it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from offby.losses.registry import Labels, parse

# Criteria are imported on use: with them comes PyTorch's compiler, two seconds that a
# fit under a loss by name does not need.

Loss = str | nn.Module | Callable[[Tensor, Tensor], Tensor]


class TrainingLoss(Protocol):
    """What a network is trained on."""

    @property
    def needs_bins(self) -> bool:
        """Whether it is defined for numbers only."""
        ...

    def rows(self, logits: Tensor, labels: Labels) -> Tensor:
        """Loss of each row, classes on the last axis of the logits."""
        ...


def training_loss(loss: Loss) -> TrainingLoss:
    """The loss that an estimator was given.

    Raises:
        ValueError: If it is a name that no loss has.
        TypeError: If it is a module that is no criterion of `offby.nn`.
    """
    if isinstance(loss, str):
        return parse(loss)
    if isinstance(loss, nn.Module):
        from offby.nn.criteria import is_criterion

        if not is_criterion(loss):
            raise TypeError(
                "loss must be a name, a criterion of offby.nn, or a function "
                "(logits, target) -> loss of each row, got a "
                f"{type(loss).__name__}; offby.nn.CrossEntropyLoss equals that of "
                "torch.nn, and a function may wrap any other module"
            )
        return CriterionLoss.of(loss)
    return FunctionLoss(loss)


def loss_name(loss: Loss) -> str:
    """What a loss is called in a sentence."""
    if isinstance(loss, str):
        return loss
    if not isinstance(loss, nn.Module):
        return getattr(loss, "__name__", type(loss).__name__)
    from offby.nn import MixedLoss

    if isinstance(loss, MixedLoss):
        pairs = zip(loss.factors, loss.criteria, strict=True)
        return " + ".join(
            type(c).__name__ if factor == 1 else f"{factor:g} x {type(c).__name__}"
            for factor, c in pairs
        )
    return type(loss).__name__


@dataclass(frozen=True, eq=False)
class CriterionLoss:
    """A criterion of `offby.nn`, asked for the loss of each row."""

    criterion: Any

    @classmethod
    def of(cls, criterion: nn.Module) -> "CriterionLoss":
        """A copy of the criterion: what it remembers belongs to one training."""
        made: Any = copy.deepcopy(criterion)
        for part in made.modules():
            if hasattr(part, "reduction"):
                part.reduction, part.dim = "none", 1
        return cls(made)

    @property
    def needs_bins(self) -> bool:
        """Whether one of its terms takes numbers."""
        from offby.nn.criteria import bins_of

        return bins_of(self.criterion) is not None

    def rows(self, logits: Tensor, labels: Labels) -> Tensor:
        """Loss of each row.

        Raises:
            ValueError: If its grid is not that of the estimator.
        """
        from offby.nn.criteria import bins_of

        bins = bins_of(self.criterion)
        target = labels.index
        if bins is not None:
            assert labels.value is not None
            assert labels.bins is not None
            edges, own = labels.bins.edges, bins.edges.to(labels.bins.edges)
            if edges.shape != own.shape or not torch.allclose(edges, own):
                raise ValueError(
                    "the bins of the criterion must be those of the estimator, got "
                    f"{bins} and {labels.bins}; pass the same Bins as n_bins, and "
                    "leave target_transform out"
                )
            target = labels.value.to(logits.dtype)
        flat = logits.reshape(-1, logits.shape[-1])
        shape = logits.shape[:-1]
        found = self.criterion.to(logits.device)(flat, target.expand(shape).reshape(-1))
        return found.reshape(shape)


@dataclass(frozen=True, eq=False)
class FunctionLoss:
    """A function of logits (rows x classes) and the index of the true class or bin."""

    function: Callable[[Tensor, Tensor], Tensor]
    needs_bins: bool = False

    def rows(self, logits: Tensor, labels: Labels) -> Tensor:
        """Loss of each row.

        Raises:
            ValueError: If the function returns anything else.
        """
        shape = logits.shape[:-1]
        flat = logits.reshape(-1, logits.shape[-1])
        found: Any = self.function(flat, labels.index.expand(shape).reshape(-1))
        if not isinstance(found, Tensor) or found.shape != flat.shape[:1]:
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found)
            raise ValueError(
                "a loss function must return one value for each row of the logits, "
                f"shape {tuple(flat.shape[:1])}, got {got}; leave out the mean at its "
                "end"
            )
        return found.reshape(shape)
