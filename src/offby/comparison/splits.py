"""Which rows are learned from and which are held out, without a leak between them."""

from typing import Literal

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)

Cut = tuple[np.ndarray, np.ndarray]
"""Numbers of the rows to learn from, and of those held out."""


def cuts(
    y: np.ndarray,
    kind: Literal["classes", "number"],
    *,
    n_folds: int,
    seed: int,
    groups: np.ndarray | None = None,
    time: np.ndarray | None = None,
) -> list[Cut]:
    """The folds: each row is held out once, or, with times, all but the earliest.

    Rows of one group stay on one side of every cut. With times, every row that is
    learned from is earlier than every row held out beside it.

    Raises:
        ValueError: If there are too few groups or times for the folds.
    """
    if groups is not None and time is not None:
        raise ValueError(
            "rows are cut by groups or by time, got both; name the one across which "
            "the model will be used"
        )
    if time is not None:
        return _by_time(time, n_folds)
    rows = np.zeros(len(y))
    if groups is None:
        kfold = StratifiedKFold if kind == "classes" else KFold
        return list(kfold(n_folds, shuffle=True, random_state=seed).split(rows, y))
    found = len(np.unique(groups))
    if found < n_folds:
        raise ValueError(
            f"{n_folds} folds need at least {n_folds} groups, got {found}; use fewer "
            "folds or another column"
        )
    kfold = StratifiedGroupKFold if kind == "classes" else GroupKFold
    by_group = kfold(n_folds, shuffle=True, random_state=seed)
    made = list(by_group.split(rows, y, groups))
    empty = sum(not len(held_out) or not len(learned) for learned, held_out in made)
    if empty:
        raise ValueError(
            f"every fold must have groups, got {empty} of {n_folds} folds without one: "
            "a few groups hold most rows; use fewer folds"
        )
    return made


def _by_time(time: np.ndarray, n_folds: int) -> list[Cut]:
    """The rows in order of time, in blocks: each is held out, the earlier ones learned.

    Rows of the same time stay in one block.
    """
    order = np.argsort(time, kind="stable")
    ordered = time[order]
    # A block begins where a time begins: the first at or after its even share.
    firsts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    even = np.arange(1, n_folds + 1) * len(time) // (n_folds + 1)
    places = np.searchsorted(firsts, even)
    starts = [int(firsts[i]) for i in places if i < len(firsts)]
    if len(set(starts)) < n_folds or starts[0] == 0:
        raise ValueError(
            f"{n_folds} folds in time need {n_folds + 1} blocks of rows at different "
            f"times, got {len(firsts)} different times that give {len({0, *starts})}; "
            "use fewer folds or a finer column"
        )
    ends = [*starts[1:], len(time)]
    return [
        (np.sort(order[:start]), np.sort(order[start:end]))
        for start, end in zip(starts, ends, strict=True)
    ]
