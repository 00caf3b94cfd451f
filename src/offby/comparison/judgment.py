"""Scores of all methods, and which differences between them are clear."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offby.comparison.config import CompareConfig
from offby.comparison.contenders import Contenders, Fits
from offby.comparison.inference import differences
from offby.comparison.problem import Fold, Problem
from offby.comparison.scoring import judge
from offby.comparison.verdicts import answers
from offby.results import Answer, Difference, Metric, Score


@dataclass(frozen=True, eq=False)
class Judgment:
    """What the scores say of the methods."""

    metrics: tuple[Metric, ...]
    scores: tuple[Score, ...]
    differences: tuple[Difference, ...]
    verdicts: tuple[Answer, ...]


def judged(
    problem: Problem,
    config: CompareConfig,
    contenders: Contenders,
    metrics: tuple[Metric, ...],
    fits: Fits,
) -> Judgment:
    """Score every fit on its test rows, and compare the losses."""
    scores = tuple(
        Score(method, number, seed, metric, value, infinite)
        for (method, number, seed), fit in contenders.scored(fits).items()
        for metric, (value, infinite) in judge(problem.folds[number], fit).items()
    )
    compared = differences(
        contenders.methods,
        metrics,
        scores,
        overlap=overlap(problem.folds),
        seeds=config.seeds,
        rope=config.rope,
    )
    verdicts = answers(metrics, compared, contenders.methods, scores)
    return Judgment(metrics, scores, compared, verdicts)


def overlap(folds: Sequence[Fold]) -> float:
    """Test rows per training row: how much the intervals widen (Nadeau, Bengio)."""
    return float(np.mean([len(fold.test.y) / len(fold.train.y) for fold in folds]))
