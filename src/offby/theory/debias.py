"""From where a network settles back to the frequencies. Theory: docs/maths/targets.md.

Under a biased loss a network does not end at the frequencies of the labels, but often
they can be read off from where it ends.
"""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from offby._checks import normalized
from offby.grounds import Ground
from offby.theory.anatomy import LossFunction


def debias(
    probs: ArrayLike, loss: LossFunction, ground: Ground | None = None
) -> Float[np.ndarray, "*batch classes"]:
    r"""The frequencies under which a network trained with this loss predicts `probs`.

    .. math:: \text{the } f \text{ with } \; \sum_y f_y \,
              \frac{\partial \ell(\log p, y)}{\partial z_j} = 0 \; \text{ for all } j,
              \qquad \sum_y f_y = 1

    The inverse of `settles_at`, one system of linear equations per row: of
    :math:`f = p` for a proper loss, :math:`p_j = f_j / (v + w\,(Df)_j)` for
    cross-entropy plus w times Wasserstein, and :math:`p = S'f` for soft labels. Where
    no frequencies lead to a row exactly (it is sharper than the labels ever are), it
    gives those nonnegative ones under which the slopes are least.

    It undoes the bias of a network that has settled; one that was stopped early has
    others, and for soft labels much wider than a class small errors of a row become
    large ones of its frequencies. The loss must be smooth in the masses: one with a
    kink, as the root of the squared EMD has on a single class, may rest there too under
    frequencies that this does not find.

    Args:
        probs: What the network predicts, classes on the last axis.
        loss: Any function of logits and class indices that gives one value per row, as
            for `settles_at`.
        ground: Passed to the loss as its third argument, if given.

    Returns:
        Frequencies of the classes, of the shape of `probs`.

    Raises:
        ValueError: If the bias of the loss cannot be undone. Wasserstein alone ends on
            one class under many different frequencies: nothing tells them apart.

    >>> from offby.losses import cross_entropy, wasserstein
    >>> loss = lambda z, y: cross_entropy(z, y) + 0.3 * wasserstein(z, y)
    >>> debias([0.08, 0.197, 0.446, 0.197, 0.08], loss).round(2)
    array([0.1, 0.2, 0.4, 0.2, 0.1])
    """
    p = normalized(
        "probs",
        probs,
        None,
        "classes on their last axis",
        "raw network output goes through a softmax first",
    )
    settings = () if ground is None else (ground,)
    _refuse_linear(loss, p.shape[-1], settings)
    rows = p.reshape(-1, p.shape[-1])
    # Every row asks for K x K slopes: as many rows at once as fit in 100 MB.
    size = max(1, 10**7 // p.shape[-1] ** 2)
    found = np.empty_like(rows)
    for i in range(0, len(rows), size):
        found[i : i + size] = _solved(_slopes(rows[i : i + size], loss, settings))
    return found.reshape(p.shape)


_LEAST = -230.0
"""A log mass of 1e-100: nothing beside the others, and yet its slopes have digits."""


def _slopes(rows: np.ndarray, loss: LossFunction, settings: tuple) -> np.ndarray:
    """Slope of the loss against every class in every logit: rows x classes x logits."""
    n, k = rows.shape
    with np.errstate(divide="ignore"):
        log_p = torch.from_numpy(np.maximum(np.log(rows), _LEAST))
    logits = log_p[:, None].repeat(1, k, 1).requires_grad_()
    value = _values(loss, logits, torch.arange(k).expand(n, k), settings)
    (slopes,) = torch.autograd.grad(value.sum(), logits)
    if not bool(slopes.isfinite().all()):
        row = int((~slopes.isfinite()).nonzero()[0, 0])
        raise ValueError(
            "debias needs a loss with finite slopes, but it has none at the prediction "
            f"{rows[row].tolist()}; its bias cannot be undone there"
        )
    return slopes.numpy()


def _values(
    loss: LossFunction, logits: Tensor, labels: Tensor, settings: tuple
) -> Tensor:
    value = loss(logits, labels, *settings)
    if value.shape != logits.shape[:-1]:
        raise ValueError(
            f"loss must give one value per row, shape {tuple(logits.shape[:-1])}, "
            f'got shape {tuple(value.shape)}; criteria need `reduction="none"`'
        )
    return value


def _solved(slopes: np.ndarray) -> np.ndarray:
    """Frequencies that balance the slopes in every logit, and sum to 1."""
    n, k, _ = slopes.shape
    # Some losses hardly feel the logit of a class of little mass, but by that logit
    # they feel the truth as well as by any other: all equations get the same scale.
    scale = np.abs(slopes).max(1, keepdims=True)
    balance = (slopes / np.where(scale > 0, scale, 1)).transpose(0, 2, 1)
    equations = np.concatenate([balance, np.ones((n, 1, k))], 1)
    left, size, right = np.linalg.svd(equations, full_matrices=False)
    if (size[:, -1] < k * 1e-13 * size[:, 0]).any():
        raise ValueError(_LOST)
    # The right-hand sides are zeros, and one 1 for the sum.
    found = np.einsum("nik,ni->nk", right, left[:, -1, :] / size)
    for row in np.flatnonzero((found < -1e-9).any(1)):
        found[row] = _nonnegative(equations[row])
    found = np.maximum(found, 0)
    return found / found.sum(-1, keepdims=True)


def _nonnegative(equations: np.ndarray) -> np.ndarray:
    """Nonnegative frequencies with the least squared slopes, up to a factor.

    At t times f the squares sum to t^2 a + (t - 1)^2, at best a / (1 + a): the least
    slopes a of all that sum to 1 win, whatever the weight of the last equation.
    """
    from scipy.optimize import nnls

    rights = np.zeros(len(equations))
    rights[-1] = 1
    return nnls(equations, rights)[0]


_LOST = (
    "debias needs a loss that ends elsewhere under other frequencies, but this one "
    "does not tell them apart, as Wasserstein alone does not; add cross_entropy to it"
)


def _refuse_linear(loss: LossFunction, n_classes: int, settings: tuple) -> None:
    """Refuse losses that are linear in the masses: they end on a single class.

    Whether halfway between two predictions the loss is less than half of both.
    """
    if n_classes == 1:
        return
    even = torch.full((n_classes,), 1 / n_classes, dtype=torch.float64)
    uneven = torch.arange(1, n_classes + 1, dtype=torch.float64)
    uneven = uneven / uneven.sum()
    points = torch.stack([even, uneven, (even + uneven) / 2]).log()
    logits = points[:, None].expand(3, n_classes, n_classes)
    labels = torch.arange(n_classes).expand(3, n_classes)
    first, last, halfway = _values(loss, logits, labels, settings).double()
    dip = (first + last) / 2 - halfway
    if bool((dip <= 1e-12 * (first.abs() + last.abs())).all()):
        raise ValueError(_LOST)
