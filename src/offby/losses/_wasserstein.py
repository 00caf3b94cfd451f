"""Wasserstein (earth mover's) distance. Theory: docs/maths/wasserstein.md."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from offby import kernels
from offby._checks import check_target
from offby._histogram import tails
from offby.grounds import Ground, Line, n_classes_of
from offby.losses._mass import known, reachable, widened


def wasserstein(
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground | None = None,
    *,
    p: float = 1,
    impl: kernels.Impl = "auto",
) -> Float[Tensor, "*batch"]:
    r"""Least cost of moving the predicted mass onto the true mass, :math:`W_p^p`.

    .. math:: \ell(z, y) = \sum_j \operatorname{softmax}(z)_j \, d(j, y)^p

    for a class y. For a distribution on a line with p = 1 it is the area between the
    two distribution functions, for p > 1 the cost of the monotone coupling.

    Not proper: trained on noisy classes it ends as one spike on their median (p = 1),
    or on the class nearest to their mean (p = 2). It also goes flat where the network
    is confident and wrong. Add `cross_entropy`, or use `squared_emd`.

    Args:
        logits: Raw network output, classes on the last axis.
        target: Integer class indices (any ground), or floating probabilities of
            `logits`' shape (on a line). An index that is no class gives NaN.
        ground: How far apart the classes are; `Line.regular(K)` by default.
        p: Power of the distance, at least 1.
        impl: "torch" forces the plain form, "cpp" or "triton" a twin; see
            `offby.kernels`.

    Returns:
        One loss per example, in units of the ground distance to the power p.

    Raises:
        NotImplementedError: For a distribution as target on a ground other than a line.

    References:
        Frogner et al. (2015), Learning with a Wasserstein loss, arXiv:1506.05439.
        Villani (2003), Topics in optimal transportation, section 2.2 (the line).

    >>> wasserstein(torch.zeros(2, 3), torch.tensor([0, 1]))
    tensor([1.0000, 0.6667])
    """
    if not p >= 1:
        raise ValueError(f"p must be at least 1, got {p:g}")
    indices = check_target(logits, target, n_classes_of(ground))
    term = kernels.Term("wasserstein", ground, power=p)
    twin = kernels.choose(impl, logits, target, term)
    if twin is not None:
        return twin(lambda z: wasserstein(z, target, ground, p=p, impl="torch"))
    ground = ground or Line.regular(logits.shape[-1])
    mass = widened(logits).softmax(-1)
    if indices:
        cost = _cost_to(ground, target).to(mass.dtype).pow(p)
        loss = (mass * cost.to(mass.device)).sum(-1)
        return loss.where(known(target, ground.n_classes), torch.nan)
    if not isinstance(ground, Line):
        raise NotImplementedError(
            "wasserstein takes a distribution as target on a Line only, got "
            f"{ground}; pass class indices, or use squared_emd"
        )
    if p == 1:
        return _area_between(mass, target.to(mass.dtype), ground)
    return _monotone_coupling(mass, target.to(mass.dtype), ground, p)


def _cost_to(ground: Ground, index: Tensor) -> Tensor:
    """Distance of every class from each true class, without K x K on a line."""
    at = reachable(index, ground.n_classes)
    if isinstance(ground, Line):
        positions = ground.positions.to(index.device)
        # Not positions[at]: under vmap a single index would be read on the host.
        return (positions - positions[at[..., None]]).abs()
    return ground.cost.to(index.device)[at]


def _area_between(mass: Tensor, q: Tensor, line: Line) -> Tensor:
    gaps = line.gaps.to(mass)
    return (gaps * cdf_gap(mass, q).abs()).sum(-1)


def cdf_gap(mass: Tensor, q: Tensor) -> Tensor:
    """Predicted minus true distribution function at each cut, from the small side."""
    below, above = tails(mass)
    q_below, q_above = tails(q)
    lower = below + q_below <= above + q_above
    return torch.where(lower, below - q_below, q_above - above)


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
