"""Forests that hold out different rows, grown one after another."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from offby.tabular.boosted.forest import Forest, GrowthSettings, grow
from offby.tabular.boosted.outputs import Outputs
from offby.tabular.boosted.rows import WeightedRows
from offby.tabular.data import TrainingData
from offby.tabular.runs import History
from offby.tabular.trainer import common_score

_LEAST = 1e-300
"""Masses that underflowed count as this."""

WeightedDerivatives = Callable[..., tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class GrownBags:
    """Forests, how their growth went, and what they forecast for rows held out."""

    forests: list[Forest]
    histories: list[History]
    probs: Float[np.ndarray, "rows classes"]
    """Of a row that several bags hold out in part, the mean; 0 of one never held out.
    """


def grow_bags(
    data: TrainingData,
    rows: WeightedRows,
    held: Float[np.ndarray, "bags rows"],
    outputs: Outputs,
    derivatives: WeightedDerivatives,
    dataset: Any,
    settings: GrowthSettings,
    on_round: Callable[[int, float], None],
) -> GrownBags:
    """Grow a forest for each bag.

    Args:
        data: The table.
        rows: Its different rows.
        held: The weight of each of them that each bag holds out.
        outputs: What the trees predict.
        derivatives: Of the loss, from raw outputs and the weights to train with.
        dataset: The different rows as LightGBM keeps them.
        settings: Rules of the growth.
        on_round: Called before each round.
    """
    inputs = data.inputs.numpy()[rows.first]
    grown = GrownBags([], [], np.zeros((len(inputs), data.line.n_classes)))
    share = held / np.maximum(held.sum(0), np.finfo(float).tiny)
    for bag, stopping in enumerate(held):
        training = rows.weights - stopping
        if not training.any():  # So few rows that they validate themselves.
            training = stopping
        forest, history = grow(
            dataset,
            outputs.n_outputs,
            partial(derivatives, weights=training),
            _score(data, rows, stopping, outputs),
            settings,
            on_round,
        )
        grown.forests.append(forest)
        grown.histories.append(history)
        kept = np.flatnonzero(stopping)
        raw = forest.raw(inputs[kept], outputs.n_outputs, settings.n_threads)
        grown.probs[kept] += share[bag, kept, None] * outputs.probabilities(raw)
    return grown


def _score(
    data: TrainingData, rows: WeightedRows, stopping: np.ndarray, outputs: Outputs
) -> Callable[[np.ndarray], float]:
    """RPS or CRPS of the rows held out, from the raw outputs of all rows."""
    kept = np.flatnonzero(stopping)
    labels = data.labels(torch.from_numpy(rows.first[kept]))
    weights = stopping[kept] / stopping.sum()

    def score(raw: np.ndarray) -> float:
        probs = torch.from_numpy(outputs.probabilities(raw[kept]))
        values = common_score(labels, probs.clamp(min=_LEAST).log())
        return float(values.numpy() @ weights)

    return score
