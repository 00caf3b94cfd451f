"""Forecasts as posterior predictive draws of ArviZ: docs/integrations.md."""

from typing import Any

import numpy as np
from arviz.data import from_dict
from numpy.typing import ArrayLike

from offby._checks import on_host
from offby.distribution import BinnedDistribution

__all__ = ["to_inference_data"]


def to_inference_data(
    forecast: BinnedDistribution,
    y: ArrayLike | None = None,
    *,
    name: str = "y",
    draws: int = 1000,
    random_state: int | None = None,
) -> Any:
    """An `InferenceData` with draws of each forecast, and what came true.

    ArviZ knows draws only: use scores of the forecast itself where they are exact, and
    ArviZ for its plots and comparisons.

    Args:
        forecast: One axis of forecasts.
        y: What came true, one number for each; or nothing.
        name: Of the target.
        draws: Of each forecast, in one chain.
        random_state: For the draws.

    Returns:
        Groups `posterior_predictive`, chains x draws x rows, and `observed_data`.

    Raises:
        ValueError: If there are several axes of forecasts or none, or `y` does not fit.
    """
    if forecast.probs.ndim != 2:
        raise ValueError(
            "ArviZ takes rows of forecasts, got a batch of shape "
            f"{forecast.probs.shape[:-1]}"
        )
    drawn = np.asarray(forecast.sample(draws, random_state=random_state))
    groups: dict[str, Any] = {"posterior_predictive": {name: drawn[None]}}
    if y is not None:
        seen = on_host(y)
        if seen.shape != (len(forecast),):
            raise ValueError(
                f"y must hold one number for each of {len(forecast)} forecasts, got "
                f"shape {seen.shape}"
            )
        groups["observed_data"] = {name: seen}
    rows = {name: [f"{name}_row"]}
    return from_dict(**groups, dims=rows)
