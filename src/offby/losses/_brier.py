"""The Brier score as a loss: it feels no distance. Theory: docs/maths/brier.md."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from offby._checks import at_least_float32, check_target, classes_last, is_class
from offby.losses._masses import mass_difference


def brier(
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    *,
    dim: int = -1,
) -> Float[Tensor, "*batch"]:
    r"""Squared error of the probabilities, summed over the classes.

    .. math:: \ell(z, q) = \sum_k (p_k - q_k)^2, \qquad p = \operatorname{softmax}(z)

    Strictly proper, and between 0 and 2, so that a single wrong label cannot cost more
    than that. Which class the missing mass is on makes a difference by how it is spread
    alone, not by distance. It goes flat where the network is confident and wrong. K
    times the MCE ("mean squared error of the classes") of other packages, and twice
    `squared_emd` on `Costs.equal`.

    Args:
        logits: Raw network output, classes on the last axis.
        target: Integer class indices, or floating probabilities of `logits`' shape.
            An index that is no class gives NaN.
        dim: Axis of the classes in `logits` and in probabilities; the last by default.

    Returns:
        One loss per example.

    References:
        Brier (1950), Verification of forecasts expressed in terms of probability, Mon.
        Weather Rev. 78, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
        Vargas, Gutiérrez, Barbero-Gómez, Hervás-Martínez (2023), Soft labelling based
        on triangular distributions for ordinal classification, Information Fusion 93
        (MCE beside the weighted kappa).

    >>> brier(torch.zeros(2, 4), torch.tensor([0, 1]))
    tensor([0.7500, 0.7500])
    """
    logits, target = classes_last(logits, target, dim)
    indices = check_target(logits, target)
    p = at_least_float32(logits).softmax(-1)
    if not indices:
        return (p - target.to(p.dtype)).square().sum(-1)
    loss = mass_difference(p, target).square().sum(-1)
    return loss.where(is_class(target, logits.shape[-1]), torch.nan)
