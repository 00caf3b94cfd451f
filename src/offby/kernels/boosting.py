"""Gradient boosting's loss, gradient and curvature of many rows in one C++ call.

NumPy arrays come and go by their addresses. The specification, and what runs without a
library, is in `offby.boosting`.
"""

import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from offby.kernels._impl import wanted
from offby.kernels.cpp import _library

KINDS = ("gauss-newton", "gershgorin", "variance")
"""The curvatures, in the order of `enum Curvature`."""

# `struct BoostingJob` of native/boosting_job.hpp: pointers, sizes and strides, numbers,
# small integers.
_JOB = struct.Struct("@20P8q3d6i")


class Found(NamedTuple):
    """What a call computed."""

    gradient: np.ndarray
    curvature: np.ndarray
    loss: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True, eq=False)
class BoostingCall:
    """Everything but the rows. Arrays are contiguous: float64, or int64 for classes."""

    base: np.ndarray
    """Log frequency of each class; with a location, threshold of each cut."""
    waves: np.ndarray
    shapes: int
    """0, or 1 with a location, or 2 with a log scale too."""
    order: np.ndarray
    rank: np.ndarray
    start: np.ndarray
    end: np.ndarray
    line: bool
    """Whether run k is the classes 0 to k."""
    whole: bool
    """Whether a run is to be summed by itself, so that small ones are exact."""
    squares: np.ndarray
    between: np.ndarray
    logs: np.ndarray
    """One more than there are runs: whether any of them is not 0."""
    distance: np.ndarray | None
    convex: np.ndarray | None
    cross_entropy: float
    numbers: float
    floor: float
    kind: str

    @property
    def n_outputs(self) -> int:
        """Raw outputs of a row."""
        return self.shapes + len(self.waves)


def available() -> bool:
    """Whether the C++ library is to be used here.

    Raises:
        RuntimeError: If `OFFBY_KERNELS` names it, but there is none.
    """
    form = wanted("auto")
    library = _library.load() if form in ("auto", "cpp") else ""
    if isinstance(library, str):
        if form == "cpp":
            raise RuntimeError(
                f'impl="cpp" cannot run here: {library}; use impl="auto" or "torch"'
            )
        return False
    return True


def probabilities(call: BoostingCall, raw: np.ndarray) -> np.ndarray:
    """Masses of the classes: rows x classes."""
    out = np.empty((len(raw), call.waves.shape[1]))
    _run(call, raw, probabilities=out)
    return out


def loss(
    call: BoostingCall,
    raw: np.ndarray,
    index: np.ndarray,
    before: np.ndarray | None,
    after: np.ndarray | None,
) -> np.ndarray:
    """Loss of each row, without what a number adds by itself."""
    out = np.empty(len(raw))
    _run(call, raw, index=index, before=before, after=after, loss=out)
    return out


def gradient_and_curvature(
    call: BoostingCall,
    raw: np.ndarray,
    index: np.ndarray,
    before: np.ndarray | None,
    after: np.ndarray | None,
    weight: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Both for each output, times the weights; laid out in memory as `raw` is."""
    gradient, curvature = np.empty_like(raw), np.empty_like(raw)
    _run(
        call,
        raw,
        index=index,
        before=before,
        after=after,
        weight=weight,
        gradient=gradient,
        curvature=curvature,
    )
    return gradient, curvature


def _run(call: BoostingCall, raw: np.ndarray, **arrays: np.ndarray | None) -> None:
    def of(name: str) -> int:
        array = arrays.get(name)
        return 0 if array is None else array.ctypes.data

    gradient = arrays.get("gradient")
    step = raw.itemsize
    out = (0, 0) if gradient is None else gradient.strides
    library = _library.loaded()
    library.handle.offby_boost(
        _JOB.pack(
            raw.ctypes.data,
            call.base.ctypes.data,
            call.waves.ctypes.data,
            of("index"),
            of("before"),
            of("after"),
            of("weight"),
            call.order.ctypes.data,
            call.rank.ctypes.data,
            call.start.ctypes.data,
            call.end.ctypes.data,
            call.squares.ctypes.data,
            call.between.ctypes.data,
            call.logs.ctypes.data,
            0 if call.distance is None else call.distance.ctypes.data,
            0 if call.convex is None else call.convex.ctypes.data,
            of("gradient"),
            of("curvature"),
            of("loss"),
            of("probabilities"),
            len(raw),
            call.waves.shape[1],
            call.n_outputs,
            len(call.start),
            raw.strides[0] // step,
            raw.strides[1] // step,
            out[0] // step,
            out[1] // step,
            call.cross_entropy,
            call.numbers,
            call.floor,
            call.shapes,
            KINDS.index(call.kind),
            call.line,
            call.whole,
            library.level,
            0,
        )
    )
