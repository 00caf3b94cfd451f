"""Scores of all methods, and how the losses compare with the leader."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from offby.comparison.config import CompareConfig
from offby.comparison.contenders import Contenders, Fits
from offby.comparison.differences import Paired, Plan, from_contender, paired
from offby.comparison.problem import Fold
from offby.comparison.scheduler import FitKey
from offby.comparison.scoring import Judged, RowScores, means, row_scores
from offby.comparison.verdicts import answers
from offby.results import Answer, Difference, Metric, Score


@dataclass(frozen=True, eq=False)
class Scoreboard:
    """The scores of the fits that are there, each computed once."""

    means: Mapping[FitKey, Judged]
    rows: Mapping[FitKey, RowScores]
    """Of the methods, without those under noise."""

    def with_fits(
        self, folds: Sequence[Fold], fits: Fits, losses: Collection[str]
    ) -> "Scoreboard":
        """With the scores of those fits that are new."""
        of_fits, of_rows = dict(self.means), dict(self.rows)
        for key, fit in fits.items():
            if key not in of_fits:
                method, number, _ = key
                rows = row_scores(folds[number], fit)
                of_fits[key] = means(folds[number], rows)
                if method in losses:
                    of_rows[key] = rows
        return Scoreboard(of_fits, of_rows)

    def scores(self, metrics: Sequence[Metric]) -> tuple[Score, ...]:
        """All means as plain data."""
        return tuple(
            Score(method, number, seed, metric.key, *judged[metric.key])
            for (method, number, seed), judged in self.means.items()
            for metric in metrics
        )


@dataclass(frozen=True, eq=False)
class Judgment:
    """What the scores say of the methods."""

    metrics: tuple[Metric, ...]
    scores: tuple[Score, ...]
    differences: tuple[Difference, ...]
    references: tuple[Difference, ...]
    """Of the references from the best loss."""
    contenders: tuple[Difference, ...]
    """Of all methods from the best model, where that is not the best loss."""
    verdicts: tuple[Answer, ...]


def leaders_and_rivals(
    board: Scoreboard,
    metrics: Sequence[Metric],
    losses: Sequence[str],
    folds: Sequence[Fold],
    plan: Plan,
) -> list[Paired]:
    """Every loss against the leader, by every metric."""
    scores = board.scores(metrics)
    return paired(metrics, losses, losses, scores, board.rows, folds, plan)


def judged(
    board: Scoreboard,
    config: CompareConfig,
    contenders: Contenders,
    metrics: tuple[Metric, ...],
    folds: Sequence[Fold],
    plan: Plan,
) -> Judgment:
    """The scores of every fit, and what they say of the losses."""
    losses = [str(loss) for loss in contenders.losses]
    scores = board.scores(metrics)
    pairs = leaders_and_rivals(board, metrics, losses, folds, plan)
    differences = tuple(pair.record(config.rope) for pair in pairs)
    references = [method.key for method in contenders.methods if method.reference]
    beside = paired(metrics, losses, references, scores, board.rows, folds, plan)
    models = from_contender(
        metrics, contenders.methods, scores, board.rows, folds, plan
    )
    verdicts = answers(metrics, differences, contenders.methods, scores)
    return Judgment(
        metrics,
        scores,
        differences,
        tuple(pair.record(config.rope) for pair in beside),
        tuple(pair.record(config.rope) for pair in models),
        verdicts,
    )
