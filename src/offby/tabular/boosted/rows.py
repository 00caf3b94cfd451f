"""Rows for boosting: each different one once, and how much of it each bag holds out."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from offby.tabular.copies import N_PARTS, can_keep_together, united
from offby.tabular.data import TrainingData
from offby.tabular.splits import drawn_groups, even_parts
from offby.weighted import distinct_rows

_MOST_UNITS = 2e8
"""So many units can be drawn from; of heavier tables a unit is several rows."""


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """Rows that differ in inputs or target, with their total weights.

    Their order is that of their values. So a row of weight 3 and a row that comes three
    times give the same forest to the last bit, whatever the order of the rows.
    """

    first: Int[np.ndarray, " rows"]
    """Where each comes first in the table."""
    code: Int[np.ndarray, " table"]
    """Which of them each row of the table is."""
    weights: Float[np.ndarray, " rows"]
    groups: Int[np.ndarray, " rows"] | None = None
    """Group of each of them: a group is never in both training and validation rows."""

    @classmethod
    def of(cls, data: TrainingData) -> "WeightedRows":
        """The rows of a table."""
        target = data.index if data.value is None else data.value
        columns = [data.inputs.numpy(), target.double().numpy()[:, None]]
        first, code = distinct_rows(np.concatenate(columns, 1))
        weights = data.row_weights().double().numpy()
        groups = None
        if data.groups is not None:
            given = data.groups.numpy()
            # Different inputs may be the same for trees: rare categories.
            label = united(given, first[code])
            if not can_keep_together(label, N_PARTS, weights):
                # Equal rows of several groups would join nearly all of them.
                columns.append(given.astype(np.float64)[:, None])
                first, code = distinct_rows(np.concatenate(columns, 1))
                label = given
            groups = _numbered_as_they_come(label[first])
        return cls(first, code, np.bincount(code, weights), groups)


def held_out_weights(
    weights: Float[np.ndarray, " rows"],
    n_bags: int,
    validation_fraction: float,
    rng: np.random.Generator,
    *,
    groups: Int[np.ndarray, " rows"] | None = None,
) -> Float[np.ndarray, "bags rows"]:
    """The weight of each row that each bag holds out for validation.

    Units are drawn, not rows: of a row of weight 3, one bag may hold out 2 and another
    1, as if it came three times. A single bag holds out the share asked for; of several
    bags, each holds out other units, so that every unit is held out once. With groups
    these are drawn as a whole, if there are as many of them as bags.

    Args:
        weights: In rows.
        n_bags: Number of bags; no more than there are units.
        validation_fraction: Share that a single bag holds out.
        rng: Draws the units.
        groups: Numbers from 0; None if any row may be held out.

    >>> rng = np.random.default_rng(0)
    >>> held_out_weights(np.array([3.0, 1.0, 2.0]), 2, 0.15, rng).sum(0).tolist()
    [3.0, 1.0, 2.0]
    """
    if groups is not None and 1 < groups.max() + 1 >= n_bags:
        sizes = np.bincount(groups, weights)
        held_groups = _held_out_groups(sizes, n_bags, validation_fraction, rng)
        return weights * held_groups[:, groups]
    size = max(1.0, weights.sum() / _MOST_UNITS)
    units = np.ceil(weights / size).astype(np.int64)
    total = int(units.sum())
    wanted = [math.ceil(validation_fraction * total)]
    if n_bags > 1:
        wanted = [len(range(bag, total, n_bags)) for bag in range(n_bags)]
    elif total <= 3:  # Of so few none can be spared: they validate themselves.
        return weights[None].copy()
    left, held = units.copy(), []
    # Weights of shares may be fewer units than rows.
    for n_units in wanted[:total]:
        drawn = rng.multivariate_hypergeometric(left, n_units, method="marginals")
        left -= drawn
        held.append(drawn / units * weights)
    return np.stack(held)


def _held_out_groups(
    sizes: Float[np.ndarray, " groups"],
    n_bags: int,
    validation_fraction: float,
    rng: np.random.Generator,
) -> Bool[np.ndarray, "bags groups"]:
    """Which groups each bag holds out."""
    order = rng.permutation(len(sizes))
    if n_bags == 1:
        wanted = math.ceil(validation_fraction * sizes.sum())
        return drawn_groups(sizes, wanted, order)[None]
    return even_parts(sizes, n_bags, order) == np.arange(n_bags)[:, None]


def _numbered_as_they_come(
    label: Int[np.ndarray, " rows"],
) -> Int[np.ndarray, " rows"]:
    """Labels from 0 in the order of the first row of each."""
    _, first, code = np.unique(label, return_index=True, return_inverse=True)
    return first.argsort().argsort()[code]
