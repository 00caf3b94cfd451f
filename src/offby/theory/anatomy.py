"""What a loss does to a prediction. Theory: docs/maths/anatomy.md."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor
from torch.overrides import TorchFunctionMode

from offby import kernels
from offby.grounds import Ground
from offby.theory.minimizers import place_of_rest

Loss = Callable[..., Tensor]
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
    loss: Loss,
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


def _slopes(loss: Loss, log_p: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
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


def settles_at(
    loss: Loss, frequencies: ArrayLike, ground: Ground | None = None
) -> Float[np.ndarray, " classes"]:
    r"""Where a network ends that is trained for ever on labels of these frequencies.

    .. math:: \arg\min_p \; \sum_y f_y \, \ell(\log p, y)

    It is f itself if the loss is proper. Of offby's own functions the minimum is known:
    f, the class of least expected cost (`wasserstein`), or masses in inverse proportion
    to the expected weight (`squared_mass`). For sums of them, `sinkhorn` and any other
    loss it is found numerically, in float64, from starts all over the simplex; of
    several minima the least is given.

    Args:
        loss: Any function of logits and class indices that gives one value per row.
            `functools.partial` may fix its settings.
        frequencies: How often each class occurs; divided by their sum.
        ground: Passed to the loss as its third argument, if given.

    Returns:
        The probabilities at the minimum.

    References:
        Gneiting, Raftery (2007), Strictly proper scoring rules, JASA 102,
        doi:10.1198/016214506000001437.

    >>> from offby.losses import squared_emd, wasserstein
    >>> settles_at(squared_emd, [0.1, 0.2, 0.7]).round(3)
    array([0.1, 0.2, 0.7])
    >>> settles_at(wasserstein, [0.1, 0.2, 0.7]).round(3)
    array([0., 0., 1.])
    """
    f = np.array(frequencies, dtype=np.float64)
    if f.ndim != 1 or not (np.isfinite(f) & (f >= 0)).all() or f.sum() == 0:
        raise ValueError(
            "frequencies must be one axis of nonnegative numbers, not all zero, "
            f"got {frequencies}"
        )
    f = f / f.sum()
    rest = place_of_rest(loss, f, ground)
    if rest is not None:
        return rest
    settings = () if ground is None else (ground,)
    weights, labels = torch.tensor(f), torch.arange(len(f))

    def expected(z: np.ndarray) -> tuple[float, np.ndarray]:
        logits = torch.tensor(z, requires_grad=True)
        with kernels.using("torch"):
            values = loss(logits.expand(len(f), -1), labels, *settings)
        # A class that never occurs costs nothing, even where it is impossible.
        total = (weights * values)[weights > 0].sum()
        (slope,) = torch.autograd.grad(total, logits)
        # In a corner of the simplex a loss may have no slope (the root of a square).
        return total.item(), np.nan_to_num(slope.numpy())

    ends = [_descend(expected, start) for start in _starts(f)]
    # A minimum on the boundary lies at infinite logits: go there in one step.
    ends += [_descend(expected, _without_crumbs(z)) for _, z in ends]
    _, best = min(ends, key=lambda end: end[0])
    return torch.tensor(best).softmax(-1).numpy()


_NEVER = -1e3
"""A logit whose mass underflows to zero in float64."""


def _starts(f: np.ndarray) -> list[np.ndarray]:
    k = len(f)
    corners = np.where(np.eye(k, dtype=bool), 0.0, _NEVER)
    spikes = np.where(np.eye(k, dtype=bool), np.log(0.9), np.log(0.1 / k))
    return [np.log(np.maximum(f, 1e-6)), np.zeros(k), *spikes, *corners]


def _descend(
    expected: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray
) -> tuple[float, np.ndarray]:
    from scipy.optimize import minimize

    if not np.isfinite(expected(start)[0]):
        return np.inf, start
    options = {"maxiter": 2000, "maxfun": 5000, "ftol": 1e-15, "gtol": 1e-10}
    found = minimize(expected, start, jac=True, method="L-BFGS-B", options=options)
    return float(found.fun), found.x


def _without_crumbs(z: np.ndarray) -> np.ndarray:
    log_p = torch.tensor(z).log_softmax(-1).numpy()
    return np.where(log_p < np.log(1e-3), _NEVER, log_p)
