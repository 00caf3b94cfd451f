"""Training and validation rows: validation rows say when a training stops."""

import math

import numpy as np
import torch
from torch import Tensor

Split = tuple[Tensor, Tensor]
"""Training rows and validation rows."""


def bag_splits(
    n_rows: int, n_bags: int, validation_fraction: float, generator: torch.Generator
) -> list[Split]:
    """The split of each bag.

    A single bag validates on the share asked for; of several bags, each validates on
    another part of the rows, so that every row is a validation row once.
    """
    if n_bags == 1:
        return [inner_split(n_rows, validation_fraction, generator)]
    shuffled = torch.randperm(n_rows, generator=generator)
    parts = [shuffled[bag::n_bags] for bag in range(n_bags)]
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
    group, or of one time, stay on one side. If all rows are of one group or time, any
    row may be a validation row.
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
    if len(counts) == 1:
        return None
    sizes, drawn, n_rows = counts.tolist(), [], 0
    for group in torch.randperm(len(sizes), generator=generator).tolist():
        if n_rows + sizes[group] <= wanted:
            drawn.append(group)
            n_rows += sizes[group]
    return torch.isin(code, torch.tensor(drawn or [int(counts.argmin())]))


def child_seed(*numbers: int) -> int:
    """A seed of its own for every combination of numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
