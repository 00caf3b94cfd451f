"""Masses from a network's outputs, some rows at a time."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from offby._checks import at_least_float32, bins_last, check_tensor
from offby.bins import Bins
from offby.distribution.circular import check_on_a_line
from offby.grounds import Circle, Line

Of = Literal["logits", "probs"]

_AT_ONCE = 2**18
"""Masses worked on at once: as many as stay in a processor's cache."""


def by_rows(
    numbers: Callable[..., Tensor],
    outputs: Tensor,
    grid: Bins | Line | Circle,
    dim: int,
    of: Of,
    *beside: Tensor,
) -> Tensor:
    """A function of masses (bins last) and of what lies beside each row.

    It is called for some rows after the others where no derivative is asked for: then
    it needs no memory for the masses of all.
    """
    check_given(outputs, grid)
    n = grid.n_bins if isinstance(grid, Bins) else grid.n_classes
    outputs = bins_last(outputs, dim)
    if outputs.ndim == 0 or outputs.shape[-1] != n:
        raise ValueError(
            f"outputs must have {n} entries on axis dim={dim}, as the grid has, got "
            f"shape {tuple(outputs.shape)} with that axis last"
        )
    if of not in ("logits", "probs"):
        raise ValueError(f'of must be "logits" or "probs", got {of!r}')

    def of_some(outputs: Tensor, *beside: Tensor) -> Tensor:
        masses = at_least_float32(outputs)
        return numbers(masses.softmax(-1) if of == "logits" else masses, *beside)

    if torch.compiler.is_compiling() or not outputs.is_cpu or _has_slopes(outputs):
        return of_some(outputs, *beside)
    if any(map(_has_slopes, beside)):
        return of_some(outputs, *beside)
    return _in_parts(of_some, outputs, *beside)


def _has_slopes(numbers: Tensor) -> bool:
    return numbers.requires_grad and torch.is_grad_enabled()


def _in_parts(of_some: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """What a function gives of all rows, of some after the others."""
    outputs, *beside = tensors
    batch, n = outputs.shape[:-1], outputs.shape[-1]
    if outputs.numel() <= 2 * _AT_ONCE:
        return of_some(*tensors)
    try:
        flat = outputs.view(-1, n)
    except RuntimeError:
        # Rows that no stride leads through, such as those of images with the bins on
        # axis 1: image by image.
        parts = zip(*(each.unbind(0) for each in tensors), strict=True)
        return torch.stack([_in_parts(of_some, *part) for part in parts])
    rows = max(1, _AT_ONCE // n)
    each = [flat, *(numbers.reshape(-1) for numbers in beside)]
    parts = zip(*(numbers.split(rows) for numbers in each), strict=True)
    found = torch.cat([of_some(*part) for part in parts])
    return found.view(*batch, *found.shape[1:])


def check_given(outputs: Tensor, grid: Bins | Line | Circle) -> None:
    """Refuse outputs that are no tensor, and what says nothing about them."""
    check_tensor("outputs", outputs)
    if not outputs.is_floating_point():
        raise TypeError(
            f"outputs must be floating, got dtype {outputs.dtype}; pass the network's "
            "raw output, before any argmax"
        )
    if not isinstance(grid, Bins | Line | Circle):
        raise TypeError(
            f"grid must be Bins or a Line, got {type(grid).__name__}; Bins(edges) and "
            "Line(positions) make one of numbers"
        )


def refuse_circle(what: str, grid: Bins | Line | Circle) -> None:
    """Refuse what needs a lowest number."""
    if isinstance(grid, Bins):
        check_on_a_line(what, grid)
    if isinstance(grid, Circle):
        raise TypeError(
            f"{what} needs Bins or a Line, got {grid}: on a circle no number is the "
            "lowest; use `circular_mean` or `mode`"
        )
