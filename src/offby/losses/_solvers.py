"""Solvers as operators of PyTorch: how they run over a batch of examples."""

from typing import Any

import torch
from torch import Tensor


def run_on_examples(solve: Any, n_masses: int) -> None:
    """Give a solver the rule of `torch.vmap`: the examples are further rows.

    Args:
        solve: The operator. It takes rows of masses, a matrix of costs, and settings
            that are no tensors; returns a tensor or a tuple of them, a row for each
            row.
        n_masses: How many tensors of masses it takes.
    """

    def rule(info: Any, in_dims: Any, *given: Any) -> Any:
        masses = [
            _examples_first(given[k], in_dims[k], info.batch_size)
            for k in range(n_masses)
        ]
        cost, settings = given[n_masses], given[n_masses + 1 :]
        if in_dims[n_masses] is None:
            solved = solve(*masses, cost, *settings)
        else:  # every example has costs of its own
            own = cost.movedim(in_dims[n_masses], 0)
            solved = _stacked(
                [solve(*rows, *settings) for rows in zip(*masses, own, strict=True)]
            )
        return solved, (0,) * len(solved) if isinstance(solved, tuple) else 0

    if hasattr(solve, "register_vmap"):  # from PyTorch 2.5 on
        solve.register_vmap(rule)


def _examples_first(given: Tensor, at: int | None, n: int) -> Tensor:
    return given.expand(n, *given.shape) if at is None else given.movedim(at, 0)


def _stacked(solved: list[Any]) -> Any:
    if isinstance(solved[0], tuple):
        return tuple(torch.stack(part) for part in zip(*solved, strict=True))
    return torch.stack(solved)
