"""Training and validation rows: validation rows say when a training stops."""

import math
from heapq import heappop, heappush

import numpy as np
import torch
from jaxtyping import Bool, Int, Num
from torch import Tensor

Split = tuple[Tensor, Tensor]
"""Training rows and validation rows."""
_FEW = 5000
"""With fewer rows, "auto" trains five bags."""


def usual_bags(weight: float, n_rows: int) -> int:
    """How many models an estimator trains, if it is not told.

    >>> usual_bags(400.0, 400), usual_bags(20_000.0, 20_000)
    (5, 1)
    """
    return 5 if 25 <= weight < _FEW and n_rows >= 5 else 1


def bag_splits(
    n_rows: int,
    n_bags: int,
    validation_fraction: float,
    generator: torch.Generator,
    *,
    groups: Tensor | None = None,
) -> list[Split]:
    """The split of each bag.

    A single bag validates on the share asked for; of several bags, each validates on
    another part of the rows, so that every row is a validation row once. The rows of a
    group are in one part, if there are as many groups as bags.
    """
    if n_bags == 1:
        return [inner_split(n_rows, validation_fraction, generator, groups=groups)]
    sizes = torch.ones(n_rows, dtype=torch.int64)
    code = torch.arange(n_rows)
    if groups is not None and len(groups.unique()) >= n_bags:
        _, code, sizes = groups.unique(return_inverse=True, return_counts=True)
    order = torch.randperm(len(sizes), generator=generator).numpy()
    part_of = torch.from_numpy(even_parts(sizes.numpy(), n_bags, order))[code]
    # The rows of a part in the order in which they were drawn.
    place = torch.empty(len(sizes), dtype=torch.int64)
    place[torch.from_numpy(order)] = torch.arange(len(sizes))
    drawn = place[code].argsort(stable=True)
    parts = [drawn[part_of[drawn] == part] for part in range(n_bags)]
    return [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(n_bags)]


def inner_split(
    n_rows: int,
    validation_fraction: float,
    generator: torch.Generator,
    *,
    groups: Tensor | None = None,
    time: Tensor | None = None,
) -> Split:
    """Training rows, and validation rows like those that the network is to meet.

    With groups these are rows of other groups, with times later rows: the rows of one
    group, or of one time, stay on one side. If all rows are of one group or time, or
    each of a group of its own, any row may be a validation row.
    """
    # Of so few rows none can be spared: they validate themselves.
    wanted = math.ceil(validation_fraction * n_rows) if n_rows > 3 else 0
    validation = None
    if wanted and time is not None:
        validation = _latest(time, wanted)
    elif wanted and groups is not None:
        validation = _whole_groups(groups, wanted, generator)
    if validation is not None:
        return torch.nonzero(~validation)[:, 0], torch.nonzero(validation)[:, 0]
    shuffled = torch.randperm(n_rows, generator=generator)
    if not wanted:
        return shuffled, shuffled
    return shuffled[wanted:], shuffled[:wanted]


def _latest(time: Tensor, wanted: int) -> Tensor | None:
    """Which rows came last: as near to so many as whole times allow."""
    times, counts = time.unique(return_counts=True)
    if len(times) == 1:
        return None
    later = len(time) - counts.cumsum(0)[:-1]
    return time > times[(later - wanted).abs().argmin()]


def _whole_groups(
    groups: Tensor, wanted: int, generator: torch.Generator
) -> Tensor | None:
    """Rows of groups drawn at random: at most so many, but at least one group's."""
    _, code, counts = groups.unique(return_inverse=True, return_counts=True)
    if len(counts) in (1, len(groups)):
        return None
    order = torch.randperm(len(counts), generator=generator).numpy()
    return torch.from_numpy(drawn_groups(counts.numpy(), wanted, order))[code]


def drawn_groups(
    sizes: Num[np.ndarray, " groups"], wanted: float, order: Int[np.ndarray, " groups"]
) -> Bool[np.ndarray, " groups"]:
    """Which groups are held out: each in this order that still fits, or the smallest.

    >>> drawn_groups(np.array([1, 4, 2]), 3, np.array([1, 0, 2])).tolist()
    [True, False, True]
    """
    drawn, total = np.zeros(len(sizes), bool), 0.0
    for group in order:
        if total + sizes[group] <= wanted:
            drawn[group] = True
            total += sizes[group]
    if not drawn.any():
        drawn[np.argmin(sizes)] = True
    return drawn


def even_parts(
    sizes: Num[np.ndarray, " groups"], n_parts: int, order: Int[np.ndarray, " groups"]
) -> Int[np.ndarray, " groups"]:
    """Part of each group, in parts of about the same size: large groups first.

    Groups of one size go to the parts in turn, in this order.

    >>> even_parts(np.array([1, 4, 2, 1]), 2, np.arange(4)).tolist()
    [1, 0, 1, 1]
    """
    part_of = np.empty(len(sizes), dtype=np.int64)
    lightest = [(0.0, part) for part in range(n_parts)]
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        size, part_of[group] = heappop(lightest)
        heappush(lightest, (size + float(sizes[group]), int(part_of[group])))
    return part_of


def child_seed(*numbers: int) -> int:
    """A seed of its own for every combination of numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
