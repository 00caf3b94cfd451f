"""The best class to guess under a metric."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from offby.distribution.decisions import (
    Metric,
    costs_between,
    kappa_guesses,
    window_of,
)


def median_index(
    probs: Float[np.ndarray, "*batch classes"],
) -> Int[np.ndarray, "*batch"]:
    """Index of the first class at which half of the mass is reached."""
    # Rounding may leave the sum of two halves a little short.
    return (probs.cumsum(-1) >= 0.5 - 1e-12).argmax(-1)


def best_index(probs: np.ndarray, positions: np.ndarray, metric: Metric) -> np.ndarray:
    """Place of the class with the least expected loss: batch.

    Args:
        probs: Batch x classes.
        positions: Where the classes lie.
        metric: What the guesses are judged by; see `ClassDistribution.decide`.

    Raises:
        ValueError: If there is no such metric, or it does not fit the classes.
    """
    if not isinstance(metric, str):
        return (probs @ _costs(metric, positions).T).argmin(-1)
    window = window_of(metric)
    apart = np.abs(positions[:, None] - positions)
    if window is not None:
        # The least of equal ones would be at the end of a range of equals.
        hits = probs @ (apart <= window + 1e-9)
        return _middle(hits >= hits.max(-1, keepdims=True) - 1e-12)
    match metric:
        case "mae":
            return median_index(probs)
        case "accuracy":
            return probs.argmax(-1)
        case "mape":
            if (positions == 0).any():
                raise ValueError(
                    "mape divides by the true value, so classes must lie off 0, got "
                    f"positions {positions.tolist()}; decide for mae"
                )
            return (probs @ (apart / np.abs(positions)[:, None])).argmin(-1)
        case "qwk":
            means = probs @ positions
            variances = probs @ positions**2 - means**2
            flat = kappa_guesses(
                means.reshape(-1),
                variances.reshape(-1),
                lambda x: positions[_nearest(x, positions)],
            )
            return _nearest(flat, positions).reshape(means.shape)
    return _nearest(probs @ positions, positions)  # rmse


def _nearest(numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
    middles = (positions[1:] + positions[:-1]) / 2
    return np.searchsorted(middles, numbers)


def _middle(best: np.ndarray) -> np.ndarray:
    """Of several best places, the one in their middle that is itself among them."""
    count = best.sum(-1, keepdims=True)
    return ((best.cumsum(-1) >= (count + 1) // 2) & best).argmax(-1)


def _costs(metric: Any, positions: np.ndarray) -> np.ndarray:
    """Guesses x classes."""
    if hasattr(metric, "cost"):
        if metric.n_classes != len(positions):
            raise ValueError(
                f"costs must be between all {len(positions)} classes, got "
                f"{metric.n_classes}"
            )
        return metric.cost.cpu().numpy()
    if not callable(metric):
        raise TypeError(
            "a metric must be a name, a ground such as Costs, or a function, got a "
            f"{type(metric).__name__}"
        )
    return costs_between(metric, positions, positions)
