"""Gradient boosting's loss, gradient and curvature of many rows in one C++ call.

NumPy arrays come and go by their addresses. The specification, and what runs without a
library, is in `offby.boosting`.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from offby.kernels._impl import wanted
from offby.kernels.cpp import _library

KINDS = ("gauss-newton", "gershgorin", "variance")
"""The curvatures, in the order of `enum Curvature`."""

# `struct BoostingJob` of native/boosting_job.hpp: pointers, sizes and strides, numbers,
# small integers.
_JOBS = {
    np.dtype(np.float32): struct.Struct("@22P9q4f6i"),
    np.dtype(np.float64): struct.Struct("@22P9q4d6i"),
}


@dataclass(frozen=True, eq=False)
class BoostingCall:
    """Everything but the rows. Arrays are contiguous: float64, or int64 for classes.

    Raw outputs in float32 are computed in float32, twice as many rows at a time; rows
    whose masses are too small for that, in float64.
    """

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

    @cached_property
    def addresses(self) -> tuple[int, ...]:
        """Of the arrays about runs and pairs of classes, in the order of the job."""
        runs = (self.order, self.rank, self.start, self.end)
        factors = (self.squares, self.between, self.logs, self.distance, self.convex)
        return tuple(map(_address, (*runs, *factors)))

    @cached_property
    def single(self) -> "BoostingCall":
        """The same in float32."""
        arrays = {
            field.name: value.astype(np.float32)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), np.ndarray)
            and value.dtype == np.float64
        }
        return replace(self, **arrays)


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


@dataclass(frozen=True, eq=False)
class Job:
    """A call with the memory it works in, to be run as often as that memory changes.

    Made by :func:`job_of`.
    """

    code: bytes
    """`struct BoostingJob`."""
    again: np.ndarray
    """Of float32: 1 of each row that has to be computed in float64."""
    run: Callable[[bytes], int]
    held: tuple[Any, ...]
    """What the addresses in the code point to."""

    def __call__(self) -> np.ndarray:
        """Fill the arrays; the rows that have to be computed again, in float64.

        Raises:
            ValueError: If the target of a row is no class, or holds no numbers.
        """
        if refusal := self.run(self.code):
            raise ValueError(_sentence(refusal))
        # Most often there are none.
        return np.flatnonzero(self.again) if self.again.any() else _NONE


_NONE = np.zeros(0, np.int64)


def _sentence(refusal: int) -> str:
    if refusal == -1:
        return "the rows to compute must be among those of raw; number them from 0"
    if refusal == -2:
        return (
            "target must hold numbers, as the loss asks for them, got none; prepare it "
            "with this objective"
        )
    return (
        f"target must hold classes that there are, got another in row {refusal - 1}; "
        "prepare it with this objective"
    )


def probabilities(call: BoostingCall, raw: np.ndarray) -> np.ndarray:
    """Masses of the classes in float64: rows x classes."""
    raw = raw.astype(np.float64, copy=False)
    out = np.empty((len(raw), call.waves.shape[1]))
    job_of(call, raw, probabilities=out)()
    return out


def loss(
    call: BoostingCall,
    raw: np.ndarray,
    index: np.ndarray,
    before: np.ndarray | None,
    after: np.ndarray | None,
) -> np.ndarray:
    """Loss of each row, without what a number adds by itself, in the dtype of raw."""
    out = np.empty(len(raw), raw.dtype)
    truth = {"index": index, "before": before, "after": after}
    again = job_of(call, raw, **truth, loss=out)()
    if len(again):
        out[again] = loss(call, raw[again].astype(np.float64), *_at(again, **truth))
    return out


def gradient_and_curvature(
    call: BoostingCall,
    raw: np.ndarray,
    index: np.ndarray,
    before: np.ndarray | None,
    after: np.ndarray | None,
    weight: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Both for each output, times the weights; of the dtype and layout of raw."""
    found = np.empty_like(raw), np.empty_like(raw)
    truth = {"index": index, "before": before, "after": after, "weight": weight}
    again = job_of(call, raw, **truth, gradient=found[0], curvature=found[1])()
    if len(again):
        wide = raw[again].astype(np.float64)
        exact = gradient_and_curvature(call, wide, *_at(again, **truth))
        for single, double in zip(found, exact, strict=True):
            single[again] = double
    return found


def _at(rows: np.ndarray, **arrays: np.ndarray | None) -> list[Any]:
    return [None if array is None else array[rows] for array in arrays.values()]


def job_of(
    call: BoostingCall,
    raw: np.ndarray,
    picked: np.ndarray | None = None,
    **arrays: np.ndarray | None,
) -> Job:
    """A job on arrays that stay where they are.

    Args:
        call: What to compute.
        raw: Raw outputs, float32 or float64.
        picked: The rows to compute; the others are left as they are. None: all.
        arrays: By the names of `struct BoostingJob`: index, before, after, weight of
            each row, and of those to fill gradient and curvature (laid out as `raw`
            is), loss, probabilities.
    """
    single = raw.dtype == np.float32
    again = np.zeros(len(raw) if single else 0, np.uint8)
    if single:
        call = call.single
        arrays["again"] = again
    held = {
        name: array
        if array is None or array.dtype.kind in "iu"
        else np.ascontiguousarray(array, raw.dtype)
        if array.ndim == 1
        else array
        for name, array in arrays.items()
    }
    if picked is not None:
        held["picked"] = np.ascontiguousarray(picked, np.int64)
    out = (0, 0) if (made := held.get("gradient")) is None else made.strides
    step = raw.itemsize
    library = _library.loaded()
    handle = library.handle
    code = _JOBS[raw.dtype].pack(
        *map(_address, (raw, call.base, call.waves, held.get("index"))),
        *map(_address, map(held.get, ("before", "after", "weight", "picked"))),
        *call.addresses,
        *map(_address, map(held.get, ("gradient", "curvature", "loss"))),
        *map(_address, map(held.get, ("probabilities", "again"))),
        *(len(raw if picked is None else picked), call.waves.shape[1]),
        *(call.n_outputs, len(call.start)),
        *(raw.strides[0] // step, raw.strides[1] // step),
        *(out[0] // step, out[1] // step, len(raw)),
        *(call.cross_entropy, call.numbers, call.floor, 0.0),
        *(call.shapes, KINDS.index(call.kind), call.line, call.whole),
        *(library.level, 0),
    )
    run = handle.offby_boost_single if single else handle.offby_boost_double
    return Job(code, again, run, (raw, *held.values(), call))


def _address(array: np.ndarray | None) -> int:
    return 0 if array is None else array.ctypes.data
