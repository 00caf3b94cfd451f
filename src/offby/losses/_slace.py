"""Soft labels, accumulating cross-entropy. Theory: docs/maths/slace.md."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid, pad

from offby._checks import (
    at_least_float32,
    check_target,
    clamped,
    classes_last,
    is_class,
)
from offby.grounds import Ground, Line, as_ground, n_classes_of
from offby.losses._cumulative import log_odds_of_cuts


def slace(
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground | None = None,
    *,
    temperature: float = 1.0,
    dim: int = -1,
) -> Float[Tensor, "*batch"]:
    r"""Log-probability of being no farther off than each class, over a soft label.

    .. math:: \ell(z, y) = -\sum_i S_{yi} \log \sum_{j:\, d(j, y) \le d(i, y)} p_j,
              \qquad S_{yi} \propto e^{-d(i, y) / \tau}

    Wrong mass costs more the farther it is, and mass that moves nearer to the truth
    never costs more. With a small temperature it is the cross-entropy. Not proper with
    more than two classes, but nearly so: it ends close to the frequencies.

    Args:
        logits: Raw network output, classes on the last axis.
        target: Integer class indices, O(K log K) each; or floating probabilities of
            `logits`' shape: the expected loss of a label drawn from them, K times as
            much work and memory. An index that is no class gives NaN.
        ground: How far apart the classes are; `Line.regular(K)` by default.
        temperature: Distance at which the soft label falls to 1/e, in the units of the
            ground.
        dim: Axis of the classes in `logits` and in probabilities; the last by default.

    Returns:
        One loss per example, in nats.

    References:
        Nachmani, Genossar, Scheinfeld, Shraga, Gal (2025), SLACE: a monotone and
        balance-sensitive loss function for ordinal regression, AAAI 39.

    >>> slace(torch.zeros(2, 4), torch.tensor([0, 1]))
    tensor([1.0819, 0.8540])
    """
    logits, target = classes_last(logits, target, dim)
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be positive, got {temperature:g}")
    ground = as_ground(ground)
    indices = check_target(logits, target, n_classes_of(ground))
    ground = ground or Line.regular(logits.shape[-1])
    n_classes, z = ground.n_classes, at_least_float32(logits)
    if indices:
        loss = _of_class(z, clamped(target, n_classes), ground, temperature)
        return loss.where(is_class(target, n_classes), torch.nan)
    each = torch.arange(n_classes, device=z.device).expand(z.shape)
    every = z[..., None, :].expand(*z.shape, n_classes)
    q = target.to(z.dtype)
    # A label that never occurs costs nothing, though 0 * inf is NaN.
    losses = _of_class(every, each, ground, temperature)
    return (q * losses.where(q != 0, 0.0)).sum(-1)


def _of_class(z: Tensor, index: Tensor, ground: Ground, temperature: float) -> Tensor:
    every = torch.arange(ground.n_classes, device=index.device)
    # Each class is sorted around once, unless there are fewer rows than classes. A
    # graph may not depend on the number of rows: another batch need not have it.
    few = not torch.compiler.is_compiling() and index.numel() < ground.n_classes
    away, by = ground.cost_to(index if few else every).sort(stable=True, dim=-1)
    label = (-away / temperature).softmax(-1).to(z.dtype)
    tables = (by, label, _last_of_its_distance(away))
    by, label, last = (
        (table if few else table[index]).to(z.device) for table in tables
    )
    odds = log_odds_of_cuts(z.gather(-1, by))
    # All mass is within the largest distance.
    within = pad(logsigmoid(odds), (0, 1))
    return -(label * within.gather(-1, last)).sum(-1)


def _last_of_its_distance(away: Tensor) -> Tensor:
    """Of sorted distances, the place of the last one that is equal up to rounding."""
    n_classes = away.shape[-1]
    places = torch.arange(n_classes, device=away.device)
    farther = away[..., 1:] > away[..., :-1] * (1 + 1e-9)
    ends = pad(farther, (0, 1), value=True)
    last = places.where(ends, n_classes).flip(-1).cummin(-1).values
    return last.flip(-1)
