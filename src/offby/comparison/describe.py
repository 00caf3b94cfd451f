"""The data and how they were cut, for the reader of a comparison."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch

from offby.bins import Bins
from offby.comparison.config import CompareConfig
from offby.comparison.hashing import hash_of_rows
from offby.comparison.methods.references import BASELINES
from offby.comparison.problem import Fold, Problem
from offby.grounds import Ground, Line
from offby.results import Data, Grid, Measure
from offby.results.phrases import plain


def split_of(problem: Problem) -> str:
    """How training and test rows were told apart."""
    if problem.time is not None and problem.groups is not None:
        which = "groups not trained on" if problem.unseen_groups else "all groups"
        return f"by time: trained on earlier rows, tested on later rows of {which}"
    if problem.groups is not None:
        return f"by groups, {len(np.unique(problem.groups))} of them"
    if problem.time is not None:
        return "by time: learned from earlier rows, judged on later ones"
    return "at random"


def not_tested(problem: Problem, config: CompareConfig) -> tuple[str, ...]:
    """Questions that this comparison does not answer."""
    gaps = ["other networks than this one, and other settings of it"]
    known = [
        each
        for each in BASELINES
        if (each.classes if problem.kind == "classes" else each.numbers) is not None
        and each.suits(problem)
    ]
    gaps += [
        f"the {each.title.removeprefix('the ')}, for scale"
        for each in known
        if config.references and each.name not in config.named_references
    ]
    if not config.noise:
        gaps.append("noise in bin edges, inputs and targets")
    if problem.groups is None and problem.time is None:
        gaps.append("rows that depend on each other (groups, time)")
    return tuple(gaps)


def grid_of(bins: Bins) -> Grid:
    """The bins as a reader sees them: named by their edges, tails by their only one."""
    edges = tuple(map(float, bins.edges))
    names = [f"{plain(low)} to {plain(high)}" for low, high in pairwise(edges)]
    if bins.lower_tail:
        names[0] = f"below {plain(edges[1])}"
    if bins.upper_tail:
        names[-1] = f"above {plain(edges[-2])}"
    return Grid(tuple(names), tuple(map(float, bins.centers)), edges, bins.tails)


def measure_of(fold: Fold) -> Measure:
    """How far apart the losses took the classes or bins of a fold to be."""
    bins = fold.training_bins
    if bins is None:
        plain = fold.ground or Line(fold.positions)
        return Measure(_longest(fold.line) / _longest(plain))
    unit = _longest(fold.line) / _longest(bins.line())
    return Measure(unit, tuple(map(float, bins.edges)))


def _longest(ground: Ground) -> float:
    return float(ground.cost.max()) or 1.0


def data_of(problem: Problem, name, target, labels, notes) -> Data:
    """The data as the report describes them."""
    X: Any = problem.X
    if problem.kind == "classes":
        n = len(problem.positions)
        counts = np.bincount(problem.y, minlength=n)
        names = tuple(labels) if labels is not None else tuple(map(str, range(n)))
        grid = Grid(names, problem.positions, ())
    else:
        # No row lies in a tail of bins over all rows.
        bins = problem.grid(problem.y, problem.weight, tails="none")
        grid = grid_of(bins)
        index = bins.index(torch.tensor(problem.y)).numpy()
        counts = np.bincount(index, minlength=bins.n_bins)
    return Data(
        name=name,
        n_rows=len(problem.y),
        n_features=X.shape[1],
        target=target,
        kind=problem.kind,
        labels=grid.labels,
        positions=grid.positions,
        edges=grid.edges,
        counts=tuple(map(int, counts)),
        sha256=hash_of_rows(X, problem.y),
        notes=(*notes, *_of_copies(problem)),
        n_copies=problem.n_copies,
        scales=tuple(each or "none" for each in problem.transforms),
        ground=None if problem.ground is None else problem.ground.to_dict(),
    )


def _of_copies(problem: Problem) -> tuple[str, ...]:
    """How many rows repeat the inputs of another one, and what that means."""
    n = problem.n_copies
    if not n:
        return ()
    rows = f"{n:,} rows have" if n > 1 else "1 row has"
    says = f"{rows} the same inputs as an earlier row"
    if problem.keeps_copies_together:
        return (f"{says}; such rows stay in the same fold.",)
    if problem.time is not None:
        return (
            f"{says}; the split by time does not keep such rows together, so a model "
            "may know rows that it is tested on.",
        )
    return (
        f"{says}; too few rows differ to keep such rows in the same fold, so a model "
        "may know rows that it is tested on.",
    )
