"""Soft labels of ordered classes by family. Theory: docs/maths/targets.md.

Each is a table of K rows, one for each class, with the peak on the class itself. A
network trained on them ends at the frequencies mixed by the table; `debias` undoes it.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from offby._checks import check_index, clamped, is_class


def triangular(
    target: Int[Tensor, "*batch"],
    n_classes: int,
    *,
    spill: float | Sequence[Sequence[float]] = 0.01,
) -> Float[Tensor, "*batch classes"]:
    r"""Mass under a triangle around the class, as wide as to spill onto its neighbors.

    The triangle stands on the middle of the class, and so much of it lies over each
    neighbor. At the ends of the scale it is cut off, and divided by what is left.

    NOTE[DIFF] the paper gives the end classes right-angled triangles, whose mass on the
    neighbor depends on the end and on K.

    Args:
        target: Class indices. An index that is no class gives a row of NaN.
        n_classes: How many classes there are.
        spill: Mass on each neighbor, from 0 to 2/9: there the triangle reaches the end
            of both neighbors. One number, or two for each class, (K, 2): the mass on
            the class below and on the class above.

    Returns:
        Probabilities, classes on the last axis.

    References:
        Vargas, Gutiérrez, Barbero-Gómez, Hervás-Martínez (2023), Soft labelling based
        on triangular distributions for ordinal classification, Information Fusion 93,
        doi:10.1016/j.inffus.2023.01.003.

    >>> triangular(torch.tensor([0, 1]), 4, spill=0.1)
    tensor([[0.8889, 0.1111, 0.0000, 0.0000],
            [0.1000, 0.8000, 0.1000, 0.0000]])
    """
    shares = np.array(spill, dtype=np.float64)
    if shares.ndim and shares.shape != (n_classes, 2):
        raise ValueError(
            f"spill must be one number, or two for each of {n_classes} classes, shape "
            f"{(n_classes, 2)}, got shape {shares.shape}"
        )
    if not ((shares >= 0) & (shares <= 2 / 9)).all():
        raise ValueError(
            f"spill must be from 0 to 2/9, got {spill}; a wider triangle would reach "
            "over the neighbors, as `exponential` does"
        )
    below, above = np.broadcast_to(shares, (len(_classes(n_classes)), 2)).T
    table = np.diag(1 - below - above)
    table += np.diag(below[1:], -1) + np.diag(above[:-1], 1)
    return _rows_of(table, target, n_classes)


def exponential(
    target: Int[Tensor, "*batch"],
    n_classes: int,
    *,
    temperature: float = 1.0,
    power: float = 1.0,
) -> Float[Tensor, "*batch classes"]:
    r"""Mass that falls exponentially with a power of the distance.

    .. math:: S_{yk} \propto e^{-|k - y|^{\text{power}} / \tau}

    With power 1 it is `smoothed` on a regular line, the soft labels of SORD; with power
    2 a discrete bell.

    Args:
        target: Class indices. An index that is no class gives a row of NaN.
        n_classes: How many classes there are.
        temperature: Power of the distance at which mass falls to 1/e.
        power: Power of the distance, positive.

    Returns:
        Probabilities, classes on the last axis.

    References:
        Vargas, Gutiérrez, Rosati, Romeo, Frontoni, Hervás-Martínez (2023), Exponential
        loss regularisation for encouraging ordinal constraint to shotgun stocks quality
        assessment, Applied Soft Computing 138, doi:10.1016/j.asoc.2023.110191.
        Diaz, Marathe (2019), doi:10.1109/CVPR.2019.00487.

    >>> exponential(torch.tensor([0]), 3)
    tensor([[0.6652, 0.2447, 0.0900]])
    """
    for name, value in (("temperature", temperature), ("power", power)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive, got {value:g}")
    table = np.exp(-(_away(n_classes) ** power) / temperature)
    return _rows_of(table, target, n_classes)


def binomial(
    target: Int[Tensor, "*batch"], n_classes: int
) -> Float[Tensor, "*batch classes"]:
    r"""The number of successes in K - 1 trials, of chance (y + 1/2) / K.

    Wide: its standard deviation is nearly half the root of K in the middle.

    NOTE[DIFF] other packages space the chances from 0.1 to 0.9, and so put the peak of
    most classes of many onto another class.

    Args:
        target: Class indices. An index that is no class gives a row of NaN.
        n_classes: How many classes there are.

    Returns:
        Probabilities, classes on the last axis.

    References:
        Liu, Fan, Kong, Diao, Xie, Lu, You (2020), Unimodal regularized neuron
        stick-breaking for ordinal classification, Neurocomputing 388,
        doi:10.1016/j.neucom.2020.01.025.

    >>> binomial(torch.tensor([1]), 3)
    tensor([[0.2500, 0.5000, 0.2500]])
    """
    from scipy.stats import binom

    k = _classes(n_classes)
    table = binom.pmf(k, n_classes - 1, (k[:, None] + 0.5) / n_classes)
    return _rows_of(table, target, n_classes)


def poisson(
    target: Int[Tensor, "*batch"], n_classes: int
) -> Float[Tensor, "*batch classes"]:
    r"""A count of rate y + 1/2, cut off after the last class.

    Wider for higher classes: its standard deviation is the root of the rate.

    NOTE[DIFF] other packages take the softmax of the probabilities themselves, whose
    rows are nearly flat, and the rate y + 1, whose peak is shared by two classes.

    Args:
        target: Class indices. An index that is no class gives a row of NaN.
        n_classes: How many classes there are.

    Returns:
        Probabilities, classes on the last axis.

    References:
        Liu et al. (2020), doi:10.1016/j.neucom.2020.01.025.

    >>> poisson(torch.tensor([0]), 3)
    tensor([[0.6154, 0.3077, 0.0769]])
    """
    from scipy.stats import poisson as counts

    k = _classes(n_classes)
    return _rows_of(counts.pmf(k, k[:, None] + 0.5), target, n_classes)


def beta(
    target: Int[Tensor, "*batch"],
    n_classes: int,
    *,
    concentration: float | None = None,
) -> Float[Tensor, "*batch classes"]:
    r"""Mass of K equal parts of the unit interval under a beta distribution.

    Its mode is the middle of the part of the class: the parameters are
    :math:`1 + c m` and :math:`1 + c (1 - m)` with :math:`m = (y + 1/2) / K`. Unlike a
    triangle it is not cut off at the ends of the scale, but leans inward there.

    NOTE[DIFF] the paper tabulates parameters for 3 to 14 classes; here one number
    serves for any K.

    Args:
        target: Class indices. An index that is no class gives a row of NaN.
        n_classes: How many classes there are.
        concentration: How narrow it is, positive; K^2 by default, with which a class in
            the middle keeps two thirds of its mass.

    Returns:
        Probabilities, classes on the last axis.

    References:
        Vargas, Gutiérrez, Hervás-Martínez (2022), Unimodal regularisation based on beta
        distribution for deep ordinal regression, Pattern Recognition 122,
        doi:10.1016/j.patcog.2021.108310.

    >>> beta(torch.tensor([0, 1]), 3, concentration=9).round(decimals=2)
    tensor([[0.8100, 0.1900, 0.0000],
            [0.1300, 0.7300, 0.1300]])
    """
    mode = (_classes(n_classes)[:, None] + 0.5) / n_classes
    if concentration is None:
        concentration = float(n_classes**2)
    if not 0 < concentration < math.inf:
        raise ValueError(f"concentration must be positive, got {concentration:g}")
    from scipy.stats import beta as unit_interval

    edges = np.arange(n_classes + 1) / n_classes
    a, b = 1 + concentration * mode, 1 + concentration * (1 - mode)
    return _rows_of(np.diff(unit_interval.cdf(edges, a, b)), target, n_classes)


def geometric(
    target: Int[Tensor, "*batch"],
    n_classes: int,
    *,
    spill: float | Sequence[float] = 0.1,
    left: float | Sequence[float] | None = None,
) -> Float[Tensor, "*batch classes"]:
    r"""A fixed share off the class, which falls by a constant factor from step to step.

    .. math:: S_{yy} = 1 - \alpha, \qquad S_{yk} \propto \alpha^{|k - y|}
              \; \text{elsewhere}

    Args:
        target: Class indices. An index that is no class gives a row of NaN.
        n_classes: How many classes there are.
        spill: The share that is not on the class, and the factor; one number, or one
            for each class, from 0 to below 1.
        left: The part of it that goes to lower classes, 0 to 1; one number, or one for
            each class. By default both sides fall alike, and classes near an end spill
            more to the longer side. An end class spills to its only side.

    Returns:
        Probabilities, classes on the last axis.

    References:
        Haas, Hüllermeier (2023), Rectifying bias in ordinal observational data using
        unimodal label smoothing, ECML PKDD, doi:10.1007/978-3-031-43427-3_1.

    >>> geometric(torch.tensor([1]), 3, spill=0.2)
    tensor([[0.1000, 0.8000, 0.1000]])
    """
    away, alpha = _away(n_classes), _per_class("spill", spill, n_classes)
    if not ((alpha >= 0) & (alpha < 1)).all():
        raise ValueError(f"spill must be from 0 to below 1, got {spill}")
    table = np.where(away > 0, alpha[:, None] ** away, 0.0)
    if left is not None:
        part = _per_class("left", left, n_classes)
        if not ((part >= 0) & (part <= 1)).all():
            raise ValueError(f"left must be from 0 to 1, got {left}")
        part[0], part[-1] = 0.0, 1.0
        lower, upper = np.tril(table, -1), np.triu(table, 1)
        table = part[:, None] * _shares(lower) + (1 - part)[:, None] * _shares(upper)
    table = alpha[:, None] * _shares(table)
    table += np.diag(1 - table.sum(1))
    return _rows_of(table, target, n_classes)


def by_frequency(
    target: Int[Tensor, "*batch"],
    counts: Sequence[float] | Tensor,
    temperature: float,
) -> Float[Tensor, "*batch classes"]:
    r"""Soft labels by closeness: classes with few rows in between are close.

    .. math:: S_{yk} \propto e^{\text{prox}(y, k) / \tau}, \qquad
              \text{prox}(y, k) = -\log \frac{n_y / 2 + \sum_{j \text{ between } y
              \text{ and } k,\, \text{with } k} n_j}{\sum_j n_j}

    A miss from a rare class to a rare neighbor is a small one, over the crowd in the
    middle a large one, whatever the classes are called. SORD with the closeness of
    Amigó et al. for its distance.

    Args:
        target: Class indices. An index that is no class gives a row of NaN.
        counts: How often each class occurs in the training data, all positive.
        temperature: Difference in closeness at which mass falls to 1/e, in nats.

    Returns:
        Probabilities, classes on the last axis.

    References:
        Diaz, Marathe (2019), doi:10.1109/CVPR.2019.00487.
        Amigó, Gonzalo, Mizzaro, Carrillo-de-Albornoz (2020), An effectiveness metric
        for ordinal classification, ACL, doi:10.18653/v1/2020.acl-main.363.

    >>> by_frequency(torch.tensor([0]), [10, 10, 10], 1.0)
    tensor([[0.6522, 0.2174, 0.1304]])
    """
    n = torch.as_tensor(counts, dtype=torch.float64).cpu().numpy()
    if n.ndim != 1 or not (np.isfinite(n) & (n > 0)).all():
        raise ValueError(
            f"counts must hold one positive number for each class, got {counts}; leave "
            "out classes that never occur"
        )
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be positive, got {temperature:g}")
    upto = n.cumsum()
    # Rows from y to k without y: the difference of two sums from the same end.
    between = np.abs(upto[:, None] - upto)
    below = np.tril(np.ones((len(n), len(n)), bool), -1)
    between = np.where(below, between + n - n[:, None], between)
    share = (n[:, None] / 2 + between) / n.sum()
    return _rows_of(share ** (-1 / temperature), target, len(n))


def _classes(n_classes: int) -> np.ndarray:
    if n_classes < 1:
        raise ValueError(f"n_classes must be at least 1, got {n_classes}")
    return np.arange(n_classes)


def _away(n_classes: int) -> np.ndarray:
    k = _classes(n_classes)
    return np.abs(k[:, None] - k).astype(np.float64)


def _shares(table: np.ndarray) -> np.ndarray:
    total = table.sum(1, keepdims=True)
    return np.divide(table, total, out=np.zeros_like(table), where=total > 0)


def _per_class(name: str, given: Any, n_classes: int) -> np.ndarray:
    found = np.array(given, dtype=np.float64)
    if found.ndim > 1 or (found.ndim == 1 and len(found) != n_classes):
        raise ValueError(
            f"{name} must be one number, or one for each of {n_classes} classes, "
            f"got shape {found.shape}"
        )
    return np.broadcast_to(found, n_classes).copy()


def _rows_of(table: np.ndarray, target: Tensor, n_classes: int) -> Tensor:
    check_index("target", target)
    rows = torch.from_numpy(_shares(table)).float().to(target.device)
    found = rows[clamped(target, n_classes)]
    return found.where(is_class(target, n_classes)[..., None], torch.nan)
