"""What users hand to `fit` and `predict`: checked, and rows without weight dropped."""

from dataclasses import dataclass
from math import isnan
from typing import Any

import narwhals as nw
import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import (
    _check_sample_weight,
    _check_y,
    check_consistent_length,
    validate_data,
)

from offby.tabular.copies import N_PARTS, can_keep_together, rows_together, united
from offby.tabular.encoders.frames import is_frame, read_table, rows_of
from offby.tabular.encoders.table import TableEncoder, holds_only_numbers
from offby.tabular.target_columns import read_target


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to train on, all of positive weight."""

    X: Any
    """A frame if some columns hold no numbers, else an array."""
    y: np.ndarray
    weights: np.ndarray
    """In rows: a weight of 2 counts as two rows."""
    order: list | None
    """The classes in the order of an ordered categorical target."""
    groups: np.ndarray | None = None
    """Group of each row, if it was given."""


def check_rows(
    model: BaseEstimator,
    X,
    y,
    sample_weight,
    groups=None,
    *,
    y_numeric: bool,
    reset: bool,
) -> Rows:
    """The rows to train on; frames stay frames if some columns hold no numbers.

    Rows of weight 0 are dropped here, before anything looks at them.
    """
    X, (y, order) = read_table(X), read_target(y)
    if holds_only_numbers(X):
        rules: dict[str, Any] = {
            "ensure_all_finite": "allow-nan",
            "y_numeric": y_numeric,
        }
        X, y = validate_data(model, X, y, dtype=np.float64, reset=reset, **rules)
    else:
        validate_data(model, X, y, skip_check_array=True, reset=reset)
        _check_finite(X)
        y = _check_y(y, y_numeric=y_numeric, estimator=model)
        check_consistent_length(X, y)
    y, weights = np.asarray(y), np.ones(len(y))
    if groups is not None:
        groups = _numbered(groups, len(y))
    if sample_weight is not None:
        weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        kept = np.flatnonzero(weights > 0)
        if len(kept) < len(weights):
            X, y, weights = rows_of(X, kept), y[kept], weights[kept]
            groups = None if groups is None else groups[kept]
    if groups is not None:
        _check_groups(groups, getattr(model, "n_bags", None))
    return Rows(X, y, _in_rows(weights), order, groups)


def groups_of(rows: Rows) -> torch.Tensor | None:
    """Which rows are never in both training and validation rows."""
    copies = rows_together(rows.X, rows.y, rows.weights)
    together = copies if rows.groups is None else rows.groups
    if copies is not None and rows.groups is not None:
        both = united(rows.groups, copies)
        # Copies may join so many groups that hardly any would be left.
        together = both if can_keep_together(both, N_PARTS) else rows.groups
    return None if together is None else torch.from_numpy(together)


def _numbered(groups, n_rows: int) -> np.ndarray:
    """The group of each row as a whole number.

    Raises:
        ValueError: If there is not one group for each row.
    """
    labels = [*groups]
    if len(labels) != n_rows:
        raise ValueError(
            f"groups must hold a group for each of the {n_rows} rows, got "
            f"{len(labels)}; pass a column of as many rows as X"
        )
    known: dict[object, int] = {}
    # Every gap is of one group: rows of an unknown person may be of the same person.
    plain = (
        None if isinstance(label, float) and isnan(label) else label for label in labels
    )
    return np.array([known.setdefault(label, len(known)) for label in plain])


def _check_groups(groups: np.ndarray, n_bags: int | str | None) -> None:
    """Refuse groups of which none can be held out."""
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ValueError(
            "groups must hold at least two groups, one to train on and one to hold "
            f"out, got {n_groups}; leave groups out"
        )
    if n_bags not in (None, "auto") and int(n_bags) > n_groups:
        raise ValueError(
            f"n_bags must be at most the number of groups, {n_groups}, got {n_bags}: "
            "each bag holds out groups of its own; choose fewer bags"
        )


def check_new_rows(model: BaseEstimator, encoder: TableEncoder, X) -> Any:
    """The rows to forecast, as in training."""
    X = read_table(X)
    needs_frame = set(encoder.positions_) != {"numbers"}
    if needs_frame and not is_frame(X):
        raise ValueError(
            "X must be a frame with the columns of training, since some of them hold "
            "no numbers, got an array; pass a frame"
        )
    # Also where a column of categories holds nothing but gaps now.
    if needs_frame or not holds_only_numbers(X):
        validate_data(model, X, reset=False, skip_check_array=True)
        _check_finite(X)
        return X
    return validate_data(
        model, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan"
    )


def _in_rows(weights: np.ndarray) -> np.ndarray:
    """The weights, scaled up where they are shares and not numbers of rows.

    They then add up to the effective number of rows, (sum w)^2 / sum w^2. Whole weights
    are never changed: their sum is at least that.

    Raises:
        ValueError: If their sum is too large.
    """
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not total < 1e30:
        raise ValueError(
            f"sample_weight must have a sum below 1e30, got {total:g}; divide all "
            "weights by their mean"
        )
    largest = weights.max()
    shares = weights / largest
    effective = shares.sum() ** 2 / (shares**2).sum()
    return weights * max(1.0, effective / total)


def _check_finite(X) -> None:
    """Refuse what scikit-learn refuses in arrays: gaps are fine, infinity is not."""
    for column in nw.from_native(X, eager_only=True).iter_columns():
        if column.dtype.is_float() and np.isinf(column.to_numpy()).any():
            raise ValueError(
                "columns must hold finite numbers or gaps, but column "
                f"{column.name!r} contains infinity; drop these rows or clip them"
            )
