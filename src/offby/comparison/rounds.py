"""The fits of a comparison in rounds: another seed only where an answer may come of it.

What is decided after a round depends on the scores alone, so that a run gives the same
bits with any number of workers, and again when it goes on from kept fits. A time budget
may end it after another round, which changes no score.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from offby.comparison.budget import Budget
from offby.comparison.config import CompareConfig
from offby.comparison.contenders import Contenders, Fits
from offby.comparison.differences import Plan, going_on
from offby.comparison.fits import Fit
from offby.comparison.judgment import Scoreboard, leaders_and_rivals
from offby.comparison.methods.boosted import means_of
from offby.comparison.problem import Problem
from offby.comparison.scheduler import FitKey, Job, Maker
from offby.results import Ended, Metric


@dataclass(frozen=True, eq=False)
class Finished:
    """The fits that were made, their scores, and why there are no more."""

    fits: Fits
    board: Scoreboard
    ended: Ended
    has_refits: bool
    """Whether the fits under noise, if any were asked for, are there."""
    skipped: frozenset[str] = frozenset()
    """References for which the time budget left no room."""


def plan_of(config: CompareConfig) -> Plan:
    """How often the run looks at the scores, and what it takes for a tie."""
    return Plan(config.rope, 1 if config.all_fits else config.seeds)


def in_rounds(
    problem: Problem,
    config: CompareConfig,
    contenders: Contenders,
    metrics: tuple[Metric, ...],
    make: Maker,
    budget: Budget,
) -> Finished:
    """One seed on all folds; then another one for the losses that are not settled.

    The first seed of the losses is trained whatever it takes. References need one seed;
    with a time budget, one whose first fold shows that it would not end in time is left
    out.
    """
    names = [str(loss) for loss in contenders.losses]
    methods = {method.key for method in contenders.methods}
    jobs = [job for job in contenders.jobs if job.method in methods]
    refits = [job for job in contenders.jobs if job.method not in methods]
    first = [job for job in jobs if job.seed == 0]
    more = [job for job in jobs if job.seed > 0 and job.method in names]
    fits: dict[FitKey, Fit] = {}
    board = Scoreboard({}, {})
    ended: Ended = "all"
    skipped: frozenset[str] = frozenset()
    if config.all_fits and budget.seconds is None:
        # Nothing to look at between seeds, and larger batches train faster.
        first, more = [job for job in jobs if not job.seed or job.method in names], []
    for seed in range(config.seeds):
        if seed == 0:
            now = first
        else:
            left = _left(board, config, contenders, metrics, problem)
            now = [
                job
                for job in more
                if job.seed <= seed
                and job.method in left.losses
                and job.key_of_fit not in fits
            ]
            more = [job for job in more if job.method in left.losses]
            if not now:
                ended = left.ended
                break
            if not budget.allows(now, fits):
                ended = "time"
                break
        later = sum(job.seed > seed for job in more) + len(refits)
        if seed == 0 and budget.seconds is not None:
            made, skipped = _within(now, names, make, budget, later)
            fits |= made
        else:
            fits |= make(now, later)
        fits |= means_of(fits, contenders.losses)
        board = board.with_fits(problem.folds, fits, methods)
    refits = _of_contenders(refits, board, config, contenders, metrics, problem)
    has_refits = budget.allows(refits, fits)
    if has_refits:
        fits |= make(refits, 0)
    return Finished(fits, board, ended, has_refits, skipped)


def _of_contenders(
    refits: Sequence[Job], board, config, contenders: Contenders, metrics, problem
) -> list[Job]:
    """The fits under noise of the losses that may be best by the first use."""
    if not refits:
        return []
    names = [str(loss) for loss in contenders.losses]
    pairs = leaders_and_rivals(board, metrics, names, problem.folds, plan_of(config))
    first = next(metric for metric in metrics if metric.answers)
    gone = {
        pair.method for pair in pairs if (pair.metric, pair.verdict) == (first, "worse")
    }
    kept = {
        each.method(loss)
        for each in contenders.perturbations
        for loss in contenders.losses
        if str(loss) not in gone
    }
    return [job for job in refits if job.method in kept]


def _within(
    jobs: Sequence[Job],
    losses: Sequence[str],
    make: Maker,
    budget: Budget,
    later: int,
) -> tuple[dict[FitKey, Fit], frozenset[str]]:
    """The fits of the losses, then of each reference that ends in time."""
    of_losses = [job for job in jobs if job.method in losses]
    waiting: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        if job.method not in losses:
            waiting[job.method].append(job)
    left = sum(map(len, waiting.values())) + later
    fits, skipped = make(of_losses, left), set()
    for method, (first, *others) in waiting.items():
        left -= 1 + len(others)
        made: dict[FitKey, Fit] = {}
        # Nobody knows what a fit takes before the first one is made.
        if budget.allows([], fits):
            made = make([first], left + len(others))
        if made and budget.allows(others, {**fits, **made}):
            fits |= made | make(others, left)
        else:
            skipped.add(method)
    return fits, frozenset(skipped)


@dataclass(frozen=True)
class _Left:
    losses: tuple[str, ...]
    ended: Ended


def _left(board, config, contenders, metrics, problem) -> _Left:
    names = [str(loss) for loss in contenders.losses]
    if config.all_fits:
        return _Left(tuple(names), "all")
    plan = plan_of(config)
    pairs = leaders_and_rivals(board, metrics, names, problem.folds, plan)
    asked = [pair for pair in pairs if pair.metric.answers]
    open_ = any(pair.verdict == "not settled" for pair in asked)
    return _Left(tuple(going_on(pairs, names, plan)), "no gain" if open_ else "settled")
