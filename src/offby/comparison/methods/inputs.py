"""Inputs of the baselines that are no networks."""

import numpy as np

from offby.comparison.problem import Fold
from offby.tabular.encoders.numbers import fitted_encoder


def columns(fold: Fold) -> tuple[np.ndarray, np.ndarray]:
    """Of training and test rows: a standardized column for each number."""
    encode = fitted_encoder(fold.train.X, fold.train.weight)
    sides = [np.asarray(encode.transform(rows.X)) for rows in (fold.train, fold.test)]
    # As single precision: trees bin the numbers all the same.
    learned, tested = (np.nan_to_num(side.astype(np.float32)) for side in sides)
    return learned, tested
