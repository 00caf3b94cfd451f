"""Where training comes to rest, in closed form. Theory: docs/maths/anatomy.md."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from offby import losses
from offby.grounds import Costs, Ground, Line


def place_of_rest(
    loss: Callable[..., Any], frequencies: np.ndarray, ground: Ground | None
) -> np.ndarray | None:
    """The minimum of the expected loss where a formula is known for it, or None.

    Known are offby's own functions, also as `functools.partial` with keywords.
    """
    settings: dict[str, Any] = {}
    while isinstance(loss, functools.partial) and not loss.args:
        settings, loss = {**loss.keywords, **settings}, loss.func
    settings.pop("impl", None)  # how it is computed is not what it is
    on = settings.pop("ground", ground) or Line.regular(len(frequencies))
    if on.n_classes != len(frequencies):
        return None
    match loss:
        case losses.cross_entropy | losses.cumulative_cross_entropy:
            return frequencies
        case losses.squared_emd:
            # Where the type is weak the frequencies are one minimum among others.
            return None if on.negative_type == "no" else frequencies
        case losses.wasserstein:
            expected = _expected_cost(on, frequencies, settings.pop("p", 1.0))
            return np.eye(len(frequencies))[expected.argmin()]
        case losses.squared_mass:
            expected = _expected_cost(on, frequencies, settings.pop("power", 1.0))
            weights = expected + settings.pop("offset", 0.0)
            return _inverse(weights) if (weights >= 0).all() else None
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


def _inverse(weights: np.ndarray) -> np.ndarray:
    """Masses that minimize their weighted squares: in inverse proportion to weight."""
    free = weights == 0
    masses = free.astype(float) if free.any() else 1 / weights
    return masses / masses.sum()
