"""Cross-entropy of every cut. Theory: docs/maths/cumulative-cross-entropy.md."""

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
from offby.grounds import (
    Cuts,
    Ground,
    Line,
    Tree,
    as_ground,
    mass_on_both_sides,
    n_classes_of,
)
from offby.losses._log_runs import log_odds_of_runs, softplus


def cumulative_cross_entropy(
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground | None = None,
    *,
    dim: int = -1,
    impl: kernels.Impl = "auto",
) -> Float[Tensor, "*batch"]:
    r"""Cross-entropy of "at most k, or above?", summed over the cuts of the line.

    .. math:: \ell(z, q) = -\sum_k w_k \left[ G_k \log F_k
              + (1 - G_k) \log(1 - F_k) \right]

    On a tree the question is "below this edge, or not?", with w the length of the edge
    and F and G the masses below it.

    Strictly proper, feels distance, and does not go flat where the network is
    confident and wrong: every cut between the two classes still pushes with full force.
    Also known as the ranked (or continuous ranked) logarithmic score. Infinite where
    all mass on one side of a cut is impossible and the truth lies there.

    Args:
        logits: Raw network output, classes on the last axis.
        target: Integer class indices, or floating probabilities of `logits`' shape.
            An index that is no class gives NaN.
        ground: A `Line` (O(K)) or a `Tree` (O(K log K)); `Line.regular(K)` by default.
        dim: Axis of the classes in `logits` and in probabilities; the last by default.
        impl: "torch" forces the plain form, "cpp" or "triton" a kernel; see
            `offby.kernels`.

    Returns:
        One loss per example, in nats times the unit of the ground distance.

    Raises:
        NotImplementedError: On another ground.

    References:
        Tödter, Ahrens (2012), Generalization of the ignorance score, Mon. Weather Rev.
        140, doi:10.1175/MWR-D-11-00266.1.
        Li, Bondell, Reich (2019), Deep distribution regression, arXiv:1903.06023.

    >>> cumulative_cross_entropy(torch.zeros(1, 3), torch.tensor([0]))
    tensor([1.5041])
    """
    logits, target = classes_last(logits, target, dim)
    ground = as_ground(ground)
    indices = check_target(logits, target, n_classes_of(ground))
    term = kernels.Term("cumulative_cross_entropy", ground)
    kernel = kernels.choose(impl, logits, target, term)
    if kernel is not None:
        return kernel(
            lambda z: cumulative_cross_entropy(z, target, ground, impl="torch")
        )
    ground = ground or Line.regular(logits.shape[-1])
    z = at_least_float32(logits)
    match ground:
        case Line():
            loss = _over_cuts(z, target, ground)
        case Tree():
            loss = _over_edges(z, target, ground.cuts.on(z))
        case _:
            raise NotImplementedError(
                "cumulative_cross_entropy needs the cuts of a Line or a Tree, got "
                f"{ground}; use squared_emd"
            )
    if indices:
        return loss.where(is_class(target, ground.n_classes), torch.nan)
    return loss


def _over_cuts(logits: Tensor, target: Tensor, line: Line) -> Tensor:
    odds, gaps = log_odds_of_cuts(logits), line.gaps.to(logits)
    if target.is_floating_point():
        return (gaps * _miss(odds, *mass_on_both_sides(target.to(odds.dtype)))).sum(-1)
    cut = torch.arange(1, line.n_classes, device=odds.device)
    wrong_way = torch.where(target[..., None] < cut, -odds, odds)
    return (gaps * softplus(wrong_way)).sum(-1)


def _over_edges(logits: Tensor, target: Tensor, cuts: Cuts) -> Tensor:
    odds = log_odds_of_runs(logits, cuts)
    if target.is_floating_point():
        q = target.to(odds.dtype)
        miss = _miss(odds, cuts.inside(q).clamp(min=0.0), cuts.outside(q))
        return (cuts.weights * miss).sum(-1)
    holds = cuts.hold(clamped(target, logits.shape[-1]))
    wrong_way = torch.where(holds, -odds, odds)
    return (cuts.weights * softplus(wrong_way)).sum(-1)


def _miss(odds: Tensor, q_inside: Tensor, q_outside: Tensor) -> Tensor:
    """Binary cross-entropy of predicted log odds against the masses of both sides."""
    # A side without target mass costs nothing, though 0 * inf is NaN.
    miss_inside = softplus(-odds.where(q_inside != 0, 0.0)) * q_inside
    miss_outside = softplus(odds.where(q_outside != 0, 0.0)) * q_outside
    return miss_inside + miss_outside


def log_odds_of_cuts(logits: Tensor) -> Tensor:
    """log F_k - log(1 - F_k) at every cut, each side summed in log space.

    So small a tail is exact on either side; log(1 - F) would end at log(eps).
    """
    impossible = logits.isneginf()
    logits = logits - logits.amax(-1, keepdim=True).detach()
    # The backward pass of logcumsumexp subtracts its results: -inf would give NaN. So
    # impossible classes stay finite inside, and a side of only such is set right after.
    logits = logits.clamp(min=torch.finfo(logits.dtype).min / 4)
    below = logits.logcumsumexp(-1).masked_fill(_all_so_far(impossible), -torch.inf)
    logits, impossible = logits.flip(-1), impossible.flip(-1)
    above = logits.logcumsumexp(-1).masked_fill(_all_so_far(impossible), -torch.inf)
    return below[..., :-1] - above.flip(-1)[..., 1:]


def _all_so_far(flags: Tensor) -> Tensor:
    return flags.cummin(-1).values
