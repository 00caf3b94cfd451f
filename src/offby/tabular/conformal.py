"""Conformal intervals from the ranks of validation rows."""

import numpy as np
from jaxtyping import Float

from offby.weighted import WeightedSample


def conformal_coverage(
    distances: Float[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"],
    coverage: float,
) -> float:
    """The nominal coverage of central intervals that reach this coverage.

    Args:
        distances: How far from 1/2 the PIT of each validation row lies.
        weights: Weight of each of them; a weight means repetition.
        coverage: The share of new rows that is to lie inside.

    Returns:
        Twice the distance of rank ceil((n + 1) coverage), where n is the total weight:
        a new row is as likely to have any of the n + 1 ranks. 1 if that rank is n + 1.

    References:
        Chernozhukov, Wüthrich, Zhu (2021), Distributional conformal prediction,
        PNAS 118, doi:10.1073/pnas.2107794118.
    """
    sample = WeightedSample.of(distances, weights)
    # A product such as 0.7 * 10 may round to just above the rank.
    rank = (sample.total + 1) * coverage * (1 - 1e-12)
    if rank <= 0:
        return 0.0
    place = int(np.searchsorted(sample.weights.cumsum(), rank))
    return 1.0 if place == len(sample.values) else float(2 * sample.values[place])
