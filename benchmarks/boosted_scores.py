"""Scores of docs/boosted.json over the folds that some models have run."""

from collections.abc import Sequence

import numpy as np
from boosted import Scores

Cells = dict[str, dict[str, Scores]]
"""Model -> fold -> scores."""


def common(cells: Cells, models: Sequence[str]) -> list[str]:
    """Numbers of the folds that all of them have run."""
    found = [set(cells.get(model, {})) for model in models]
    return sorted(set.intersection(*found)) if found else []


def mean(cells: Cells, model: str, score: str, folds: Sequence[str]) -> float | None:
    """Over these folds; None where the model has no such score in one of them."""
    values = [cells.get(model, {}).get(fold, {}).get(score) for fold in folds]
    return float(np.mean(values)) if values and None not in values else None
