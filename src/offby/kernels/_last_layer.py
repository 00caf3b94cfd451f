"""`LastLayer`: a linear layer whose outputs are the logits of a loss."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from offby.kernels._layout import layout_of
from offby.kernels._memory import not_in_memory
from offby.kernels._support import transformed


@dataclass(frozen=True, eq=False)
class LastLayer:
    """A linear layer in the form of `torch.nn.functional.linear`, and its input."""

    hidden: Tensor
    """Its input, features on the last axis."""
    weight: Tensor
    """(classes, features)."""
    bias: Tensor | None = None
    """(classes,)."""
    chunk: int | None = None
    """Rows whose logits are held at a time; None: `rows_at_a_time`."""

    @property
    def rows(self) -> torch.Size:
        """Shape of the rows, without the features."""
        return self.hidden.shape[:-1]

    @property
    def stand_in(self) -> Tensor:
        """One number in the shape of the logits, for checks that read no values."""
        return self.hidden.new_empty(()).expand(*self.rows, len(self.weight))

    def logits(self) -> Tensor:
        """All of them, differentiable: the plain form of the layer."""
        return F.linear(self.hidden, self.weight, self.bias)

    def chunk_of(self, n_rows: int) -> int:
        """Rows to take at a time of so many."""
        chunk = self.chunk or rows_at_a_time(len(self.weight), self.hidden.device)
        return max(1, min(chunk, n_rows))

    def out_of_reach(self) -> str:
        """Why the products cannot be written into one's own memory; empty if not."""
        if torch.compiler.is_compiling():
            return ""
        if why := transformed():
            return why
        for each in (self.hidden, self.weight, self.bias):
            if each is not None and (why := not_in_memory(each)):
                return why
        return "" if self.hidden.device.type in ("cpu", "cuda") else "no kernels there"


def last_layer(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    dim: int = -1,
    chunk: int | None = None,
) -> LastLayer:
    """The layer, checked, in the dtype that autocast asks for."""
    for name, given in (("hidden", hidden), ("weight", weight), ("bias", bias)):
        if isinstance(given, Tensor) or (given is None and name == "bias"):
            continue
        raise TypeError(
            f"{name} must be a tensor, got {type(given).__name__}; torch.as_tensor "
            "makes one"
        )
    if not hidden.is_floating_point():
        raise TypeError(
            f"hidden must be floating, got dtype {hidden.dtype}; pass what would go "
            "into the last linear layer"
        )
    if not (hidden.ndim and -hidden.ndim <= dim < hidden.ndim):
        raise ValueError(
            f"hidden must have an axis {dim} with the features (dim={dim}), got shape "
            f"{tuple(hidden.shape)}"
        )
    hidden = hidden if dim % hidden.ndim == hidden.ndim - 1 else hidden.movedim(dim, -1)
    _check_shapes(hidden, weight, bias, dim)
    if chunk is not None and (not isinstance(chunk, int) or chunk < 1):
        raise ValueError(
            f"chunk must be a number of rows, at least 1, got {chunk!r}; None chooses"
        )
    kind = hidden.device.type
    if torch.is_autocast_enabled(kind) and hidden.dtype != torch.float64:
        dtype = torch.get_autocast_dtype(kind)
        hidden, weight = hidden.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None and given.dtype != hidden.dtype:
            raise TypeError(
                f"hidden and {name} must have one dtype, got {hidden.dtype} and "
                f"{given.dtype}; convert one with `.to`, or use torch.autocast"
            )
    return LastLayer(hidden, weight, bias, chunk)


def _check_shapes(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, dim: int
) -> None:
    if weight.ndim != 2 or len(weight) == 0:
        raise ValueError(
            "weight must have shape (classes, features), as that of torch.nn.Linear, "
            f"got shape {tuple(weight.shape)}"
        )
    if hidden.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"hidden must have {weight.shape[1]} features on axis {dim}, as weight "
            f"{tuple(weight.shape)} has, got {hidden.shape[-1]}; dim= says which axis "
            "of hidden holds them"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"bias must hold one number for each of {len(weight)} classes, got shape "
            f"{tuple(bias.shape)}"
        )
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None and given.device != hidden.device:
            raise RuntimeError(
                f"hidden and {name} must be on one device, got {hidden.device} and "
                f"{given.device}; move one with `.to`"
            )


def rows_at_a_time(n_classes: int, device: torch.device) -> int:
    """Rows whose logits are held at a time, by default.

    Each chunk reads and writes the whole gradient of the weight, and wakes the threads
    four times, which asks for many rows: of few classes, 4 MB of logits. Of more
    classes 512 rows do, and take less memory; of very many, 32 MB of logits end it.
    benchmarks/linear.py measures it. On a GPU the launches have to be worth it; that
    was not measured.
    """
    if device.type != "cpu":
        return max(256, 2**24 // n_classes)
    rows = 2**20 // n_classes if n_classes <= 512 else min(512, 2**23 // n_classes)
    return max(64, rows // 16 * 16)


class Rows(NamedTuple):
    """Rows of numbers in memory, one axis for each way of walking them."""

    memory: Tensor
    """(outer, inner, numbers of a row)."""
    beside: bool
    """Whether rows lie side by side, as the pixels of an image do."""


def rows_of(numbers: Tensor) -> Rows:
    """The rows of a tensor, a view if there is one."""
    layout = layout_of(numbers) if numbers.numel() else None
    if layout is None:
        numbers = numbers.contiguous()
        n_numbers = numbers.shape[-1]
        return Rows(numbers.view(1, numbers.shape[:-1].numel(), n_numbers), False)
    outer, inner, (over_outer, over_inner, step) = layout
    if inner == 1:
        outer, inner, over_outer, over_inner = 1, outer, 0, over_outer
    shape = outer, inner, numbers.shape[-1]
    view = numbers.as_strided(
        shape, (over_outer, over_inner, step), numbers.storage_offset()
    )
    return Rows(view, over_inner == 1 and step != 1)


def rows_of_target(target: Tensor, n_axes: int) -> Rows:
    """Of a target whose first so many axes are the rows: a view if there is one.

    One of images, with probabilities on axis 1, is as large as the logits.
    """
    if target.ndim == n_axes + 1 and target.numel():
        return rows_of(target)
    n = target.shape[:n_axes].numel()
    return Rows(target.reshape(1, n, *target.shape[n_axes:]), False)


def some_rows(rows: Rows, start: int, stop: int) -> Tensor:
    """Rows start to stop, copied where they do not follow one another."""
    inner, parts = rows.memory.shape[1], []
    while start < stop:
        outer, first = divmod(start, inner)
        last = min(inner, first + stop - start)
        parts.append(rows.memory[outer, first:last])
        start += last - first
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def empty_rows(like: Rows, dtype: torch.dtype) -> Rows:
    """New memory for as many rows, which lie as those do."""
    outer, inner, n_numbers = like.memory.shape
    if like.beside:
        memory = like.memory.new_empty((outer, n_numbers, inner), dtype=dtype)
        return Rows(memory.transpose(1, 2), True)
    return Rows(like.memory.new_empty((outer, inner, n_numbers), dtype=dtype), False)
