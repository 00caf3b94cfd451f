"""The C++ twins: found, loaded once, and called through plain pointers."""

import ctypes
import math
import warnings
from ctypes import POINTER, Structure, c_char_p, c_double, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

FILE = Path(__file__).with_name("offby_kernels.so")
_VERSION = 1
DTYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float64: 2}
TERMS = (
    "cross_entropy",
    "wasserstein",
    "squared_emd",
    "cumulative_cross_entropy",
    "histogram_crps",
)
"""The losses that have a twin, in the order of `enum Term`."""


class _Job(Structure):
    """`struct Job` of native/job.hpp, field by field."""

    _fields_ = (
        ("logits", c_void_p),
        ("gradient", c_void_p),
        ("loss", c_void_p),
        ("index", c_void_p),
        ("value", c_void_p),
        ("positions", c_void_p),
        ("edges", c_void_p),
        ("upstream", c_void_p),
        *((name, c_int64) for name in ("outer", "inner", "classes")),
        *((f"logits_{axis}", c_int64) for axis in ("outer", "inner", "class")),
        *((f"gradient_{axis}", c_int64) for axis in ("outer", "inner", "class")),
        ("factor", c_double * len(TERMS)),
        ("power", c_double),
        ("scale", c_double),
        ("dtype", c_int32),
        ("level", c_int32),
    )


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
    handle.offby_run.argtypes = handle.offby_rescale.argtypes = (POINTER(_Job),)
    handle.offby_run.restype = handle.offby_rescale.restype = None
    handle.offby_use_threads.argtypes = (c_void_p, c_int64)
    handle.offby_use_threads.restype = None
    handle.offby_is_scale.argtypes = (c_void_p, c_int64, c_double, c_int32)
    found = handle.offby_version(), handle.offby_sizeof_job()
    if found != (_VERSION, ctypes.sizeof(_Job)):
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


@dataclass(frozen=True)
class Layout:
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


@dataclass(frozen=True, eq=False)
class Task:
    """A sum of losses, to be computed for every row of some logits."""

    factors: tuple[float, ...]
    """Of each of `TERMS`; 0 where it has no part."""
    index: Tensor | None = None
    value: Tensor | None = None
    positions: Tensor | None = None
    """Of the classes; None: 0, 1, 2, ..."""
    edges: Tensor | None = None
    power: float = 1.0

    def loss(self, logits: Tensor) -> Tensor:
        """Loss of each row."""
        logits, layout = walkable(logits)
        loss = _empty_loss(logits)
        job = self._job(logits, layout, None)
        job.loss = loss.data_ptr()
        _loaded().handle.offby_run(job)
        return loss

    def loss_and_gradient(self, logits: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """Loss of each row, and `scale` times its gradient."""
        logits, layout = walkable(logits)
        loss, gradient = _empty_loss(logits), empty_gradient(logits, layout)
        job = self._job(logits, layout, gradient)
        job.loss = loss.data_ptr()
        job.scale = scale
        _loaded().handle.offby_run(job)
        return loss, gradient

    def gradient(
        self,
        logits: Tensor,
        upstream: Tensor,
        scaled: tuple[Tensor, float] | None = None,
    ) -> Tensor:
        """Gradient of each row times `upstream`, a number for each.

        `scaled` is the gradient times a number, which this call uses up.
        """
        logits, layout = walkable(logits)
        upstream = upstream.contiguous()
        # A scale that equals no number: then every row is computed.
        gradient, scale = scaled or (empty_gradient(logits, layout), math.nan)
        job = self._job(logits, layout, gradient)
        job.upstream = upstream.data_ptr()
        job.scale = scale
        # Multiplying is as exact as computing if the old scale is a power of two.
        exact = logits.dtype != torch.bfloat16 and math.frexp(scale)[0] == 0.5
        library = _loaded().handle
        (library.offby_rescale if exact else library.offby_run)(job)
        return gradient

    def guess(self, n_rows: int) -> float:
        """Scale to make the gradient for: that of a mean."""
        return 1.0 / max(n_rows, 1)

    def is_scale(self, upstream: Tensor, scale: float) -> bool:
        """Whether every number is the scale."""
        upstream = upstream.contiguous()
        dtype = DTYPES[upstream.dtype]
        numbers, n = upstream.data_ptr(), upstream.numel()
        return bool(_loaded().handle.offby_is_scale(numbers, n, scale, dtype))

    def _job(self, logits: Tensor, layout: Layout, gradient: Tensor | None) -> _Job:
        job = _Job()
        job.logits = logits.data_ptr()
        job.index = _pointer(self.index)
        job.value = _pointer(self.value)
        job.positions = _pointer(self.positions)
        job.edges = _pointer(self.edges)
        k = logits.shape[-1]
        job.outer, job.inner, job.classes = layout.outer, layout.inner, k
        job.logits_outer, job.logits_inner, job.logits_class = layout.strides
        if gradient is not None:
            job.gradient = gradient.data_ptr()
            job.gradient_outer = k * layout.inner
            job.gradient_inner = 1
            job.gradient_class = layout.inner
        job.factor = self.factors
        job.power = self.power
        job.scale = 1.0
        job.dtype = DTYPES[logits.dtype]
        job.level = _loaded().level
        return job


def _loaded() -> Library:
    library = load()
    assert isinstance(library, Library)
    return library


def walkable(logits: Tensor) -> tuple[Tensor, Layout]:
    """Logits that a kernel can walk, copied if need be, and how."""
    layout = layout_of(logits)
    if layout is None:
        logits = logits.contiguous()
        layout = layout_of(logits)
        assert layout is not None
    return logits, layout


def _empty_loss(logits: Tensor) -> Tensor:
    wide = torch.promote_types(logits.dtype, torch.float32)
    return torch.empty(logits.shape[:-1], dtype=wide)


def empty_gradient(logits: Tensor, layout: Layout) -> Tensor:
    """Of the shape of the logits, its rows side by side where theirs are."""
    k = logits.shape[-1]
    if layout.inner == 1:
        return logits.new_empty(logits.shape)
    memory = logits.new_empty((layout.outer, k, layout.inner))
    return memory.movedim(1, -1).view(logits.shape)


def _pointer(numbers: Tensor | None) -> int | None:
    return None if numbers is None else numbers.data_ptr()
