"""Numbers of a ground on the device, in the type the Triton kernels read them in."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef


def line(positions: Tensor | None, k: int, device: torch.device) -> tuple[Tensor, ...]:
    """Gap behind each class, and its place from the first; None: at 0, 1, 2, ..."""
    if positions is None:
        return _regular(k, device)
    return _kept(_line, positions, device)


def grid(edges: Tensor, device: torch.device) -> tuple[Tensor, ...]:
    """Edges, and widths of the bins between them."""
    return _kept(_grid, edges, device)


def _line(positions: Tensor) -> tuple[Tensor, ...]:
    gap = torch.cat([positions.diff(), positions.new_zeros(1)])
    return gap.float(), (positions - positions[0]).float()


def _grid(edges: Tensor) -> tuple[Tensor, ...]:
    # The edges themselves would keep alive the memory that they are kept for.
    return edges.clone(), edges.diff().float()


@cache
def _regular(k: int, device: torch.device) -> tuple[Tensor, ...]:
    return _on(device, _line(torch.arange(k, dtype=torch.float64)))


_Make = Callable[[Tensor], tuple[Tensor, ...]]
_Key = tuple[_Make, torch.device, StorageWeakRef, int, int]
_made: dict[_Key, tuple[int, tuple[Tensor, ...]]] = {}


def _kept(make: _Make, numbers: Tensor, device: torch.device) -> tuple[Tensor, ...]:
    """What was made of a ground's numbers, once for each device.

    A copy to the device at every call would take longer than the loss, and could not be
    recorded in a CUDA graph. The memory is the key, not the tensor: every call comes
    with a new view of it. Numbers written over are copied anew.
    """
    memory = StorageWeakRef(numbers.untyped_storage())
    key = make, device, memory, int(numbers.storage_offset()), len(numbers)
    # What was made in inference mode has no version, and is not written over later.
    version = 0 if numbers.is_inference() else numbers._version
    if key in _made and _made[key][0] == version:
        return _made[key][1]
    for old in list(_made):
        if old[2].expired():
            _made.pop(old, None)
    found = _on(device, make(numbers.cpu()))
    _made[key] = version, found
    return found


def _on(device: torch.device, numbers: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A copy that is there when this returns, whichever stream reads it.

    Made on the device it would be ready on one stream only, and inside a CUDA graph not
    before the graph runs; a copy into a graph is refused.
    """
    return tuple(each.to(device) for each in numbers)
