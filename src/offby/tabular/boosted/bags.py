"""Forests that hold out different rows, grown one after another."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from offby.tabular.boosted.forest import Forest, GrowthSettings, grow
from offby.tabular.boosted.outputs import Learning
from offby.tabular.boosted.rows import WeightedRows
from offby.tabular.runs import History


@dataclass(frozen=True, eq=False)
class GrownBags:
    """Forests, how their growth went, and what they forecast for rows held out."""

    forests: list[Forest]
    histories: list[History]
    probs: Float[np.ndarray, "rows classes"]
    """Of a row that several bags hold out in part, the mean; 0 of one never held out.
    """


def grow_bags(
    inputs: Float[np.ndarray, "rows columns"],
    rows: WeightedRows,
    held: Float[np.ndarray, "bags rows"],
    learning: Learning,
    dataset: Any,
    settings: GrowthSettings,
    on_round: Callable[[int, float], None],
) -> GrownBags:
    """Grow a forest for each bag.

    Args:
        inputs: The different rows of the table.
        rows: Their weights.
        held: The weight of each of them that each bag holds out.
        learning: What the trees learn of them.
        dataset: They as LightGBM keeps them.
        settings: Rules of the growth.
        on_round: Called before each round.
    """
    outputs = learning.outputs
    n_classes = len(outputs.log_frequencies)
    grown = GrownBags([], [], np.zeros((len(inputs), n_classes)))
    share = held / np.maximum(held.sum(0), np.finfo(float).tiny)
    for bag, stopping in enumerate(held):
        training = rows.weights - stopping
        if not training.any():  # So few rows that they validate themselves.
            training = stopping
        forest, history = grow(
            dataset,
            outputs.n_outputs,
            learning.derivatives(training),
            learning.score(stopping),
            settings,
            on_round,
        )
        grown.forests.append(forest)
        grown.histories.append(history)
        kept = np.flatnonzero(stopping)
        raw = forest.raw(inputs[kept], outputs.n_outputs, settings.n_threads)
        grown.probs[kept] += share[bag, kept, None] * outputs.probabilities(raw)
    return grown
