"""Which rows are learned from and which are held out, without a leak between them."""

import warnings
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
    copy_of: np.ndarray | None = None,
    time: np.ndarray | None = None,
    unseen_groups: bool = False,
) -> list[Cut]:
    """The folds: each row is tested once, or, with times, all but the earliest.

    Without groups and times, rows that are copies of the same row (`copy_of`) are on
    one side. With groups alone, the rows of a group are either training or test rows of
    a fold. With times, every training row of a fold is earlier than all its test rows,
    which are of all groups. With times and `unseen_groups`, each fold tests on a part
    of the groups, from its time on, and trains on earlier rows of the other groups.

    Raises:
        ValueError: If there are too few groups or times for the folds.
    """
    if time is not None and unseen_groups and groups is not None:
        return _by_time_and_group(y, kind, n_folds, seed, groups, time)
    if time is not None:
        return _by_time(time, n_folds)
    if groups is not None:
        return _by_group(y, kind, n_folds, seed, groups)
    if copy_of is not None:
        return _at_random_by_first(y, kind, n_folds, seed, copy_of)
    return _at_random(y, kind, n_folds, seed)


def _at_random(y: np.ndarray, kind: str, n_folds: int, seed: int) -> list[Cut]:
    """Each fold tests on rows drawn at random, of every class as many."""
    kfold = StratifiedKFold if kind == "classes" else KFold
    split = kfold(n_folds, shuffle=True, random_state=seed).split
    return list(split(np.zeros(len(y)), y))


def _at_random_by_first(
    y: np.ndarray, kind: str, n_folds: int, seed: int, copy_of: np.ndarray
) -> list[Cut]:
    """The first one of equal rows is drawn, and its copies go where it goes."""
    first = np.unique(copy_of)
    if len(first) == len(y):
        return _at_random(y, kind, n_folds, seed)
    # Too few first rows of some class are no reason to warn; of every class, to draw
    # without regard to it.
    if np.unique(y[first], return_counts=True)[1].max() < n_folds:
        kind = "number"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        drawn = _at_random(y[first], kind, n_folds, seed)
    made = []
    for _, held_out in drawn:
        tested = np.isin(copy_of, first[held_out])
        made.append((np.flatnonzero(~tested), np.flatnonzero(tested)))
    return made


def _by_group(
    y: np.ndarray, kind: str, n_folds: int, seed: int, groups: np.ndarray
) -> list[Cut]:
    """Each fold tests on groups of its own."""
    found = len(np.unique(groups))
    if found < n_folds:
        raise ValueError(
            f"{n_folds} folds need at least {n_folds} groups, got {found}; use fewer "
            "folds or another column"
        )
    kfold = StratifiedGroupKFold if kind == "classes" else GroupKFold
    by_group = kfold(n_folds, shuffle=True, random_state=seed)
    made = list(by_group.split(np.zeros(len(y)), y, groups))
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


def _by_time_and_group(
    y: np.ndarray,
    kind: str,
    n_folds: int,
    seed: int,
    groups: np.ndarray,
    time: np.ndarray,
) -> list[Cut]:
    """Each fold tests on groups of its own, at times after its training rows."""
    by_time = _by_time(time, n_folds)
    by_group = _by_group(y, kind, n_folds, seed, groups)
    made = []
    for (_, block), (others, tested) in zip(by_time, by_group, strict=True):
        start = time[block].min()
        made.append((others[time[others] < start], tested[time[tested] >= start]))
    empty = sum(not len(train) or not len(test) for train, test in made)
    if empty:
        raise ValueError(
            "every fold must have earlier rows of some groups and later rows of "
            f"others, got {empty} of {n_folds} folds without them; use fewer folds, or "
            "test on all groups"
        )
    return made
