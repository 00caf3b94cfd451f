"""Forecasts of many rows, in parts of a size that is quick and small."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from joblib import effective_n_jobs
from torch import Tensor

from offby.tabular.networks import NetworkBatch

_ROWS = 64
"""Rows in a matrix product: their hidden values in 40 members fit the cache."""


def mean_forecast(logits: Tensor) -> Tensor:
    """Log of the mean probability of the members: runs x rows x classes."""
    return logits.log_softmax(-1).logsumexp(1) - math.log(logits.shape[1])


@torch.inference_mode()
def mean_probabilities(network: NetworkBatch, inputs: Tensor) -> Tensor:
    """Mean probabilities over all runs and members: rows x classes, float64.

    Every product has the same shape; zeros fill up the last. A matrix product rounds a
    row by the shape of the whole: otherwise a row's forecast would depend on how many
    others are asked for.
    """
    found: list[Tensor] = []
    for part in inputs.split(_ROWS):
        filled = torch.nn.functional.pad(part, (0, 0, 0, _ROWS - len(part)))
        logits = network(filled[None])
        # Some tens of numbers from 0 to 1: float64 would cost a copy of all of them.
        found.append(logits.softmax(-1).flatten(0, 1).sum(0)[: len(part)])
    probs = torch.cat(found).double()
    return probs / probs.sum(-1, keepdim=True)


def forecast_in_parts(
    forecast: Callable[[slice], np.ndarray], n_rows: int, size: int, n_threads: int
) -> np.ndarray:
    """Forecasts of all rows in one array, made in parts of so many rows.

    One array for all: parts of its size between other arrays would leave holes in
    memory when these are freed. Each part is computed by one thread, so that the
    result does not depend on their number.
    """
    parts = [slice(at, min(at + size, n_rows)) for at in range(0, n_rows, size)]
    parts = parts or [slice(0, 0)]
    first = forecast(parts[0])
    result = np.empty((n_rows, *first.shape[1:]), first.dtype)
    result[parts[0]] = first

    def fill(part: slice) -> None:
        result[part] = forecast(part)

    if n_threads == 1 or len(parts) < 3:
        for part in parts[1:]:
            fill(part)
        return result
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(fill, parts[1:]))
    return result


def rows_at_once(n_inputs: int) -> int:
    """Rows of that many inputs to encode at once: few calls, and less than 8 MiB."""
    return max(64, min(2048, 2**20 // max(n_inputs, 1)))


@contextmanager
def threads(n_jobs: int | None) -> Iterator[None]:
    """Threads of the matrix products: one for None, one per core for -1.

    With one thread the result is the same to the last bit wherever it is computed.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(effective_n_jobs(1 if n_jobs is None else n_jobs))
    try:
        yield
    finally:
        torch.set_num_threads(before)
