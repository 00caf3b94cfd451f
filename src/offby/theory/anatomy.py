"""What a loss does to a prediction. Theory: docs/maths/anatomy.md."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.overrides import TorchFunctionMode

from offby import kernels
from offby._checks import check_tensor

LossFunction = Callable[..., Tensor]
"""Any `(logits, target) -> one value per row`."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A loss taken apart at one prediction, or at each of a batch."""

    value: Float[Tensor, "*batch"]
    """The loss, in its own units."""
    mass_weights: Float[Tensor, "*batch classes"]
    """Slope of the loss in the mass of each class, every mass moved by itself."""
    pushes: Float[Tensor, "*batch classes"]
    """How training moves each logit: minus the slope of the loss in it."""


def anatomy(
    loss: LossFunction,
    logits: Float[Tensor, "*batch classes"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
) -> Anatomy:
    r"""What a loss weighs, and where it pushes.

    .. math:: -\frac{\partial \ell}{\partial z_j} = -p_j \Big(g_j - \sum_i p_i g_i\Big),
              \qquad g = \frac{\partial \ell}{\partial p}

    Masses sum to 1, so the weights g are determined up to a constant: adding one to
    all of them changes no push. They are given as the loss's own formula has them, with
    the masses taken as free numbers: -1/p on the true class and 0 elsewhere for the
    cross-entropy, 0 on the true class and the distance elsewhere for Wasserstein.
    A loss that does not get its masses from PyTorch's `softmax` or `log_softmax`
    has weights with :math:`\sum_i p_i g_i = 0` instead.

    Args:
        loss: Any function of logits and target that gives one value per row.
        logits: Raw network output, classes on the last axis; taken apart in float64.
        target: What the loss expects.

    Returns:
        The value, the weights of the masses and the pushes on the logits. Weights are
        NaN on classes whose mass underflows to zero.

    >>> from offby.losses import wasserstein
    >>> found = anatomy(wasserstein, torch.zeros(3), torch.tensor(0))
    >>> found.mass_weights
    tensor([0., 1., 2.], dtype=torch.float64)
    >>> found.pushes
    tensor([ 0.3333, -0.0000, -0.3333], dtype=torch.float64)
    """
    check_tensor("logits", logits)
    check_tensor("target", target)
    if target.is_floating_point():
        target = target.double()
    log_p = logits.detach().double().log_softmax(-1)
    value, slopes = _slopes(loss, log_p, target)
    with _FreeMasses():
        _, free = _slopes(loss, log_p, target)
    p = log_p.exp()
    # Free masses must give the same pushes. Where they do not, the loss normalizes by
    # other means than softmax, and only the centered weights are known.
    same = torch.isclose(free - p * free.sum(-1, keepdim=True), slopes, atol=1e-9)
    weights = torch.where(same.all(-1, keepdim=True), free, slopes) / p
    return Anatomy(value, weights, -slopes)


def _slopes(loss: LossFunction, log_p: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    at = log_p.clone().requires_grad_()
    # Only the plain form calls the softmax that `_FreeMasses` replaces.
    with kernels.using("torch"):
        value = loss(at, target)
    if value.shape != log_p.shape[:-1]:
        raise ValueError(
            f"loss must give one value per row, shape {tuple(log_p.shape[:-1])}, "
            f'got shape {tuple(value.shape)}; criteria need `reduction="none"`'
        )
    (slopes,) = torch.autograd.grad(value.sum(), at)
    return value.detach(), slopes


_SOFTMAX = frozenset(
    {torch.softmax, Tensor.softmax, torch.nn.functional.softmax, torch.special.softmax}
)
_LOG_SOFTMAX = frozenset(
    {
        torch.log_softmax,
        Tensor.log_softmax,
        torch.nn.functional.log_softmax,
        torch.special.log_softmax,
    }
)


class _FreeMasses(TorchFunctionMode):
    """Takes logits for log masses as they are, without dividing by their sum."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func in _SOFTMAX:
            return args[0].exp()
        if func in _LOG_SOFTMAX:
            return args[0].clone()
        return func(*args, **(kwargs or {}))
