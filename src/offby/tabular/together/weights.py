"""Weights of forecasts in their mean, fitted to rows that no model trained on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import minimize

from offby.losses.registry import Labels
from offby.tabular._estimator import HeldOut
from offby.tabular.trainer import common_score

_LEAST = 1e-300
"""Masses that underflowed count as this."""


def common_rows(parts: Sequence[HeldOut]) -> list[HeldOut]:
    """The rows that all models held out, in one order, with one weight each.

    The weight of a row is what every model held out of it.
    """
    rows = parts[0].rows
    for part in parts[1:]:
        rows = np.intersect1d(rows, part.rows)
    places = [_places(part.rows, rows) for part in parts]
    weights = np.min(
        [part.weights[place] for part, place in zip(parts, places, strict=True)], 0
    )
    first, at = parts[0], places[0]
    labels = _chosen(first.labels, torch.from_numpy(at))
    around = None if first.around is None else first.around[at]
    return [
        HeldOut(part.probs[place], rows, weights, labels, around)
        for part, place in zip(parts, places, strict=True)
    ]


def fit_weights(parts: Sequence[HeldOut]) -> Float[np.ndarray, " models"]:
    """The weights, at least 0 and of sum 1, whose mean forecast has the least score.

    The score is the CRPS of numbers and the RPS of classes. Both are proper, and convex
    in the weights.

    Args:
        parts: Forecasts of the same rows by each model, from `common_rows`.
    """
    n_models = len(parts)
    even = np.full(n_models, 1 / n_models)
    if len(parts[0].rows) == 0:
        return even
    probs = np.stack([part.probs for part in parts])
    share = parts[0].weights / parts[0].weights.sum()

    def score(weights: np.ndarray) -> float:
        mixed = torch.from_numpy(np.tensordot(weights, probs, 1))
        rows = common_score(parts[0].labels, mixed.clamp(min=_LEAST).log())
        return float(rows.numpy() @ share)

    # In units of the best score, so that the tolerance means the same everywhere.
    unit = min(score(row) for row in np.eye(n_models)) or 1.0
    found: Any = minimize(
        lambda weights: score(weights) / unit,
        even,
        method="SLSQP",
        bounds=[(0, 1)] * n_models,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        options={"ftol": 1e-9},
    )
    weights = np.clip(found.x, 0, None)
    return weights / weights.sum()


def mean_of(parts: Sequence[HeldOut], weights: Float[np.ndarray, " models"]) -> HeldOut:
    """The weighted mean of forecasts of the same rows."""
    probs = np.tensordot(weights, np.stack([part.probs for part in parts]), 1)
    first = parts[0]
    return replace(first, probs=probs)


def _places(rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    order = np.argsort(rows)
    return order[np.searchsorted(rows[order], wanted)]


def _chosen(labels: Labels, rows: torch.Tensor) -> Labels:
    value = None if labels.value is None else labels.value[rows]
    return Labels(labels.index[rows], labels.line, value, labels.bins)
