"""Optimal transport on any costs, exact. Theory: docs/maths/wasserstein.md."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offby.losses._solvers import run_on_examples


def transport_cost(
    p: Float[Tensor, "*batch classes"],
    q: Float[Tensor, "*batch classes"],
    cost: Float[Tensor, "classes classes"],
) -> Float[Tensor, "*batch"]:
    """Least cost of moving p onto q, by POT's network simplex.

    What it is worth to have mass somewhere, the dual variables, is its slope; at the
    optimum they add up to the cost. Rows whose masses do not sum to 1 give NaN.
    """
    of_p, of_q = _worth(p.detach(), q.detach(), cost)
    return (p * of_p).sum(-1) + (q * of_q).sum(-1)


# An operator of PyTorch, for the solver reads numbers on the host: a compiler, export,
# fake tensors and transforms see one step, and need not look into it.
@torch.library.custom_op("offby::transport_worth", mutates_args=())
def _worth(p: Tensor, q: Tensor, cost: Tensor) -> tuple[Tensor, Tensor]:
    """What mass is worth: the dual variables of every class of p and of q."""
    given, wanted = (
        masses.reshape(-1, masses.shape[-1]).double().cpu().numpy() for masses in (p, q)
    )
    of_p, of_q = _dual(given, wanted, cost.cpu().numpy())
    return (
        torch.from_numpy(of_p).to(p).reshape(p.shape),
        torch.from_numpy(of_q).to(p).reshape(p.shape),
    )


@_worth.register_fake
def _(p: Tensor, q: Tensor, cost: Tensor) -> tuple[Tensor, Tensor]:
    return p.new_empty(p.shape), p.new_empty(p.shape)


run_on_examples(_worth, 2)


def _dual(
    given: np.ndarray, wanted: np.ndarray, cost: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    solve = _network_simplex()
    found = np.full((2, *given.shape), np.nan)
    for k, (a, b) in enumerate(zip(given, wanted, strict=True)):
        # One by one: the solver holds Python's lock, threads would only wait for it.
        if abs(a.sum() - 1) < 1e-3 and abs(b.sum() - 1) < 1e-3 and (b >= 0).all():
            _, log = solve(a / a.sum(), b / b.sum(), cost)
            found[:, k] = log["u"], log["v"]
    return found[0], found[1]


def _network_simplex() -> Any:
    try:
        from ot.lp import emd
    except ImportError as missing:
        raise RuntimeError(
            "the Wasserstein distance of two distributions on this ground needs a "
            "solver, and POT is not installed; install offby[ot], or use sinkhorn or "
            "squared_emd"
        ) from missing

    # Its limit on iterations is low: K = 1000 can take more.
    return lambda a, b, cost: emd(a, b, cost, numItermax=10_000_000, log=True)
