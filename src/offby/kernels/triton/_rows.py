"""The Triton kernels: what is launched for the rows of some logits on the GPU.

The slopes are summed outward from the heaviest class of each row, so that nothing
cancels whichever class that is; else the formulas are those of native/row_terms.hpp.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
import triton
from torch import Tensor

from offby.kernels._layout import (
    Layout,
    as_strided_rows,
    empty_gradient,
    layout_of,
)
from offby.kernels.triton._chunked import rows_in_chunks
from offby.kernels.triton._ground import grid, line
from offby.kernels.triton._tile import rows_in_registers

LONGEST = 16384
"""Classes that fit into the registers of a program."""
CHUNK = 4096
"""Of longer rows so many are held at a time."""


@dataclass(frozen=True, eq=False)
class LossCall:
    """A sum of losses, to be computed for every row of some logits on the GPU.

    Fields as in `offby.kernels.cpp._library.LossCall`.
    """

    factors: tuple[float, ...]
    index: Tensor | None = None
    value: Tensor | None = None
    positions: Tensor | None = None
    edges: Tensor | None = None
    power: float = 1.0

    def loss(self, logits: Tensor) -> Tensor:
        """Loss of each row."""
        logits, layout = as_strided_rows(logits)
        loss = _empty_loss(logits)
        self._run(logits, layout, loss)
        return loss

    def loss_and_gradient(self, logits: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """Loss of each row, and `scale` times its gradient."""
        logits, layout = as_strided_rows(logits)
        loss, gradient = _empty_loss(logits), empty_gradient(logits, layout)
        self._run(logits, layout, loss, gradient, scale=scale)
        return loss, gradient

    def of_rows(self, start: int, stop: int) -> "LossCall":
        """The same sum for some of the rows, which are counted one after the other."""
        index = None if self.index is None else self.index.view(-1)[start:stop]
        value = None if self.value is None else self.value.view(-1)[start:stop]
        return replace(self, index=index, value=value)

    def fill(
        self,
        logits: Tensor,
        loss: Tensor,
        gradient: Tensor | None = None,
        upstream: Tensor | float = 1.0,
    ) -> None:
        """Writes the loss of each row, and its gradient times `upstream`.

        Nothing is allocated: the memory is the caller's. The gradient lies there as the
        logits do.
        """
        layout = layout_of(logits)
        assert layout is not None
        if not isinstance(upstream, Tensor):
            return self._run(logits, layout, loss, gradient, scale=upstream)
        self._run(logits, layout, loss, gradient)
        if gradient is not None:
            gradient.mul_(upstream[:, None])

    def in_place(self, n_classes: int) -> bool:
        """Never: a program reads the neighbors of what another has written."""
        del n_classes
        return False

    def gradient(
        self,
        logits: Tensor,
        upstream: Tensor,
        scaled: tuple[Tensor, float] | None = None,
    ) -> Tensor:
        """Gradient of each row times `upstream`, a number for each.

        `scaled` is the gradient times a number, which this call uses up: rows whose
        upstream number it is are not even read.
        """
        logits, layout = as_strided_rows(logits)
        # A scale that equals no number: then every row is computed.
        gradient, scale = scaled or (empty_gradient(logits, layout), math.nan)
        self._run(logits, layout, None, gradient, upstream, scale)
        return gradient

    def expected_scale(self, n_rows: int) -> float:
        """Scale to make the gradient for: that of a mean."""
        return 1.0 / max(n_rows, 1)

    def is_scale(self, upstream: Tensor, scale: float) -> bool:
        """Not known without waiting for the GPU; `gradient` asks there."""
        del upstream, scale
        return False

    def _run(
        self,
        logits: Tensor,
        layout: Layout,
        loss: Tensor | None,
        gradient: Tensor | None = None,
        upstream: Tensor | None = None,
        scale: float = 1.0,
    ) -> None:
        """Fills loss and gradient, or makes the gradient again for `upstream`."""
        n_rows, k = layout.outer * layout.inner, logits.shape[-1]
        if n_rows == 0:
            return
        self._must_be_near(logits)
        each, step, n_made = loss, 0, 0
        if upstream is not None:
            # A view also of one number that is repeated, as the upstream of a mean is.
            each = upstream.reshape(-1)
            step, n_made = each.stride(0), n_rows
        arguments = {
            "logits": logits,
            "gradient": logits if gradient is None else gradient,
            "loss": each if loss is None else loss,
            "upstream": each,
            "step": step,
            "n_made": n_made,
            "scale": scale,
            "SLOPES": gradient is not None,
            **_sizes(layout, k),
            **self._numbers(k, logits.device),
            **self._terms(),
            # Triton's default, which is about to change.
            "enable_fp_fusion": True,
        }
        # Triton launches on the current device, whichever the tensors are on.
        with torch.cuda.device_of(logits):
            _launch(n_rows, k, arguments)

    def _numbers(self, k: int, device: torch.device) -> dict[str, Tensor | None]:
        """True classes and numbers, the line and the grid; None where unused."""
        _, w1, emd2, cce, crps, _ = self.factors
        gap = place = value = bin_of = edges = width = None
        if w1 or emd2 or cce:
            gap, place = line(self.positions, k, device)
        if crps:
            assert self.value is not None
            assert self.edges is not None
            value = self.value
            edges, width = grid(self.edges, device)
            bin_of = torch.searchsorted(edges, value, right=True, out_int32=True)
        return {
            "index": self.index,
            "value": value,
            "bin_of": bin_of,
            "edges": edges,
            "width": width,
            "gap": gap,
            "place": place,
        }

    def _terms(self) -> dict[str, float]:
        """Factor of each loss, and whether it has a part."""
        names = "ce", "w1", "emd2", "cce", "crps"
        factors = dict(zip(names, self.factors, strict=False))  # none of a tree
        parts = {name.upper(): factor != 0 for name, factor in factors.items()}
        return {**factors, **parts, "power": self.power, "POWER": self.power != 1}

    def _must_be_near(self, logits: Tensor) -> None:
        """The GPU would follow a pointer into the memory of another."""
        for each in (self.index, self.value):
            if each is not None and each.device != logits.device:
                raise RuntimeError(
                    "logits and target must be on one device, got "
                    f"{logits.device} and {each.device}; move the target there"
                )


def _empty_loss(logits: Tensor) -> Tensor:
    return logits.new_empty(logits.shape[:-1], dtype=torch.float32)


def _sizes(layout: Layout, k: int) -> dict[str, int]:
    x_outer, x_inner, x_class = layout.strides
    # What 1000 classes can be divided by, Triton would not see.
    by = math.gcd(16, k, x_outer)
    return {
        "BY": by,
        "n_classes": k // by,
        "inner": layout.inner,
        "x_outer": x_outer // by,
        "x_inner": x_inner,
        "x_class": x_class,
        "g_outer": k // by * layout.inner,
        "g_inner": 1,
        "g_class": layout.inner,
    }


def _launch(n_rows: int, k: int, arguments: dict[str, Any]) -> None:
    # Sums of logarithms are long code: as wide as others they compile for minutes.
    length = 4 if arguments["CCE"] else 1
    if k > LONGEST // length:
        wide = CHUNK // length
        chunks = triton.cdiv(k, wide)
        most = triton.next_power_of_2(chunks)
        arguments |= {"chunks": chunks, "MOST": most, "WIDE": wide, "num_warps": 8}
        rows_in_chunks[(n_rows,)](**arguments)
        return
    wide = triton.next_power_of_2(max(k, 16))
    # Eight numbers for each thread of a warp. Of rows that lie side by side also eight
    # rows: memory comes in pieces of 32 bytes.
    beside = arguments["x_class"] != 1
    rows = min(max(8 if beside else 1, 256 // wide), max(1, 8192 // wide))
    # Few warps to a row: a running sum crosses warps through shared memory.
    warps = max(1, min(8, rows * wide * length // 1024))
    arguments |= {"n_rows": n_rows, "ROWS": rows, "WIDE": wide, "num_warps": warps}
    rows_in_registers[(triton.cdiv(n_rows, rows),)](**arguments)
