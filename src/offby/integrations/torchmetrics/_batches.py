"""A batch of a training loop as the functions of `offby.metrics` take it."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from offby._checks import on_host


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a batch that count, on the host in float64."""

    target: np.ndarray
    preds: np.ndarray
    """Rows x classes probabilities, or predicted classes."""
    weight: np.ndarray


def rows_of(
    preds: Tensor,
    target: Tensor,
    sample_weight: Tensor | None,
    *,
    n_classes: int,
    from_logits: bool = False,
    ignore_index: int | None = None,
) -> Rows:
    """Probabilities (N, C, ...) and targets (N, ...) as rows.

    Raises:
        ValueError: If the shapes do not belong together.
    """
    wanted = (*target.shape[:1], n_classes, *target.shape[1:])
    if preds.shape != wanted:
        raise ValueError(
            f"preds must have the {n_classes} classes on axis 1, shape {wanted} for "
            f"targets of shape {tuple(target.shape)}, got shape {tuple(preds.shape)}"
        )
    preds = preds.detach().double()
    p = preds.softmax(1) if from_logits else preds
    flat = on_host(p.movedim(1, -1).reshape(-1, n_classes))
    return _counted(flat, target, sample_weight, ignore_index)


def classes_of(
    preds: Tensor,
    target: Tensor,
    sample_weight: Tensor | None,
    ignore_index: int | None,
) -> Rows:
    """Predicted classes and targets, both of shape (N, ...), as rows."""
    if preds.shape != target.shape:
        raise ValueError(
            "predicted classes must have the shape of the target, "
            f"{tuple(target.shape)}, got {tuple(preds.shape)}"
        )
    flat = on_host(preds.reshape(-1))
    return _counted(flat, target, sample_weight, ignore_index)


def _counted(
    preds: np.ndarray,
    target: Tensor,
    sample_weight: Tensor | None,
    ignore_index: int | None,
) -> Rows:
    y = on_host(target.reshape(-1))
    weight = np.ones(len(y))
    if sample_weight is not None:
        if sample_weight.shape != target.shape:
            raise ValueError(
                "sample_weight must hold one number for each target, shape "
                f"{tuple(target.shape)}, got shape {tuple(sample_weight.shape)}"
            )
        weight = on_host(sample_weight.reshape(-1)).astype(np.float64)
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise ValueError(
                "sample_weight must hold finite, nonnegative numbers, got "
                f"{weight.min():g} to {weight.max():g}"
            )
    kept = weight > 0
    if ignore_index is not None:
        kept &= y != ignore_index
    return Rows(y[kept], preds[kept], weight[kept])
