"""How rows of classes lie in memory, as the kernels walk them."""

from typing import NamedTuple

import torch
from torch import Tensor


class Layout(NamedTuple):
    """How rows of classes lie in memory; strides of outer, inner and the classes."""

    outer: int
    inner: int
    strides: tuple[int, int, int]


def layout_of(logits: Tensor) -> Layout | None:
    """Rows that a kernel can walk; None if they have to be copied first."""
    if logits.is_contiguous():
        k = logits.shape[-1]
        return Layout(logits.numel() // k, 1, (k, 0, 1))
    # Neighboring axes whose elements follow one another count as one.
    axes: list[tuple[int, int]] = []
    for size, stride in zip(logits.shape[:-1], logits.stride()[:-1], strict=True):
        if size == 1:
            continue
        if axes and axes[-1][1] == size * stride:
            axes[-1] = (axes[-1][0] * size, stride)
        else:
            axes.append((size, stride))
    step = logits.stride(-1) if logits.shape[-1] > 1 else 1
    match axes:
        case []:
            return Layout(1, 1, (0, 0, 1)) if step == 1 else None
        case [(n, stride)] if step == 1 and stride > 0:
            return Layout(n, 1, (stride, 0, 1))
        case [(n, 1)] if step > 0:
            return Layout(1, n, (0, 1, step))
        case [(m, stride), (n, 1)] if step > 0 and stride > 0:
            return Layout(m, n, (stride, 1, step))
    return None


def as_strided_rows(logits: Tensor) -> tuple[Tensor, Layout]:
    """Logits that a kernel can walk, copied if need be, and how."""
    layout = layout_of(logits)
    if layout is None:
        logits = logits.contiguous()
        layout = layout_of(logits)
        assert layout is not None
    return logits, layout


def empty_gradient(logits: Tensor, layout: Layout) -> Tensor:
    """Of the shape of the logits, its rows side by side where theirs are."""
    if logits.is_contiguous():
        return torch.empty_like(logits)
    if layout.inner == 1:
        return logits.new_empty(logits.shape)
    memory = logits.new_empty((layout.outer, logits.shape[-1], layout.inner))
    return memory.movedim(1, -1).view(logits.shape)
