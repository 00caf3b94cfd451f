"""Class-distance-weighted cross-entropy. Theory: docs/maths/cdw-cross-entropy.md."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from offby._checks import (
    at_least_float32,
    check_target,
    clamped,
    classes_last,
    is_class,
)
from offby.grounds import Ground, Line, as_ground, n_classes_of
from offby.losses._masses import full_product


def cdw_cross_entropy(
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground | None = None,
    *,
    power: float = 1.0,
    margin: float = 0.0,
    dim: int = -1,
) -> Float[Tensor, "*batch"]:
    r"""Cross-entropy of the wrong classes: each costs by its distance from the truth.

    .. math:: \ell(z, y) = -\sum_i d(i, y)^{\text{power}} \log(1 - p_i)

    It asks every wrong class to be improbable, the farther the more, and does not look
    at the mass on the true class. Not proper with more than two classes: it ends with
    the mass on the classes of least expected cost e, in the amounts 1 - e / c, and none
    where e reaches c. It does not go flat where the network is confident and wrong.

    Args:
        logits: Raw network output, classes on the last axis.
        target: Integer class indices, or floating probabilities of `logits`' shape: the
            expected loss of a label drawn from them. An index that is no class gives
            NaN.
        ground: How far apart the classes are; `Line.regular(K)` by default.
        power: Power of the distance, positive. The paper's best was 5.
        margin: Wrong mass up to this much costs nothing: 1 - p + margin stands for
            1 - p, and 1 at most. From 0 to below 1.
        dim: Axis of the classes in `logits` and in probabilities; the last by default.

    Returns:
        One loss per example, in nats times the ground distance to that power.

    References:
        Polat, Ergenc, Kani, Alahdab, Sahin, Temizel (2022), Class distance weighted
        cross-entropy loss for ulcerative colitis severity estimation, MIUA,
        arXiv:2202.05167.

    >>> cdw_cross_entropy(torch.zeros(2, 4), torch.tensor([0, 1]))
    tensor([1.7261, 1.1507])
    """
    logits, target = classes_last(logits, target, dim)
    if not power > 0:
        raise ValueError(f"power must be positive, got {power:g}")
    if not 0 <= margin < 1:
        raise ValueError(
            f"margin must be from 0 to below 1, got {margin:g}; it is the share of the "
            "mass that a wrong class may have for nothing"
        )
    ground = as_ground(ground)
    indices = check_target(logits, target, n_classes_of(ground))
    ground = ground or Line.regular(logits.shape[-1])
    z = at_least_float32(logits)
    if margin:
        elsewhere = torch.log1p(-(z.softmax(-1) - margin).clamp(min=0.0))
    else:
        elsewhere = _log_elsewhere(z)
    if indices:
        cost = ground.cost_to(clamped(target, ground.n_classes)).to(z.device)
        cost = cost.pow(power).to(z.dtype)
    else:
        # Transposed: rows of costs are predictions, columns the truth.
        costs = ground.cost.T.pow(power).to(z)
        cost = full_product(target.to(z.dtype), costs)
    # What costs nothing may have all mass, though 0 * inf is NaN.
    loss = -(cost * elsewhere.where(cost != 0, 0.0)).sum(-1)
    if indices:
        return loss.where(is_class(target, ground.n_classes), torch.nan)
    return loss


def _log_elsewhere(z: Tensor) -> Tensor:
    """log(1 - p) of each class: exact for small p, and in log space for p near 1."""
    n_classes = z.shape[-1]
    p = z.softmax(-1)
    heavy = p > 0.5
    light = torch.log1p(-p.where(~heavy, 0.0))
    # Only one class can hold more than half: the sum of the others, without it.
    impossible = z.isneginf()
    shifted = (z - z.amax(-1, keepdim=True).detach()).clamp(
        min=torch.finfo(z.dtype).min / 4
    )
    top = z.detach().argmax(-1, keepdim=True)
    others = torch.arange(n_classes, device=z.device) != top
    rest = shifted.masked_fill(~others, torch.finfo(z.dtype).min / 4)
    log_rest = rest.logsumexp(-1, keepdim=True) - shifted.logsumexp(-1, keepdim=True)
    nothing = (impossible | ~others).all(-1, keepdim=True)
    return torch.where(heavy, log_rest.masked_fill(nothing, -torch.inf), light)
