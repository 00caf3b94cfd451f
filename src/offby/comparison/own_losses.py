"""Losses of the user's own in a comparison. Page: docs/own-loss.md."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from offby.losses.registry import TABLE, Labels, Loss, NamedLoss
from offby.tabular.criteria import loss_name, training_loss
from offby.theory.examination import examine

_MOST_CLASSES = 12
"""Of more classes an examination takes long."""


@dataclass(frozen=True, eq=False)
class OwnRows:
    """A function or criterion as a function of logits and labels."""

    given: Any

    def __call__(self, logits: Tensor, labels: Labels) -> Tensor:
        """Loss of each row."""
        return training_loss(self.given).rows(logits, labels)

    def text(self) -> str:
        """What a kept fit knows it by: its source, and the settings that it holds."""
        given = self.given
        if isinstance(given, nn.Module):
            return f"{_source(type(given))} {_settings(given)!r}"
        if not inspect.isfunction(given):
            return f"{_source(type(given))} {given!r}"
        closure = [cell.cell_contents for cell in given.__closure__ or ()]
        held = (given.__defaults__, given.__kwdefaults__, closure)
        return f"{_source(given)} {held!r}"


def _settings(module: nn.Module) -> list[Any]:
    """All that a criterion and its parts hold; what they print is not all of it."""
    plain = [
        {name: value for name, value in vars(part).items() if name[0] != "_"}
        for part in module.modules()
    ]
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return [plain, [(name, tensor.tolist()) for name, tensor in tensors]]


def _source(given: Any) -> str:
    try:
        return inspect.getsource(given)
    except (OSError, TypeError):  # as of a function that was typed into a session
        code = getattr(given, "__code__", None)
        return "" if code is None else f"{code.co_code.hex()} {code.co_consts!r}"


def own_loss(given: Any) -> NamedLoss:
    """A function `(logits, target) -> one value per row`, or a criterion, with a name.

    Raises:
        TypeError: If it is neither.
        ValueError: If it has no name of its own.
    """
    if not callable(given):
        raise TypeError(
            "a loss must be a name, a criterion of offby.nn, or a function (logits, "
            f"target) -> loss of each row, got {type(given).__name__}"
        )
    loss: Any = given
    training, name = training_loss(loss), loss_name(loss)
    if not name.isidentifier() or name in {loss.name for loss in TABLE}:
        raise ValueError(
            f"a loss of your own needs a name of its own, got {name!r}; write it as a "
            "function with def and another name"
        )
    record = Loss(
        name=name,
        title=f"{name} (your own)",
        formula="",
        feels_distance=False,
        proper="not known",
        also="",
        rows=OwnRows(given),
        takes="number" if training.needs_bins else "class",
    )
    return NamedLoss(((1.0, record),))


def is_own(loss: NamedLoss) -> bool:
    """Whether it is a loss of the user's own."""
    return any(isinstance(entry.rows, OwnRows) for _, entry in loss.terms)


def notes_on_own(losses: Sequence[NamedLoss], ground: Any) -> tuple[str, ...]:
    """What was found by trying each loss of the user's own, a sentence or two each.

    Args:
        losses: All losses of the comparison.
        ground: Where the classes lie.
    """
    return tuple(_examined(loss, ground) for loss in losses if is_own(loss))


def _examined(loss: NamedLoss, ground: Any) -> str:
    name = str(loss)
    if loss.needs_bins or not 3 <= ground.n_classes <= _MOST_CLASSES:
        return (
            f"{name} is a loss of your own; whether it is proper was not examined, "
            f"which takes 3 to {_MOST_CLASSES} classes (offby.theory.examination)."
        )

    def rows(logits: Tensor, target: Tensor, _: Any) -> Tensor:
        return loss.rows(logits, Labels(target, ground))

    rows.__name__ = name
    try:
        with torch.enable_grad():
            return str(examine(rows, ground.n_classes, ground))
    except (ValueError, RuntimeError) as error:
        return f"{name} is a loss of your own that could not be examined: {error}."
