"""Forecasts of many rows, in parts of a size that is quick and small."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

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
        logits = network(filled.expand(network.n_runs, -1, -1))
        probs = logits.softmax(-1).flatten(0, 1).sum(0, dtype=torch.float64)
        found.append(probs[: len(part)])
    probs = torch.cat(found)
    return probs / probs.sum(-1, keepdim=True)


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
