"""Squared mass weighed by distance. Theory: docs/maths/squared-mass.md."""

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
from offby.grounds import Ground, as_ground
from offby.losses._masses import full_product


def squared_mass(
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground,
    *,
    power: float = 1.0,
    offset: float = 0.0,
    dim: int = -1,
) -> Float[Tensor, "*batch"]:
    r"""Squared mass of each class, weighed by its distance from the truth.

    .. math:: \ell(z, y) = \sum_i p_i^2 \, (d(i, y)^{\text{power}} + \text{offset})

    The regularizer of Hou et al. for classes without order, to be added to the
    cross-entropy, best on a ground normalized to largest distance 1 (`MixedLoss`,
    `LearnedCosts`). A negative offset rewards mass on the classes nearer than
    -offset^(1/power), the true one above all. Not proper: on noisy classes it ends with
    masses in inverse proportion to their expected weights, so far as those are
    positive. For a distribution the weight is the expected one.

    NOTE[DIFF] the sign of the offset in the paper could not be made certain. It is an
    argument here, zero by default; public implementations use -0.5^power.

    Args:
        logits: Raw network output, classes on the last axis.
        target: Integer class indices, or floating probabilities of `logits`' shape.
            An index that is no class gives NaN.
        ground: How far apart the classes are.
        power: Power of the distance, positive.
        offset: Added to every power of a distance.
        dim: Axis of the classes in `logits` and in probabilities; the last by default.

    Returns:
        One loss per example, in units of the ground distance to that power.

    References:
        Hou, Yu, Samaras (2016), Squared earth mover's distance-based loss for training
        deep neural networks, arXiv:1611.05916, section 3.3.

    >>> from offby import Line
    >>> squared_mass(torch.zeros(2, 4), torch.tensor([0, 1]), Line.regular(4))
    tensor([0.3750, 0.2500])
    """
    logits, target = classes_last(logits, target, dim)
    if not power > 0:
        raise ValueError(f"power must be positive, got {power:g}")
    ground = as_ground(ground)
    indices = check_target(logits, target, ground.n_classes)
    p = at_least_float32(logits).softmax(-1)
    if indices:
        at = clamped(target, ground.n_classes)
        away = ground.cost_to(at).pow(power).to(p)
    else:
        # Transposed: rows of costs are predictions, columns the truth.
        away = full_product(target.to(p.dtype), ground.cost.T.pow(power).to(p))
    loss = (p.square() * (away + offset)).sum(-1)
    if indices:
        return loss.where(is_class(target, ground.n_classes), torch.nan)
    return loss
