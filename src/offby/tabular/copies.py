"""Rows that belong together: copies of each other in all inputs, rows of a group."""

import narwhals as nw
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from offby.tabular.encoders.frames import is_frame, is_number, numbers_of, objects_of

N_PARTS = 5
"""At least twice as many rows must differ, or none are kept together."""
_RARELY = 0.1
"""So often, beside any two rows, copies may differ in their target: by mistakes in a
table. Different answers to the same questions differ far more often."""


def first_copies(X) -> np.ndarray:
    """Of each row the number of the first row with the same inputs; gaps are equal.

    >>> first_copies(np.array([[1.0, 2.0], [3.0, np.nan], [1.0, 2.0], [3.0, np.nan]]))
    array([0, 1, 0, 1])
    """
    same = np.zeros(len(X), np.int64)
    for codes in _codes_of_columns(X):
        # Two columns at a time, so that the numbers stay small.
        same = np.unique(same * (codes.max() + 1) + codes, return_inverse=True)[1]
    _, first = np.unique(same, return_index=True)
    return first[same]


def united(groups: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Groups of rows that share a group or are copies of each other, numbered from 0.

    >>> united(np.array(["a", "a", "b", "c"]), np.array([0, 1, 1, 3]))
    array([0, 0, 0, 1])
    """
    code = np.unique(groups, return_inverse=True)[1]
    n_rows, n_groups = len(code), int(code.max()) + 1
    # A row is joined with its group, and with the group of its first copy.
    rows = np.concatenate([code, code])
    columns = np.concatenate([code, code[first]])
    links = coo_array((np.ones(2 * n_rows), (rows, columns)), (n_groups, n_groups))
    return connected_components(links, directed=False)[1][code].astype(np.int64)


def can_keep_together(
    label: np.ndarray, n_parts: int, weights: np.ndarray | None = None
) -> bool:
    """Whether rows of one label can stay in one part: enough labels, none too large."""
    counts = np.bincount(np.unique(label, return_inverse=True)[1], weights)
    return len(counts) >= 2 * n_parts and 2 * counts.max() <= counts.sum()


def groups_to_part(
    groups: np.ndarray | None, weights: np.ndarray | None = None
) -> np.ndarray | None:
    """The groups, if there are two with rows of positive weight; else None.

    An estimator refuses a single group, of which it can hold nothing out.

    >>> groups_to_part(np.array([7, 7, 8]), np.array([1.0, 1.0, 0.0])) is None
    True
    """
    if groups is None:
        return None
    counted = groups if weights is None else groups[weights > 0]
    return groups if len(np.unique(counted)) > 1 else None


def rows_together(X, y: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """Group of each row for the choice of validation rows; None if any row may be one.

    With some copies of a row in training and some held out, learning by heart would
    look like learning. Where the same inputs come with different targets, as answers
    to a few questions do, or where only few rows differ, new rows have inputs that were
    seen before too, so the rows need not stay together.

    Args:
        X: The inputs of the rows.
        y: Their targets, numbers or labels.
        weights: Weight of each row; of weight 2 it counts as two copies.
    """
    first = first_copies(X)
    if len(np.unique(first)) == len(first) and (weights <= 1).all():
        return None
    if not can_keep_together(first, N_PARTS, weights):
        return None
    return first if are_copies(first, y, weights) else None


def are_copies(first: np.ndarray, y: np.ndarray, weights: np.ndarray) -> bool:
    """Whether rows with the same inputs nearly always have the same target, too.

    They do if two of them differ less than a tenth as often as two rows of the table.

    >>> first, weights = np.array([0, 0, 0, 3, 3]), np.ones(5)
    >>> are_copies(first, np.array([4, 4, 4, 2, 2]), weights)
    True
    >>> are_copies(first, np.array([4, 2, 4, 2, 1]), weights)
    False
    """
    inputs = np.unique(first, return_inverse=True)[1]
    target = np.unique(y, return_inverse=True)[1]
    both = np.unique(inputs * (target.max() + 1) + target, return_inverse=True)[1]
    of_inputs, of_both = np.bincount(inputs, weights), np.bincount(both, weights)
    # A row has no pair with itself; shares of a row have none at all.
    pairs = (of_inputs * (of_inputs - 1)).clip(min=0).sum()
    differ = ((of_inputs**2).sum() - (of_both**2).sum()) / max(pairs, 1.0)
    share = np.bincount(target, weights) / weights.sum()
    return bool(differ <= _RARELY * (1 - (share**2).sum()))


def _codes_of_columns(X):
    """Each column as whole numbers from 0: the same one for the same value."""
    if not is_frame(X):
        for column in np.asarray(X).T:
            yield np.unique(column, return_inverse=True)[1]
        return
    for column in nw.from_native(X, eager_only=True).iter_columns():
        if is_number(column.dtype):
            yield np.unique(numbers_of(column), return_inverse=True)[1]
        else:
            known: dict[object, int] = {}
            # Lists cannot be keys; the encoder refuses them with a sentence of its own.
            values = (
                map(str, objects_of(column))
                if column.dtype.is_nested()
                else (objects_of(column))
            )
            yield np.array([known.setdefault(each, len(known)) for each in values])
