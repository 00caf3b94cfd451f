"""Cross-entropy: it feels no distance. Theory: docs/maths/cross-entropy.md."""

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


def cross_entropy(
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    *,
    dim: int = -1,
    impl: kernels.Impl = "auto",
) -> Float[Tensor, "*batch"]:
    r"""Minus the log-probability of the truth.

    .. math:: \ell(z, q) = -\sum_j q_j \log p_j, \qquad p = \operatorname{softmax}(z)

    Strictly proper. It looks at the mass on the true class alone: where the rest lies
    makes no difference. Infinite where a class of positive target mass is impossible.

    Args:
        logits: Raw network output, classes on the last axis.
        target: Integer class indices, or floating probabilities of `logits`' shape.
            The dtype decides. An index that is no class gives NaN.
        dim: Axis of the classes in `logits` and in probabilities; the last by default.
        impl: "torch" forces the plain form, "cpp" or "triton" a kernel; see
            `offby.kernels`.

    Returns:
        One loss per example, in nats; float32 for half-precision logits.

    References:
        Good (1952), Rational decisions, J. R. Stat. Soc. B 14.

    >>> cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor([1.3863, 1.3863])
    """
    logits, target = classes_last(logits, target, dim)
    indices = check_target(logits, target)
    kernel = kernels.choose(impl, logits, target, kernels.Term("cross_entropy"))
    if kernel is not None:
        return kernel(lambda z: cross_entropy(z, target, impl="torch"))
    log_p = at_least_float32(logits).log_softmax(-1)
    n_classes = logits.shape[-1]
    if indices:
        at = clamped(target, n_classes)[..., None]
        loss = -log_p.gather(-1, at).squeeze(-1)
        return loss.where(is_class(target, n_classes), torch.nan)
    q = target.to(log_p.dtype)
    # No mass on an impossible class costs nothing, though 0 * inf is NaN.
    return -(q * log_p.where(q != 0, 0.0)).sum(-1)
