"""The C++ kernels: found, loaded once, and called through plain pointers."""

import ctypes
import math
import struct
import warnings
from ctypes import c_char_p, c_double, c_float, c_int32, c_int64, c_void_p
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from offby.grounds import Cuts
from offby.kernels._layout import (
    Layout,
    as_strided_rows,
    empty_gradient,
    layout_of,
)

FILE = Path(__file__).with_name("offby_kernels.so")
_VERSION = 7
DTYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float64: 2}
_NUMBERS = (c_float, c_float, c_double)
"""What a loss is held in, by the place of its logits' dtype."""
_WIDE = {dtype: torch.promote_types(dtype, torch.float32) for dtype in DTYPES}
TERMS = (
    "cross_entropy",
    "wasserstein",
    "squared_emd",
    "cumulative_cross_entropy",
    "histogram_crps",
    "squared_emd on a tree",
)
"""The losses that have a kernel, in the order of `enum Term`."""


_FEW_CLASSES = 4096
"""Rows of more go one by one, if they lie one after the other: `few_classes` of
native/entry.cpp."""

# `struct Job` of native/job.hpp: pointers, sizes and strides, numbers, small integers.
# Packed in one go: to fill a `ctypes.Structure` costs more than a small batch does.
_JOB = struct.Struct("@12P10q8d2i")


@dataclass(frozen=True)
class Library:
    """The library in this process."""

    handle: ctypes.CDLL
    levels: tuple[str, ...]
    """Instruction sets it has code for; empty where this machine cannot run it."""
    level: int
    """The one in use, the widest."""
    threads: str
    """Whose threads do the work."""


@cache
def load() -> Library | str:
    """The library, or the reason why there is none.

    A library that is there but does not load is worth one warning; none at all is how
    a machine without a compiler installs, and `offby doctor` says so.
    """
    if not FILE.exists():
        return f"{FILE.name} was not built: no C++ compiler when offby was installed"
    try:
        return _opened(FILE)
    except (OSError, AttributeError, RuntimeError) as error:
        why = f"{FILE.name} does not load: {error}"
        warnings.warn(
            f"{why}; the losses run in plain PyTorch, slower. Reinstall offby, "
            "or set OFFBY_KERNELS=torch to silence this",
            RuntimeWarning,
            stacklevel=2,
        )
        return why


def _opened(file: Path) -> Library:
    handle = ctypes.CDLL(str(file))
    handle.offby_level.restype = c_char_p
    handle.offby_level.argtypes = (c_int32,)
    # The job goes as the bytes it is made of.
    handle.offby_run.argtypes = handle.offby_rescale.argtypes = (c_char_p,)
    handle.offby_run.restype = handle.offby_rescale.restype = None
    for boost in (handle.offby_boost_single, handle.offby_boost_double):
        boost.argtypes, boost.restype = (c_char_p,), c_int64
    handle.offby_targets.argtypes, handle.offby_targets.restype = (c_char_p,), None
    handle.offby_masses.argtypes, handle.offby_masses.restype = (c_char_p,), None
    handle.offby_use_threads.argtypes = (c_void_p, c_int64)
    handle.offby_use_threads.restype = None
    handle.offby_is_scale.argtypes = (c_void_p, c_int64, c_double, c_int32)
    found = handle.offby_version(), handle.offby_sizeof_job()
    if found != (_VERSION, _JOB.size):
        raise RuntimeError(f"it was built for another offby ({found})")
    levels = []
    while (name := handle.offby_level(len(levels))) is not None:
        levels.append(name.decode())
    pool = _torch_parallel_for()
    handle.offby_use_threads(pool, torch.get_num_threads())
    threads = "its own threads" if pool is None else "PyTorch's threads"
    widest = max(i for i, name in enumerate(levels) if name)
    return Library(handle, tuple(levels), widest, threads)


def _torch_parallel_for() -> c_void_p | None:
    """PyTorch's thread pool by its C entry, which came with 2.10."""
    for file in sorted(Path(torch.__file__).with_name("lib").glob("*torch_cpu.*")):
        try:
            return ctypes.cast(ctypes.CDLL(str(file)).torch_parallel_for, c_void_p)
        except (OSError, AttributeError):
            continue
    return None


@dataclass(frozen=True, eq=False)
class LossCall:
    """A sum of losses, to be computed for every row of some logits."""

    factors: tuple[float, ...]
    """Of each of `TERMS`; 0 where it has no part."""
    index: Tensor | None = None
    value: Tensor | None = None
    positions: Tensor | None = None
    """Of the classes; None: 0, 1, 2, ..."""
    edges: Tensor | None = None
    power: float = 1.0
    cuts: Cuts | None = None
    """Of a tree."""

    def loss(self, logits: Tensor) -> Tensor:
        """Loss of each row."""
        logits, layout = as_strided_rows(logits)
        loss = _empty_loss(logits)
        library = loaded()
        library.handle.offby_run(self._job(library, logits, layout, loss=loss))
        return loss

    def loss_and_gradient(self, logits: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """Loss of each row, and `scale` times its gradient."""
        logits, layout = as_strided_rows(logits)
        loss, gradient = _empty_loss(logits), empty_gradient(logits, layout)
        library = loaded()
        library.handle.offby_run(
            self._job(library, logits, layout, gradient, loss, scale=scale)
        )
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
        logits do; where `in_place` it may be their own memory.
        """
        layout = layout_of(logits)
        assert layout is not None
        each, scale = None, upstream
        if isinstance(scale, Tensor):
            each, scale = scale, math.nan
        library = loaded()
        library.handle.offby_run(
            self._job(library, logits, layout, gradient, loss, each, scale)
        )

    def in_place(self, n_classes: int) -> bool:
        """Whether `fill` may write the gradient of such rows over their logits.

        Rows of few classes go many at a time, and the hard ones among them are read
        once more when the gradients of all are written.
        """
        return n_classes > _FEW_CLASSES and self.cuts is None

    def gradient(
        self,
        logits: Tensor,
        upstream: Tensor,
        scaled: tuple[Tensor, float] | None = None,
    ) -> Tensor:
        """Gradient of each row times `upstream`, a number for each.

        `scaled` is the gradient times a number, which this call uses up.
        """
        logits, layout = as_strided_rows(logits)
        upstream = upstream.contiguous()
        # A scale that equals no number: then every row is computed.
        gradient, scale = scaled or (empty_gradient(logits, layout), math.nan)
        # Multiplying is as exact as computing if the old scale is a power of two.
        exact = logits.dtype != torch.bfloat16 and math.frexp(scale)[0] == 0.5
        library = loaded()
        run = library.handle.offby_rescale if exact else library.handle.offby_run
        run(
            self._job(library, logits, layout, gradient, upstream=upstream, scale=scale)
        )
        return gradient

    def expected_scale(self, n_rows: int) -> float:
        """Scale to make the gradient for: that of a mean."""
        return 1.0 / max(n_rows, 1)

    def is_scale(self, upstream: Tensor, scale: float) -> bool:
        """Whether every number is the scale."""
        dtype = DTYPES[upstream.dtype]
        if not any(upstream.stride()):  # of a mean: one number, repeated
            if upstream.numel() == 0:
                return True
            number = _NUMBERS[dtype]
            one = number.from_address(upstream.data_ptr())
            return one.value == number(scale).value
        upstream = upstream.contiguous()
        return bool(
            loaded().handle.offby_is_scale(
                upstream.data_ptr(), upstream.numel(), scale, dtype
            )
        )

    def _job(
        self,
        library: Library,
        logits: Tensor,
        layout: Layout,
        gradient: Tensor | None = None,
        loss: Tensor | None = None,
        upstream: Tensor | None = None,
        scale: float = 1.0,
    ) -> bytes:
        """`struct Job`, in its order."""
        outer, inner, strides = layout
        k = logits.shape[-1]
        cuts = self.cuts
        return _JOB.pack(
            logits.data_ptr(),
            _pointer(gradient),
            _pointer(loss),
            _pointer(self.index),
            _pointer(self.value),
            _pointer(self.positions),
            _pointer(self.edges),
            _pointer(upstream),
            *(_NO_CUTS if cuts is None else map(Tensor.data_ptr, cuts_of(cuts))),
            *(outer, inner, k),
            0 if cuts is None else len(cuts.weights),
            *strides,
            *(k * inner, 1, inner),
            *self.factors,
            self.power,
            scale,
            DTYPES[logits.dtype],
            library.level,
        )


_NO_CUTS = (0, 0, 0, 0)


def cuts_of(cuts: Cuts) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cuts as the kernels read them."""
    return cuts.order, cuts.start, cuts.end, cuts.weights


def loaded() -> Library:
    """The library, where it is known to be there."""
    library = load()
    assert isinstance(library, Library)
    return library


def _empty_loss(logits: Tensor) -> Tensor:
    return torch.empty(logits.shape[:-1], dtype=_WIDE[logits.dtype])


def _pointer(numbers: Tensor | None) -> int:
    return 0 if numbers is None else numbers.data_ptr()
