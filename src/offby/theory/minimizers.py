"""Where training on a loss ends: `settles_at`. Theory: docs/maths/anatomy.md."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike

from offby import kernels
from offby.grounds import Costs, Ground, Line, as_ground
from offby.losses.registry import record_of
from offby.theory.anatomy import LossFunction


def settles_at(
    loss: LossFunction, frequencies: ArrayLike, ground: Ground | None = None
) -> Float[np.ndarray, " classes"]:
    r"""Where a network ends that is trained for ever on labels of these frequencies.

    .. math:: \arg\min_p \; \sum_y f_y \, \ell(\log p, y)

    It is f itself if the loss is proper. Of offby's own functions the minimum is known:
    f, the class of least expected cost (`wasserstein`), the classes of low expected
    cost (`cdw_cross_entropy`), or masses in inverse proportion to the expected weight
    (`squared_mass`). For sums of them, `sinkhorn` and any other
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
    minimizer = known_minimizer(loss, f, ground)
    if minimizer is not None:
        return minimizer
    settings = () if ground is None else (ground,)
    weights, labels = torch.tensor(f), torch.arange(len(f))

    def expected(z: np.ndarray) -> tuple[float, np.ndarray]:
        logits = torch.tensor(z, requires_grad=True)
        with kernels.using("torch"):
            values = loss(logits.expand(len(f), -1), labels, *settings)
        if values.shape != labels.shape:
            raise ValueError(
                f"loss must give one value per row, shape {tuple(labels.shape)}, "
                f'got shape {tuple(values.shape)}; criteria need `reduction="none"`'
            )
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


def known_minimizer(
    loss: Callable[..., Any], frequencies: np.ndarray, ground: Ground | None
) -> np.ndarray | None:
    """The minimum of the expected loss where its record has a formula, or None.

    Records are of offby's own functions, also as `functools.partial` with keywords.
    """
    settings: dict[str, Any] = {}
    while isinstance(loss, functools.partial) and not loss.args:
        settings, loss = {**loss.keywords, **settings}, loss.func
    settings.pop("impl", None)  # how it is computed is not what it is
    record = record_of(loss)
    on = as_ground(settings.pop("ground", ground)) or Line.regular(len(frequencies))
    if record is None or on.n_classes != len(frequencies):
        return None
    power = settings.pop("p", settings.pop("power", 1.0))
    match record.minimizer:
        case "frequencies":
            # Where the type is weak the frequencies are one minimum among others.
            return None if on.negative_type == "no" else frequencies
        case "cheapest class":
            expected = _expected_cost(on, frequencies, power)
            return np.eye(len(frequencies))[expected.argmin()]
        case "cheapest classes":
            if settings.pop("margin", 0.0):
                return None
            return _below_water(_expected_cost(on, frequencies, power))
        case "inverse costs":
            costs = _expected_cost(on, frequencies, power) + settings.pop("offset", 0.0)
            return _inverse(costs) if (costs >= 0).all() else None
        case None:
            return None


def _expected_cost(ground: Ground, frequencies: np.ndarray, power: float) -> np.ndarray:
    """What each prediction of one class costs on average."""
    if isinstance(ground, Costs):
        return (ground.cost.cpu() ** power).numpy() @ frequencies
    expected = np.zeros(len(frequencies))
    for y in frequencies.nonzero()[0]:
        away = ground.cost_to(torch.tensor(y)).cpu().numpy() ** power
        expected += frequencies[y] * away
    return expected


def _inverse(costs: np.ndarray) -> np.ndarray:
    """Masses with the least sum of costs times squares: in inverse proportion to cost.

    Classes that cost nothing share all mass.
    """
    free = costs == 0
    masses = free.astype(float) if free.any() else 1 / costs
    return masses / masses.sum()


def _below_water(costs: np.ndarray) -> np.ndarray:
    """Masses 1 - cost / level where that is positive, at the level that sums to 1.

    They minimize minus the sum of costs times log(1 - mass).
    """
    ordered = np.sort(costs)
    for n in range(len(costs), 1, -1):
        level = ordered[:n].sum() / (n - 1)
        if level > 0 and ordered[n - 1] <= level:
            return np.maximum(1 - costs / level, 0)
    # Nothing costs anything, or there is one class.
    return np.full(len(costs), 1 / len(costs))
