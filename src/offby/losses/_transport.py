"""Optimal transport on any costs, exact. Theory: docs/maths/wasserstein.md."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def transport_cost(
    p: Float[Tensor, "*batch classes"],
    q: Float[Tensor, "*batch classes"],
    cost: Float[Tensor, "classes classes"],
) -> Float[Tensor, "*batch"]:
    """Least cost of moving p onto q, by POT's network simplex.

    What it is worth to have mass somewhere, the dual variables, is its slope; at the
    optimum they add up to the cost. Rows whose masses do not sum to 1 give NaN.
    """
    if why := _unreadable(p) or _unreadable(q):
        raise RuntimeError(
            "the Wasserstein distance of two distributions on this ground needs a "
            f"solver that reads their numbers on the CPU, which is impossible {why}; "
            "use squared_emd or sinkhorn"
        )
    given, wanted = (
        masses.detach().reshape(-1, masses.shape[-1]).double().cpu().numpy()
        for masses in (p, q)
    )
    worth = _dual(given, wanted, cost.cpu().numpy())
    of_p, of_q = (torch.from_numpy(rows).to(p).reshape(p.shape) for rows in worth)
    return (p * of_p).sum(-1) + (q * of_q).sum(-1)


def _unreadable(masses: Tensor) -> str:
    """Why the numbers of a tensor cannot be read; empty if they can."""
    if torch._C._are_functorch_transforms_active():
        return "inside a transform of torch.func"
    if masses.is_meta or type(masses) is not Tensor:
        return f"of a {'meta tensor' if masses.is_meta else type(masses).__name__}"
    return ""


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
