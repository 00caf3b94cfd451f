"""Squared earth mover's distance. Theory: docs/maths/squared-emd.md."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from offby import kernels
from offby._checks import at_least_float32, check_target, classes_last, is_class
from offby.grounds import (
    Circle,
    Costs,
    Cuts,
    Ground,
    Line,
    Tree,
    as_ground,
    mass_on_both_sides,
    n_classes_of,
)
from offby.losses._masses import (
    cdf_gap,
    far_side,
    full_product,
    mass_difference,
    nan_where_undefined,
)


def squared_emd(
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground | None = None,
    *,
    dim: int = -1,
    impl: kernels.Impl = "auto",
) -> Float[Tensor, "*batch"]:
    r"""Squared earth mover's distance: the energy distance between two distributions.

    .. math:: \ell(z, q) = p'Dq - \tfrac12 p'Dp - \tfrac12 q'Dq
              \;\overset{\text{line}}{=}\; \sum_k w_k (F_k - G_k)^2

    On a line it is the squared EMD of Hou et al. and the ranked probability score, that
    is the CRPS of a distribution on the positions; with `Costs.equal` half the Brier
    score. Proper where the ground is of negative type, strictly where strictly so: a
    network trained with it on noisy classes ends at their frequencies. On a tree it is
    the sum of the squared misses of mass below each edge, on the arcs of a circle of
    those on one side of each diameter. O(K) on all grounds but `Costs`, which take one
    product with the matrix.

    NOTE[DIFF] the sum over the classes, as in the paper, not the mean and not its root;
    the root (NIMA and many copies) is another loss, and not proper.

    Args:
        logits: Raw network output, classes on the last axis.
        target: Integer class indices, or floating probabilities of `logits`' shape.
            An index that is no class gives NaN.
        ground: How far apart the classes are; `Line.regular(K)` by default.
        dim: Axis of the classes in `logits` and in probabilities; the last by default.
        impl: "torch" forces the plain form, "cpp" or "triton" a kernel; see
            `offby.kernels`.

    Returns:
        One loss per example, in units of the ground distance.

    Raises:
        ValueError: On asymmetric costs.

    References:
        Hou, Yu, Samaras (2016), Squared earth mover's distance-based loss for training
        deep neural networks, arXiv:1611.05916.
        Gneiting, Raftery (2007), Strictly proper scoring rules, JASA 102,
        doi:10.1198/016214506000001437.
        Martinez et al. (2016), Relaxed earth mover's distances for chain- and
        tree-connected spaces, arXiv:1611.07573.

    >>> squared_emd(torch.zeros(2, 4), torch.tensor([0, 1]))
    tensor([0.8750, 0.3750])
    """
    logits, target = classes_last(logits, target, dim)
    ground = as_ground(ground)
    indices = check_target(logits, target, n_classes_of(ground))
    kernel = kernels.choose(impl, logits, target, kernels.Term("squared_emd", ground))
    if kernel is not None:
        return kernel(lambda z: squared_emd(z, target, ground, impl="torch"))
    ground = ground or Line.regular(logits.shape[-1])
    p = at_least_float32(logits).softmax(-1)
    if indices:
        loss = _between(p, target, ground)
        return loss.where(is_class(target, ground.n_classes), torch.nan)
    q = target.to(p.dtype)
    return nan_where_undefined(_between(p, q, ground), q)


def _between(p: Tensor, target: Tensor, ground: Ground) -> Tensor:
    match ground:
        case Line():
            return _on_a_line(p, target, ground)
        case Circle(distance="chord"):
            return _on_chords(p, target, ground)
        case Circle() | Tree():
            return _across_cuts(p, target, ground.cuts.on(p))
        case _:
            return _energy(p, target, ground)


def _on_a_line(p: Tensor, target: Tensor, line: Line) -> Tensor:
    gaps = line.gaps.to(p)
    if target.is_floating_point():
        return (gaps * cdf_gap(p, target).square()).sum(-1)
    below, above = mass_on_both_sides(p)
    cut = torch.arange(1, line.n_classes, device=p.device)
    miss = torch.where(target[..., None] < cut, above, below)
    return (gaps * miss.square()).sum(-1)


def _across_cuts(p: Tensor, target: Tensor, cuts: Cuts) -> Tensor:
    if target.is_floating_point():
        miss = cuts.inside(p - target)
    else:
        miss = far_side(p, target, cuts)
    return (cuts.weights * miss.square()).sum(-1)


def _on_chords(p: Tensor, target: Tensor, circle: Circle) -> Tensor:
    """Energy in O(K): sin(a - b) = sin a cos b - cos a sin b, a sum on each side."""
    # In float64: angles of neighbors among many classes agree in most of their digits.
    extra = _difference(p, target).double()
    period = circle.period.to(extra)
    angle = torch.pi / period * circle.positions.to(extra)
    sin, cos = extra * angle.sin(), extra * angle.cos()
    pairs = sin * (cos.cumsum(-1) - cos) - cos * (sin.cumsum(-1) - sin)
    return -(period / torch.pi * pairs.sum(-1)).to(p.dtype)


def _energy(p: Tensor, target: Tensor, ground: Ground) -> Tensor:
    if isinstance(ground, Costs) and ground.asymmetric:
        raise ValueError(
            f"squared_emd needs symmetric costs, got {ground}: it would not be proper "
            "on others; use wasserstein, or the mean of the matrix and its transpose"
        )
    extra = _difference(p, target)
    return -(extra * full_product(extra, ground.cost.to(p))).sum(-1) / 2


def _difference(p: Tensor, target: Tensor) -> Tensor:
    return p - target if target.is_floating_point() else mass_difference(p, target)
