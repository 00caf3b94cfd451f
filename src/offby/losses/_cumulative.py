"""Cross-entropy of every cut. Theory: docs/maths/cumulative-cross-entropy.md."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from offby import kernels
from offby._checks import check_target
from offby._histogram import tails
from offby.grounds import Ground, Line, n_classes_of
from offby.losses._mass import known, widened


def cumulative_cross_entropy(
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground | None = None,
    *,
    impl: kernels.Impl = "auto",
) -> Float[Tensor, "*batch"]:
    r"""Cross-entropy of "at most k, or above?", summed over the cuts of the line.

    .. math:: \ell(z, q) = -\sum_k w_k \left[ G_k \log F_k
              + (1 - G_k) \log(1 - F_k) \right]

    Strictly proper, feels distance, and does not go flat where the network is
    confident and wrong: every cut between the two classes still pushes with full force.
    Also known as the ranked (or continuous ranked) logarithmic score. Infinite where
    all mass on one side of a cut is impossible and the truth lies there.

    Args:
        logits: Raw network output, classes on the last axis.
        target: Integer class indices, or floating probabilities of `logits`' shape.
            An index that is no class gives NaN.
        ground: A `Line`; `Line.regular(K)` by default.
        impl: "torch" forces the plain form, "cpp" or "triton" a twin; see
            `offby.kernels`.

    Returns:
        One loss per example, in nats times the unit of the ground distance.

    Raises:
        NotImplementedError: On a ground that is not a line.

    References:
        Tödter, Ahrens (2012), Generalization of the ignorance score, Mon. Weather Rev.
        140, doi:10.1175/MWR-D-11-00266.1.
        Li, Bondell, Reich (2019), Deep distribution regression, arXiv:1903.06023.

    >>> cumulative_cross_entropy(torch.zeros(1, 3), torch.tensor([0]))
    tensor([1.5041])
    """
    indices = check_target(logits, target, n_classes_of(ground))
    term = kernels.Term("cumulative_cross_entropy", ground)
    twin = kernels.choose(impl, logits, target, term)
    if twin is not None:
        return twin(lambda z: cumulative_cross_entropy(z, target, ground, impl="torch"))
    ground = ground or Line.regular(logits.shape[-1])
    if not isinstance(ground, Line):
        raise NotImplementedError(
            f"cumulative_cross_entropy needs the cuts of a Line, got {ground}; "
            "use squared_emd"
        )
    odds = _log_odds_of_cuts(widened(logits))
    gaps = ground.gaps.to(odds)
    if indices:
        cut = torch.arange(1, ground.n_classes, device=odds.device)
        wrong_way = torch.where(target[..., None] < cut, -odds, odds)
        loss = (gaps * _softplus(wrong_way)).sum(-1)
        return loss.where(known(target, ground.n_classes), torch.nan)
    q_below, q_above = tails(target.to(odds.dtype))
    # A side without target mass costs nothing, though 0 * inf is NaN.
    miss_below = _softplus(-odds.where(q_below != 0, 0.0)) * q_below
    miss_above = _softplus(odds.where(q_above != 0, 0.0)) * q_above
    return (gaps * (miss_below + miss_above)).sum(-1)


def _log_odds_of_cuts(logits: Tensor) -> Tensor:
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


def _softplus(x: Tensor) -> Tensor:
    """log(1 + e^x) to the last digit; torch's own drops the e^-x of x above 20."""
    return -logsigmoid(-x)
