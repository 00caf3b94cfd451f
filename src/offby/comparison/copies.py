"""Rows that are exact copies of each other in all inputs."""

import narwhals as nw
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from offby.tabular.encoders.frames import is_frame, is_number, numbers_of, objects_of


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
