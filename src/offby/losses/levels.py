"""Losses of K - 1 outputs that each answer "above class k?". Page: docs/heads.md.

Some networks for ordered classes end in K - 1 independent outputs, one for each cut
between the classes. Such outputs may contradict each other ("above 3, but not above
2"), so they are no distribution over classes, and only the losses in this file fit
them. `log_probs` makes a distribution of them. The heads in `offby.nn.heads` cannot
contradict themselves, and take any loss.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from offby._checks import (
    at_least_float32,
    check_floating,
    check_index,
    is_class,
)

__all__ = ["cross_entropy", "encoded", "log_probs", "squared_error"]


def encoded(
    target: Int[Tensor, "*batch"],
    n_classes: int,
    *,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "*batch cuts"]:
    """Classes as the answers to "above class k?", k from 0 to K - 2.

    Args:
        target: Class indices. An index that is no class gives a row of NaN.
        n_classes: How many classes there are.
        dtype: Of the result.

    >>> encoded(torch.tensor([0, 2]), 4)
    tensor([[0., 0., 0.],
            [1., 1., 0.]])
    """
    check_index("target", target)
    cuts = torch.arange(n_classes - 1, device=target.device)
    above = (target[..., None] > cuts).to(dtype)
    return above.where(is_class(target, n_classes)[..., None], torch.nan)


def cross_entropy(
    levels: Float[Tensor, "*batch cuts"], target: Int[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    r"""Binary cross-entropy of every cut, summed: the loss of OR-CNN and of CORAL.

    .. math:: \ell(z, y) = -\sum_k \left[ 1_{y > k} \log \sigma(z_k)
              + 1_{y \le k} \log \sigma(-z_k) \right]

    Where the levels fall from cut to cut it is `cumulative_cross_entropy` of the
    classes that they stand for.

    Args:
        levels: Raw outputs, one for each cut between neighboring classes.
        target: Class indices 0 to K - 1, K one more than there are levels. An index
            that is no class gives NaN.

    Returns:
        One loss per example, in nats.

    References:
        Niu, Zhou, Wang, Gao, Hua (2016), Ordinal regression with multiple output CNN
        for age estimation, CVPR, doi:10.1109/CVPR.2016.532.
        Cao, Mirjalili, Raschka (2020), doi:10.1016/j.patrec.2020.11.008.

    >>> cross_entropy(torch.zeros(2, 3), torch.tensor([0, 3]))
    tensor([2.0794, 2.0794])
    """
    z, above = _pair(levels, target)
    return -(above * logsigmoid(z) + (1 - above) * logsigmoid(-z)).sum(-1)


def squared_error(
    levels: Float[Tensor, "*batch cuts"], target: Int[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    r"""Squared distance of the answers from the right ones: OBD with squared error.

    .. math:: \ell(z, y) = \sum_k (\sigma(z_k) - 1_{y > k})^2

    Where the levels fall from cut to cut it is `squared_emd` of the classes that they
    stand for.

    Args:
        levels: Raw outputs, one for each cut between neighboring classes.
        target: Class indices 0 to K - 1, K one more than there are levels. An index
            that is no class gives NaN.

    Returns:
        One loss per example.

    References:
        Barbero-Gómez, Gutiérrez, Hervás-Martínez (2023), Error-correcting output codes
        in the framework of deep ordinal classification, Neural Processing Letters 55,
        doi:10.1007/s11063-022-10824-7.

    >>> squared_error(torch.zeros(2, 3), torch.tensor([0, 3]))
    tensor([0.7500, 0.7500])
    """
    z, above = _pair(levels, target)
    # Each miss from its own side: 1 - sigmoid would lose the digits of a small one.
    return torch.sigmoid(torch.where(above > 0.5, -z, z)).square().sum(-1) + 0 * (
        above.sum(-1)
    )


def log_probs(levels: Float[Tensor, "*batch cuts"]) -> Float[Tensor, "*batch classes"]:
    """Log-probabilities of the classes, of levels that may contradict each other.

    The levels are sorted first, so that the chance to be above class k falls with k.
    Classes between levels closer than 1e-6 count as that far apart.

    Args:
        levels: Raw outputs, one for each cut between neighboring classes.

    >>> log_probs(torch.tensor([2.0, -1.0])).exp().round(decimals=3)
    tensor([0.1190, 0.6120, 0.2690])
    """
    check_floating("levels", levels)
    z = at_least_float32(levels).sort(-1, descending=True).values
    gaps = (-z.diff()).clamp(min=1e-6)
    above, below = logsigmoid(z), logsigmoid(-z)
    # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - e^-(a - b)).
    between = above[..., :-1] + below[..., 1:] + torch.log(-torch.expm1(-gaps))
    return torch.cat([below[..., :1], between, above[..., -1:]], -1)


def _pair(levels: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    check_floating("levels", levels)
    if levels.ndim == 0 or levels.shape[-1] == 0:
        raise ValueError(
            "levels must have the cuts between the classes on their last axis, "
            f"got shape {tuple(levels.shape)}"
        )
    z = at_least_float32(levels)
    above = encoded(target, levels.shape[-1] + 1, dtype=z.dtype)
    if above.shape != levels.shape:
        raise ValueError(
            "target must hold one class index for each row of levels, shape "
            f"{tuple(levels.shape[:-1])}, got shape {tuple(target.shape)}"
        )
    return z, above
