"""How far the difference of two methods can be trusted, from their scores of every row.

docs/verdict.md has the formulas, their sources and the study behind the two constants.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import special, stats

from offby.comparison.looks import level_of_looks
from offby.results import Verdict

LEVEL = 0.05
"""Chance that a run calls any of several equal methods worse than the leader."""
PRIOR_RATIO = 3.0
"""Variance of a fold's mean over what its rows alone explain, if nothing else is known:
twice as much again comes from the seed of the training. benchmarks/verdict.py measured
1.3 to 7.1 on the networks that `compare` trains, and how often 3 errs."""
PRIOR_RATIO_OF_GUESSES = 1.2
"""The same where most rows do not differ at all: guesses among a few classes change in
single rows, each by itself, which leaves less to the seed. Measured: 1.0 to 1.5."""
PRIOR_FREEDOM = 8
"""Degrees of freedom that the prior ratio counts for."""
PRIOR_SHARED = 0.5
"""Share of the row variance that all seeds have in common, if there is only one. It
only foresees what more seeds would do; less than half of that was measured."""
CUT = 5.0
"""Differences further from the median are cut to bound the mean, in deviations of
normal numbers with the same inner 90 %."""
_TAIL = 0.05
MOST_SEEDS = 100
"""More than this nobody trains."""
MOST_ROWS = 100_000
"""More than this nobody collects for the sake of a verdict."""


@dataclass(frozen=True, eq=False)
class FoldScores:
    """Scores of a method (or differences of two) on the held-out rows of one fold."""

    values: np.ndarray
    """Seeds x rows."""
    weight: np.ndarray | None = None
    groups: np.ndarray | None = None
    """Group of each row; the rows of one are not independent of each other."""


@dataclass(frozen=True)
class Moments:
    """What rows, seeds and folds tell about the difference of two methods.

    All are variances of the mean of one fold, in squared units of the score.
    """

    mean: float
    """Mean difference over folds: above 0 where the leader has the lower score."""
    rows: float
    """What the rows explain, with the seeds averaged."""
    one: float
    """What the rows explain under a single seed."""
    shared: float
    """The part of `one` that all seeds have in common."""
    seeds_apart: float
    """Variance between seeds of the same fold; 0 if there is one."""
    folds_apart: float
    """Variance between folds of their means over seeds; 0 if there is one."""
    folds: int
    seeds: int
    n_rows: int
    ratio: float = PRIOR_RATIO
    """What the variance of a fold's mean is expected to be, over `one`."""


@dataclass(frozen=True)
class Interval:
    """A mean difference, its standard error, and the interval that decides."""

    mean: float
    error: float
    half: float
    """Half-width: simultaneous over the methods and over all looks at the scores."""
    at_least: float = -math.inf
    at_most: float = math.inf
    """Bounds that are known from elsewhere (`bounded`)."""

    @property
    def low(self) -> float:
        """Lower end."""
        return max(self.mean - self.half, self.at_least)

    @property
    def high(self) -> float:
        """Upper end."""
        return min(self.mean + self.half, self.at_most)


def moments(folds: Sequence[FoldScores]) -> Moments:
    """The variances that folds, seeds and rows tell of paired differences."""
    means = np.stack([_means(fold) for fold in folds])
    n_folds, n_seeds = means.shape
    averaged = [replace(f, values=f.values.mean(0, keepdims=True)) for f in folds]
    rows = float(np.mean([row_variance(fold) for fold in averaged]))
    one = rows
    if n_seeds > 1:
        one = float(np.mean([row_variance(fold) for fold in folds]))
    # Averaging seeds leaves what they share, and a part of the rest for each seed.
    shared = (n_seeds * rows - one) / (n_seeds - 1) if n_seeds > 1 else 0.0
    return Moments(
        mean=float(means.mean()),
        rows=rows,
        one=one,
        shared=max(0.0, shared) if n_seeds > 1 else PRIOR_SHARED * one,
        seeds_apart=float(means.var(1, ddof=1).mean()) if n_seeds > 1 else 0.0,
        folds_apart=float(means.mean(1).var(ddof=1)) if n_folds > 1 else 0.0,
        folds=n_folds,
        seeds=n_seeds,
        n_rows=sum(fold.values.shape[1] for fold in folds),
        ratio=expected_ratio(folds),
    )


def expected_ratio(folds: Sequence[FoldScores]) -> float:
    """The prior ratio, by whether the two methods differ in most rows.

    >>> expected_ratio([FoldScores(np.array([[0.0, 0.0, 0.0, 1.0]]))])
    1.2
    """
    differ = np.concatenate([fold.values.ravel() != 0 for fold in folds]).mean()
    return PRIOR_RATIO if differ > 0.5 else PRIOR_RATIO_OF_GUESSES


def _means(fold: FoldScores) -> np.ndarray:
    return np.average(fold.values, axis=1, weights=fold.weight)


def row_variance(fold: FoldScores) -> float:
    """Variance of the weighted mean of the rows, averaged over seeds."""
    n_rows = fold.values.shape[1]
    weight = np.ones(n_rows) if fold.weight is None else fold.weight
    off = weight * (fold.values - _means(fold)[:, None]) / weight.sum()
    if fold.groups is not None:
        _, place = np.unique(fold.groups, return_inverse=True)
        off = np.stack([np.bincount(place, each) for each in off])
    n = off.shape[1]
    if n < 2:
        return math.inf
    return float((off**2).sum(1).mean()) * n / (n - 1)


def seed_variance(found: Moments) -> float:
    """Variance of a fold's mean between seeds, averaged with what is expected of it."""
    of_seeds = found.folds * (found.seeds - 1)
    one_fit = found.ratio * found.one - found.shared
    by_seed = PRIOR_FREEDOM * max(one_fit, 0.0) + of_seeds * found.seeds_apart
    return by_seed / (PRIOR_FREEDOM + of_seeds)


def fold_variance(found: Moments, seeds: int | None = None) -> tuple[float, float]:
    """Variance of the mean of a fold, and its degrees of freedom.

    Between folds there are few degrees of freedom, so their variance is moderated
    (Smyth 2004): it is averaged with what the rows and the seeds let expect.

    Args:
        found: The variances that were seen.
        seeds: The variance if there were so many seeds, all else staying as it is.
    """
    n = found.seeds if seeds is None else seeds
    by_seed = seed_variance(found)
    expected, known = (
        found.shared + by_seed / count for count in (n, max(found.seeds, 1))
    )
    freedom = PRIOR_FREEDOM + found.folds * (n - 1)
    apart = found.folds_apart * (expected / known if known else 1.0)
    variance = freedom * expected + (found.folds - 1) * apart
    total = freedom + found.folds - 1
    # Never below what the rows alone explain.
    floor = found.rows if n == found.seeds else found.shared
    return max(variance / total, floor), total


def interval(
    found: Moments,
    n_methods: int,
    *,
    looks: int = 1,
) -> Interval:
    """The interval of a difference from the leader, which the same data chose.

    Args:
        found: What rows, seeds and folds tell.
        n_methods: Methods among which the leader is the best.
        looks: How many looks at the scores there may be: each seed is one.
    """
    if math.isinf(found.one):
        return Interval(found.mean, math.inf, math.inf)
    variance, freedom = fold_variance(found)
    error = math.sqrt(variance / found.folds)
    factor = critical(level_of_looks(LEVEL, looks), n_methods, freedom)
    return Interval(found.mean, error, factor * error)


def foreseen(found: Moments, n_methods: int, level: float, seeds: int) -> Interval:
    """The interval if there were so many seeds, all else staying as it is.

    What is only foreseen need not be exact: Bonferroni is 3 % wider, and quick.
    """
    if math.isinf(found.one):
        return Interval(found.mean, math.inf, math.inf)
    variance, freedom = fold_variance(found, seeds)
    error = math.sqrt(variance / found.folds)
    pairs = n_methods * (n_methods - 1)
    factor = -float(special.stdtrit(freedom, level / pairs))
    return Interval(found.mean, error, factor * error)


@cache
def critical(level: float, n_methods: int, freedom: float) -> float:
    """Standard errors to either side: Tukey's studentized range, by scipy.

    For two methods this is Student's t.

    >>> round(critical(0.05, 2, 10), 3)
    2.228
    """
    if n_methods == 2:
        return float(stats.t.isf(level / 2, freedom))
    return float(stats.studentized_range.isf(level, n_methods, freedom) / math.sqrt(2))


def bounded(
    found: Interval, folds: Sequence[FoldScores], n_methods: int, looks: int
) -> Interval:
    """The interval, with the bounds that remain when the largest differences are cut.

    A mean is at least what it is with large values cut: so the interval of the cut
    differences bounds it from below, however heavy the upper tail is, and small values
    cut bound it from above. It helps where a few rows with huge scores make the mean
    itself uncertain, though hardly anybody doubts its sign.

    Args:
        found: The interval of the differences as they are.
        folds: The differences.
        n_methods: Methods among which the leader is the best.
        looks: How many looks at the scores there may be.
    """
    if math.isinf(found.half):
        return found
    values = np.concatenate([fold.values.ravel() for fold in folds])
    low, center, high = np.quantile(values, [_TAIL, 0.5, 1 - _TAIL])
    reach = CUT * (high - low) / (2 * stats.norm.isf(_TAIL))
    ends = center - reach, center + reach
    if not reach or (values.min() >= ends[0] and values.max() <= ends[1]):
        return found

    def at(low: float, high: float) -> Interval:
        cut = [replace(fold, values=np.clip(fold.values, low, high)) for fold in folds]
        return interval(moments(cut), n_methods, looks=looks)

    return replace(
        found,
        at_least=at(-math.inf, ends[1]).low,
        at_most=at(ends[0], math.inf).high,
    )


def corrected_interval(fold_scores: np.ndarray, n_methods: int) -> Interval:
    """From one difference per fold, where the scores of the rows are not known.

    The folds share training rows, for which the variance of their mean is enlarged by
    the ratio of held-out to training rows (Nadeau, Bengio 2003).
    """
    n = len(fold_scores)
    mean = float(np.mean(fold_scores))
    variance = float(np.var(fold_scores, ddof=1)) * (1 / n + 1 / (n - 1))
    error = math.sqrt(variance)
    return Interval(mean, error, critical(LEVEL, n_methods, n - 1) * error)


def verdict(found: Interval, scale: float, rope: float) -> Verdict:
    """The answer that an interval gives (lower scores are better).

    Args:
        found: The difference from the leader.
        scale: Size of the leader's score.
        rope: Differences within this share of it are practically none.

    >>> verdict(Interval(0.02, 0.005, 0.012), 1.0, rope=0.01)
    'worse'
    >>> verdict(Interval(0.002, 0.003, 0.007), 1.0, rope=0.01)
    'practically equal'
    >>> verdict(Interval(0.02, 0.01, 0.03), 1.0, rope=0.01)
    'not settled'
    """
    margin = rope * scale
    if found.low >= -margin and found.high <= margin:
        return "practically equal"
    if found.low > 0:
        return "worse"
    return "better" if found.high < 0 else "not settled"


def seeds_that_settle(
    found: Moments,
    n_methods: int,
    scale: float,
    rope: float,
    *,
    most: int = MOST_SEEDS,
    looks: int | None = None,
) -> int | None:
    """The fewest seeds with which the answer would be settled; None if no number is.

    The mean and the variances are taken to stay as they are. What all seeds share, the
    rows, no number of seeds removes.

    Args:
        found: What is known so far.
        n_methods: Methods that are compared.
        scale: Size of the leader's score.
        rope: Differences within this share of it are practically none.
        most: The largest number to consider.
        looks: Looks that are planned; by default as many as seeds.
    """

    def settles(seeds: int) -> bool:
        then = foreseen(found, n_methods, level, seeds)
        return verdict(then, scale, rope) != "not settled"

    level = LEVEL
    for seeds in range(found.seeds + 1, most + 1):
        # The level of many looks takes a while. That of fewer looks is higher: what it
        # does not settle is not settled by the lower one.
        if not settles(seeds):
            continue
        level = level_of_looks(LEVEL, looks or seeds)
        if settles(seeds):
            return seeds
    return None


def rows_that_settle(
    now: Interval, n_rows: int, scale: float, rope: float
) -> int | None:
    """About how many rows would settle the answer, to two digits; None if too many.

    All parts of the variance fall as the rows grow: those of the rows as 1 / rows, and
    those of the training about so.
    """
    off = abs(now.mean)
    allowed = max(off, rope * scale - off)
    if not 0 < now.half < math.inf or not allowed:
        return None
    needed = n_rows * (now.half / allowed) ** 2
    if needed > MOST_ROWS:
        return None
    digit = 10 ** max(0, math.floor(math.log10(needed)) - 1)
    return math.ceil(needed / digit) * digit
