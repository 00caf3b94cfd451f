"""Wasserstein (earth mover's) distance. Theory: docs/maths/wasserstein.md."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from offby import kernels
from offby._checks import (
    at_least_float32,
    check_target,
    clamped,
    classes_last,
    is_class,
)
from offby.grounds import Circle, Ground, Line, Tree, as_ground, n_classes_of
from offby.losses._masses import cdf_gap, nan_where_undefined
from offby.losses._transport import transport_cost


def wasserstein(
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground | None = None,
    *,
    p: float = 1,
    dim: int = -1,
    impl: kernels.Impl = "auto",
) -> Float[Tensor, "*batch"]:
    r"""Least cost of moving the predicted mass onto the true mass, :math:`W_p^p`.

    .. math:: \ell(z, y) = \sum_j \operatorname{softmax}(z)_j \, d(j, y)^p

    for a class y. For a distribution on a line with p = 1 it is the area between the
    two distribution functions, for p > 1 the cost of the monotone coupling; on a tree
    with p = 1 the miss of mass below each edge, times its length; on the arcs of a
    circle with p = 1 the least area over all places to begin at. Everything else is
    solved exactly by the network simplex of POT, on the CPU, one row after the other
    (O(K^3 log K) or so each); for much of it `sinkhorn` is the way.

    Not proper: trained on noisy classes it ends as one spike, on the class of least
    expected cost: their median (on a line, p = 1), or the class nearest to their mean
    (p = 2). It also goes flat where the network is confident and wrong. Add
    `cross_entropy`, or use `squared_emd`.

    Args:
        logits: Raw network output, classes on the last axis.
        target: Integer class indices, or floating probabilities of `logits`' shape.
            An index that is no class gives NaN.
        ground: How far apart the classes are; `Line.regular(K)` by default.
        p: Power of the distance, at least 1.
        dim: Axis of the classes in `logits` and in probabilities; the last by default.
        impl: "torch" forces the plain form, "cpp" or "triton" a kernel; see
            `offby.kernels`.

    Returns:
        One loss per example, in units of the ground distance to the power p.

    Raises:
        RuntimeError: Where a solver is needed and POT is not installed.

    References:
        Frogner et al. (2015), Learning with a Wasserstein loss, arXiv:1506.05439.
        Villani (2003), Topics in optimal transportation, section 2.2 (the line).
        Delon, Salomon, Sobolevskii (2010), Fast transport optimization for Monge costs
        on the circle, SIAM J. Appl. Math. 70, doi:10.1137/090772708.
        Bonneel, van de Panne, Paris, Heidrich (2011), Displacement interpolation using
        Lagrangian mass transport, ACM Trans. Graph. 30, doi:10.1145/2070781.2024192.

    >>> wasserstein(torch.zeros(2, 3), torch.tensor([0, 1]))
    tensor([1.0000, 0.6667])
    """
    logits, target = classes_last(logits, target, dim)
    if not p >= 1:
        raise ValueError(f"p must be at least 1, got {p:g}")
    ground = as_ground(ground)
    indices = check_target(logits, target, n_classes_of(ground))
    term = kernels.Term("wasserstein", ground, power=p)
    kernel = kernels.choose(impl, logits, target, term)
    if kernel is not None:
        return kernel(lambda z: wasserstein(z, target, ground, p=p, impl="torch"))
    ground = ground or Line.regular(logits.shape[-1])
    mass = at_least_float32(logits).softmax(-1)
    if indices:
        # One class can be reached in one way only: no solver, on any ground.
        at = clamped(target, ground.n_classes)
        cost = ground.cost_to(at).to(mass.device).pow(p).to(mass.dtype)
        loss = (mass * cost).sum(-1)
        return loss.where(is_class(target, ground.n_classes), torch.nan)
    q = target.to(mass.dtype)
    return nan_where_undefined(_between(mass, q, ground, p), q)


def _between(mass: Tensor, q: Tensor, ground: Ground, p: float) -> Tensor:
    match ground:
        case Line() if p == 1:
            return _area_between(mass, q, ground)
        case Line():
            return _monotone_coupling(mass, q, ground, p)
        case Tree() if p == 1:
            cuts = ground.cuts.on(mass)
            return (cuts.weights * cuts.inside(mass - q).abs()).sum(-1)
        case Circle(distance="arc") if p == 1:
            return _around(mass, q, ground)
        case _:
            return transport_cost(mass, q, ground.cost.pow(p))


def _area_between(mass: Tensor, q: Tensor, line: Line) -> Tensor:
    gaps = line.gaps.to(mass)
    return (gaps * cdf_gap(mass, q).abs()).sum(-1)


def _around(mass: Tensor, q: Tensor, circle: Circle) -> Tensor:
    """Least area between the distribution functions, over all places to begin at.

    Another beginning shifts their difference by a constant; the weighted median is the
    best one.
    """
    gaps = circle.gaps.to(mass)
    flow = (mass - q).cumsum(-1)
    ordered, by = flow.detach().sort(-1)
    enough = gaps[by].cumsum(-1) >= gaps.sum() / 2
    median = ordered.gather(-1, enough.int().argmax(-1, keepdim=True))
    # The median moves with the flow that it is; of equal ones, with each by its share.
    share = gaps * (flow == median)
    shift = (share * flow).sum(-1, keepdim=True) / share.sum(-1, keepdim=True)
    return (gaps * (flow - shift).abs()).sum(-1)


def _monotone_coupling(mass: Tensor, q: Tensor, line: Line, p: float) -> Tensor:
    """Cost of moving the u-quantile of one to the u-quantile of the other, all u."""
    below = mass.cumsum(-1)[..., :-1]
    q_below = q.cumsum(-1)[..., :-1]
    # Rounding may carry a sum past 1; levels beyond it would move mass out of nothing.
    levels = torch.cat([below, q_below], -1).clamp(max=1.0).sort(-1).values
    ends = levels[..., :1]
    levels = torch.cat([torch.zeros_like(ends), levels, torch.ones_like(ends)], -1)
    middle = ((levels[..., 1:] + levels[..., :-1]) / 2).detach()
    positions = line.positions.to(mass)
    here = positions[torch.searchsorted(below.detach().contiguous(), middle)]
    there = positions[torch.searchsorted(q_below.contiguous(), middle)]
    return (levels.diff(dim=-1) * (here - there).abs().pow(p)).sum(-1)
