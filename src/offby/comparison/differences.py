"""Every loss against the leader of a metric, from the scores of all held-out rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from offby.comparison import futility
from offby.comparison.inference import (
    FoldScores,
    Interval,
    Moments,
    bounded,
    interval,
    moments,
    rows_that_settle,
    seeds_that_settle,
    verdict,
)
from offby.comparison.problem import Fold
from offby.comparison.scheduler import FitKey
from offby.comparison.scoring import RowScores
from offby.results import Difference, Method, Metric, Score, Verdict, ranking

Scored = Mapping[FitKey, RowScores]
"""Scores of each held-out row by every metric, for each fit of a loss."""


@dataclass(frozen=True)
class Plan:
    """What decides an answer beside the scores."""

    rope: float
    """Differences within this share of the leader's score are practically none; of log
    scores, those within so many nats."""
    looks: int
    """How often the run looks at the scores and may stop: once for each seed."""


@dataclass(frozen=True)
class Paired:
    """A loss against the leader, with all that its answer follows from."""

    metric: Metric
    method: str
    leader: str
    found: Moments
    """Of differences that are above 0 where the loss is worse."""
    interval: Interval
    scale: float
    """What differences are measured by (`scale_of`)."""
    verdict: Verdict
    n_methods: int
    wins: int
    infinite_rows: int

    def seeds_needed(self, rope: float) -> int | None:
        """Seeds that would settle it; None if it is settled, or if none would."""
        if self.verdict != "not settled":
            return None
        return seeds_that_settle(self.found, self.n_methods, self.scale, rope)

    def chance(self, plan: Plan) -> float:
        """The chance that one of the planned seeds settles it; 0 if it is settled."""
        if self.verdict != "not settled":
            return 0.0
        return futility.chance_to_settle(
            self.found, self.n_methods, self.scale, plan.rope, plan.looks
        )

    def record(self, rope: float) -> Difference:
        """The plain data of it, with the sign of the metric."""
        sign = 1 if self.metric.lower_is_better else -1
        at = self.interval
        ends = sorted((sign * at.low, sign * at.high))
        open_ = self.verdict == "not settled"
        needed = rows_that_settle(at, self.found.n_rows, self.scale, rope)
        return Difference(
            metric=self.metric.key,
            method=self.method,
            other=self.leader,
            mean=sign * at.mean,
            low=_finite(ends[0]),
            high=_finite(ends[1]),
            relative=sign * at.mean / self.scale,
            wins=self.wins,
            pairs=self.found.folds * self.found.seeds,
            verdict=self.verdict,
            worse_by=at.mean / self.scale,
            worse_by_low=_finite(at.low / self.scale),
            worse_by_high=_finite(at.high / self.scale),
            infinite_rows=self.infinite_rows,
            seeds_needed=self.seeds_needed(rope),
            rows_needed=needed if open_ else None,
            unit=self.metric.unit if _in_nats(self.metric) else "%",
        )


def scale_of(metric: Metric, score: float | None) -> float:
    """What differences by a metric are measured by: the size of the leader's score.

    A log score has no zero of its own: that of a price changes with the currency. So
    its differences are in nats, of which 0.01 is 1 % in the probability that a forecast
    gives to what happens.
    """
    return 1.0 if _in_nats(metric) else abs(score or 0.0) or 1.0


def _in_nats(metric: Metric) -> bool:
    return metric.unit == "nats"


def paired(
    metrics: Sequence[Metric],
    losses: Sequence[str],
    rivals: Sequence[str],
    scores: Sequence[Score],
    scored: Scored,
    folds: Sequence[Fold],
    plan: Plan,
) -> list[Paired]:
    """The rivals against the best loss by every metric for which there is one.

    Args:
        metrics: What is compared by.
        losses: Those among which the leader is the best one.
        rivals: What is compared with it: the losses, or the references.
        scores: Mean scores of all of them.
        scored: Their scores of rows.
        folds: The folds of the comparison.
        plan: What decides an answer beside the scores.
    """
    found = []
    for metric in metrics:
        lead = ranking.best(scores, losses, metric)
        if lead is None:
            continue
        known = [
            loss
            for loss in ranking.ranked(scores, rivals, metric)
            if _has(scored, loss, metric)
        ]
        size = scale_of(metric, ranking.mean(scores, lead, metric.key))
        for loss in known:
            if loss != lead:
                # Each reference is a question of its own, beside the losses among
                # which the leader was chosen.
                n = len({*known, lead}) if loss in losses else len(losses) + 1
                pair = _pair(metric, loss, lead, scored, folds, plan, size, n)
                found.append(pair)
    return found


def from_contender(
    metrics: Sequence[Metric],
    methods: Sequence[Method],
    scores: Sequence[Score],
    scored: Scored,
    folds: Sequence[Fold],
    plan: Plan,
) -> list[Paired]:
    """All methods against the best model, where that is not the best loss.

    Its interval allows for the number of models among which it is the best.
    """
    found = []
    losses = [method.key for method in methods if not method.reference]
    models = [m.key for m in methods if m.model or not m.reference]
    for metric in metrics:
        lead = ranking.best_model(scores, methods, metric)
        if not metric.answers or lead is None or lead in losses:
            continue
        size = scale_of(metric, ranking.mean(scores, lead, metric.key))
        found += [
            _pair(metric, each.key, lead, scored, folds, plan, size, len(models))
            for each in ranking.ordered(scores, methods, metric)
            if each.key != lead and _has(scored, each.key, metric)
        ]
    return found


def _has(scored: Scored, method: str, metric: Metric) -> bool:
    """Whether all rows of a method have a score by the metric."""
    mine = [rows for key, rows in scored.items() if key[0] == method]
    return bool(mine) and all(metric.key in rows for rows in mine)


def _pair(metric, loss, lead, scored: Scored, folds, plan: Plan, size, n) -> Paired:
    sign = 1 if metric.lower_is_better else -1
    seeds = min(_seeds(scored, loss), _seeds(scored, lead))
    apart, infinite = [], 0
    for fold in folds:
        mine, its = (
            np.stack([scored[m, fold.number, s][metric.key] for s in range(seeds)])
            for m in (loss, lead)
        )
        finite = np.isfinite(mine).all(0)
        infinite += int((~np.isfinite(mine)).sum())
        weight, groups = (
            None if part is None else part[finite]
            for part in (fold.test.weight, fold.test.groups)
        )
        if finite.any():
            each = sign * (mine - its)[:, finite]
            apart.append(FoldScores(each, weight, groups))
    return pair_of(metric, loss, lead, apart, plan, size, n, infinite_rows=infinite)


def pair_of(
    metric: Metric,
    method: str,
    leader: str,
    apart: Sequence[FoldScores],
    plan: Plan,
    scale: float,
    n_methods: int,
    *,
    infinite_rows: int = 0,
) -> Paired:
    """The answer for one loss, from what it is worse by than the leader in each row."""
    if not apart:
        # No row has a finite score, and no number says how much worse that is.
        found, wins = Moments(0, 0, 0, 0, 0, 0, 1, 1, 0), 0
    else:
        found = moments(apart)
        wins = sum(
            int((np.average(f.values, axis=1, weights=f.weight) < 0).sum())
            for f in apart
        )
    at = interval(found, n_methods, looks=plan.looks)
    if apart:
        at = bounded(at, apart, n_methods, plan.looks)
    said = "worse" if infinite_rows else verdict(at, scale, plan.rope)
    return Paired(
        metric, method, leader, found, at, scale, said, n_methods, wins, infinite_rows
    )


def _seeds(scored: Scored, method: str) -> int:
    return 1 + max(seed for name, _, seed in scored if name == method)


def _finite(bound: float) -> float:
    return float(np.clip(bound, -1e300, 1e300))


def going_on(
    pairs: Sequence[Paired], losses: Sequence[str], plan: Plan
) -> tuple[str, ...]:
    """The losses that deserve another seed; none if no answer is to be expected of it.

    A loss is given up once it is settled as worse for every use, and when the chance is
    small that one of the planned seeds settles a question about it. The leaders go on
    as long as any other loss does: the best loss is one of those with the most seeds.

    Args:
        pairs: What is known so far.
        losses: All losses.
        plan: The rules of the run.
    """
    asked = [pair for pair in pairs if pair.metric.answers]
    uses = {pair.metric.key for pair in asked}
    worse = {
        loss: {p.metric.key for p in asked if p.method == loss and p.verdict == "worse"}
        for loss in losses
    }
    left = [loss for loss in losses if worse[loss] != uses or not uses]
    wanted = {
        pair.method
        for pair in asked
        if pair.method in left and pair.chance(plan) > futility.FUTILE
    }
    if not wanted:
        return ()
    wanted |= {pair.leader for pair in asked}
    return tuple(loss for loss in left if loss in wanted)
