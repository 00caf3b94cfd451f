"""Forecasts of many rows, in parts of a size that is quick and small."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from joblib import effective_n_jobs
from torch import Tensor


def mean_forecast(logits: Tensor) -> Tensor:
    """Log of the mean probability of the members: runs x rows x classes."""
    return logits.log_softmax(-1).logsumexp(1) - math.log(logits.shape[1])


def rows_at_once(n_inputs: int) -> int:
    """Rows of that many encoded inputs to forecast at once, to be quick and small."""
    return max(16, min(1024, 2**20 // max(n_inputs, 1)))


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
