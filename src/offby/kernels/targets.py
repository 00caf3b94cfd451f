"""Soft targets of numbers in one C++ call, which computes the bins that get mass.

The specification is in `offby.targets`, and runs wherever this cannot: for slopes in
the numbers, float64, other devices, transforms and compilers.
"""

import struct

import torch
from torch import Tensor

from offby.bins import Bins
from offby.kernels._memory import not_in_memory
from offby.kernels._support import cpp_runs, transformed
from offby.kernels.cpp import _library

_TWO_HOT, _HL_GAUSS = range(2)
"""In the order of `enum Target`."""

# `struct TargetsJob` of native/targets_job.hpp: pointers, sizes, numbers, integers.
_JOB = struct.Struct("@4P2q2d4i")
_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def two_hot(values: Tensor, bins: Bins) -> Tensor | None:
    """Masses on the two bins around each number; None where C++ cannot run."""
    if not _runs_on(values, bins):
        return None
    return _filled(_TWO_HOT, values, bins)


def hl_gauss(
    values: Tensor, bins: Bins, sigma: float | Tensor | None, widths: float
) -> Tensor | None:
    """Masses under a normal distribution around each number, moved into the grid.

    Args:
        values: The true numbers.
        bins: The grid.
        sigma: Standard deviation: of all numbers, of each, or None.
        widths: If there is none, it is so many widths of the bin that holds the number.

    Returns:
        The masses, bins last, or None where C++ cannot run.
    """
    if not _runs_on(values, bins):
        return None
    if sigma is None:
        return _filled(_HL_GAUSS, values, bins, widths=widths)
    if not isinstance(sigma, Tensor):
        return _filled(_HL_GAUSS, values, bins, spread=sigma)
    if sigma.shape not in ((), values.shape) or not _is_plain(sigma):
        return None
    each = sigma.detach().double().expand(values.shape).contiguous()
    return _filled(_HL_GAUSS, values, bins, each=each)


def _runs_on(values: Tensor, bins: Bins) -> bool:
    # First, for a compiler can follow nothing of what comes behind.
    if torch.compiler.is_compiling() or values.dtype not in _DTYPES:
        return False
    if transformed() or not (_is_plain(values) and _is_plain(bins.edges)):
        return False
    return cpp_runs()


def _is_plain(numbers: Tensor) -> bool:
    """Whether they can be read through a pointer, and nobody asks for slopes."""
    slopes = numbers.requires_grad and torch.is_grad_enabled()
    return numbers.is_cpu and not slopes and not not_in_memory(numbers)


def _filled(
    kind: int,
    values: Tensor,
    bins: Bins,
    *,
    each: Tensor | None = None,
    spread: float = 0.0,
    widths: float = 0.0,
) -> Tensor:
    numbers = values.detach().to(torch.float32).contiguous()
    edges = bins.edges.contiguous()
    masses = torch.empty((*values.shape, bins.n_bins))
    library = _library.loaded()
    job = _JOB.pack(
        numbers.data_ptr(),
        edges.data_ptr(),
        0 if each is None else each.data_ptr(),
        masses.data_ptr(),
        *(numbers.numel(), bins.n_bins),
        *(spread, widths),
        *(kind, bins.even, bins.wraps, library.level),
    )
    library.handle.offby_targets(job)
    return masses
