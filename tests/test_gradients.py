"""The gradients that the pages of docs/maths write down, against autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from offby import losses, settles_at
from tests.cases import grid, line, points


def pushed(p: Tensor, weights: Tensor) -> Tensor:
    """Slopes in the logits from slopes in the masses."""
    return p * (weights - (p * weights).sum())


def on_a_line(p: Tensor, q: Tensor, gaps: Tensor) -> Tensor:
    at_cut = gaps * (p.cumsum(0) - q.cumsum(0))[:-1]
    return torch.stack([2 * at_cut[j:].sum() for j in range(len(p))])


def of_cuts(p: Tensor, y: int, gaps: Tensor) -> Tensor:
    below = p.cumsum(0)[:-1]
    return torch.stack(
        [
            p[j] * (gaps.sum() - (gaps / (1 - below))[: min(j, y)].sum())
            - p[j] * (gaps / below)[max(j, y) :].sum()
            for j in range(len(p))
        ]
    )


def of_crps(p: Tensor, value: float) -> Tensor:
    """By quadrature, one Gauss rule per smooth piece; exact for these polynomials."""
    bins = grid(len(p))
    edges = np.unique([*bins.edges.tolist(), value])
    nodes, shares = np.polynomial.legendre.leggauss(4)
    width = np.diff(edges)[:, None]
    x = torch.from_numpy((edges[:-1, None] + width * (nodes + 1) / 2).ravel())
    weight = torch.from_numpy((width * shares / 2).ravel())
    each = ((x[:, None] - bins.edges[:-1]) / bins.widths).clamp(0, 1)
    reached = (value <= x).double()
    return 2 * ((weight * (each @ p - reached))[:, None] * each).sum(0)


def of_distance(n: int, value: float) -> Tensor:
    """E|X - y| for X uniform on each bin."""
    low, high = grid(n).edges[:-1], grid(n).edges[1:]
    left, right = (value - low).clamp(min=0), (high - value).clamp(min=0)
    split = (left.square() + right.square()) / (2 * (high - low))
    far = (value - (low + high) / 2).abs()
    return torch.where((low < value) & (value < high), split, far)


@given(st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_gradients_are_those_of_the_pages(n, seed):
    rng = np.random.default_rng(seed)
    y = int(rng.integers(n))
    index, gaps = torch.tensor(y), line(n).gaps
    q = torch.nn.functional.one_hot(index, n).double()
    soft = torch.from_numpy(rng.dirichlet(np.ones(n)))
    low, high = grid(n).edges[[0, -1]].tolist()
    value = float(rng.uniform(low, high))
    number = torch.tensor(value, dtype=torch.float64)
    logits = torch.from_numpy(rng.standard_normal(n)).requires_grad_()
    p = logits.detach().softmax(-1)
    cost = points(n).cost
    for loss, expected in (
        (losses.cross_entropy(logits, soft), p - soft),
        (losses.cross_entropy(logits, index), pushed(p, -q / p)),
        (losses.wasserstein(logits, index, line(n)), pushed(p, line(n).cost[y])),
        (losses.wasserstein(logits, index, points(n), p=2), pushed(p, cost[y] ** 2)),
        (
            losses.squared_emd(logits, soft, points(n)),
            pushed(p, cost @ (soft - p)),
        ),
        (
            losses.squared_emd(logits, soft, line(n)),
            pushed(p, on_a_line(p, soft, gaps)),
        ),
        (
            losses.cumulative_cross_entropy(logits, index, line(n)),
            of_cuts(p, y, gaps),
        ),
        (losses.histogram_crps(logits, number, grid(n)), pushed(p, of_crps(p, value))),
        (
            losses.histogram_wasserstein(logits, number, grid(n)),
            pushed(p, of_distance(n, value)),
        ),
    ):
        (slopes,) = torch.autograd.grad(loss, logits)
        torch.testing.assert_close(slopes, expected, rtol=1e-9, atol=1e-11)


def test_wasserstein_ends_on_the_least_likely_class():
    # D21: what NTLoss, EMO and every W1 against a class do, and none says.
    end = settles_at(losses.wasserstein, [0.4, 0.15, 0.45])
    assert end == pytest.approx([0, 1, 0])
