"""Which differences are real: paired, corrected, and decided by one rule.

`verdicts.py` puts the decisions into sentences.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from offby.results import (
    Difference,
    Method,
    Metric,
    Score,
    Verdict,
    ranking,
)

Paired = dict[tuple[int, int], Score]

_MOST_SEEDS = 100
"""More than this nobody trains: a difference that needs more is called unsettled."""


@dataclass(frozen=True)
class Interval:
    """A mean of paired differences, and how far it can be trusted."""

    mean: float
    error: float
    """Standard error, corrected for training rows that folds share."""
    freedom: int
    """Degrees of freedom of Student's t; 0 where nothing can be said."""

    @property
    def half(self) -> float:
        """Half-width of the 95 % interval."""
        if not self.freedom:
            return math.inf
        return float(stats.t.ppf(0.975, self.freedom)) * self.error

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.mean + self.half

    def p_value(self, margin: float = 0.0) -> float:
        """Of a difference no larger than the margin; below 5 % if outside it.

        >>> round(Interval(mean=0.2, error=0.1, freedom=9).p_value(), 4)
        0.0766
        """
        beyond = abs(self.mean) - margin
        if not self.freedom or beyond <= 0:
            return 1.0
        if not self.error:
            return 0.0
        return 2 * float(stats.t.sf(beyond / self.error, self.freedom))


def corrected_interval(differences: ArrayLike, overlap: float) -> Interval:
    """Mean of paired differences over folds and seeds, with its uncertainty.

    The folds share training rows, so the plain interval is too narrow: the variance is
    enlarged by `overlap`, the ratio of held-out to training rows.

    References:
        Nadeau, Bengio (2003), Inference for the generalization error, Machine Learning
        52, doi:10.1023/A:1024068626366.

    >>> found = corrected_interval([0.1, 0.2, 0.3, 0.2], overlap=1.0)
    >>> f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"
    '0.20 (-0.09 to 0.49)'
    """
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if n < 2:
        return Interval(float(values.mean()), math.inf, 0)
    error = math.sqrt(float(values.var(ddof=1)) * (1 / n + overlap))
    return Interval(float(values.mean()), error, n - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, each so much larger that all may be read at once.

    References:
        Holm (1979), A simple sequentially rejective multiple test procedure,
        Scandinavian Journal of Statistics 6.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[place]))
        adjusted[int(place)] = largest
    return adjusted


def verdict(found: Interval, rope: float, beyond_rope: float, beyond_0: float):
    """The words for a difference of a loss (lower is better), in shares of the other.

    Args:
        found: The difference.
        rope: Differences within it are practically none.
        beyond_rope: p-value of a difference within `rope`, corrected for all pairs.
        beyond_0: p-value of no difference, corrected for all pairs.

    >>> verdict(Interval(-0.04, 0.01, 14), 0.01, 0.009, 0.001)
    'better'
    >>> verdict(Interval(0.0, 0.02, 14), 0.01, 1.0, 1.0)
    "can't tell"
    """
    worse = found.mean > 0
    words: Verdict
    if beyond_rope < 0.05:
        words = "worse" if worse else "better"
    elif beyond_0 < 0.05:
        words = "slightly worse" if worse else "slightly better"
    elif found.low < -rope and found.high > rope:
        words = "can't tell"
    elif found.low > 0 or found.high < 0:
        # Clear by itself, but not among so many pairs: no reason to call it a tie.
        words = "can't tell"
    else:
        words = "no clear difference"
    return words


def seeds_needed(
    differences: ArrayLike,
    *,
    seeds: int,
    overlap: float,
    rope: float,
    n_pairs: int = 1,
) -> int | None:
    """About how many seeds would end a "can't tell"; None if not even 100 would.

    The mean and the variance are taken to stay as they are. The interval cannot shrink
    below what the folds share, so on few rows no number of seeds is enough.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2:
        return seeds + 1
    n_folds = len(values) // seeds
    mean, variance = float(values.mean()), float(values.var(ddof=1))
    for more in range(seeds + 1, _MOST_SEEDS + 1):
        n = more * n_folds
        found = Interval(mean, math.sqrt(variance * (1 / n + overlap)), n - 1)
        # As if each p-value were the least of all pairs: Holm asks no more of any.
        beyond = [n_pairs * found.p_value(margin) for margin in (rope, 0.0)]
        if verdict(found, rope, *beyond) != "can't tell":
            return more
    return None


def differences(
    methods: Sequence[Method],
    metrics: Sequence[Metric],
    scores: Sequence[Score],
    *,
    overlap: float,
    seeds: int,
    rope: float,
) -> tuple[Difference, ...]:
    """Every two losses by every metric, the worse against the better one.

    The verdicts allow for the number of pairs that a metric compares (Holm).
    """
    by_method: dict[tuple[str, str], Paired] = defaultdict(dict)
    for score in scores:
        by_method[score.method, score.metric][score.fold, score.seed] = score
    found = []
    for metric in metrics:
        named = {
            m.key: by_method[m.key, metric.key] for m in methods if not m.reference
        }
        ranked = ranking.ranked(scores, named, metric)
        known = [key for key in ranked if _has_scores(named[key])]
        pairs = [(b, a) for a, b in combinations(known, 2)]
        infinite = {k: ranking.infinite_rows(scores, k, metric.key) for k in known}
        found += _of_pairs(metric, pairs, named, infinite, overlap, seeds, rope)
    return tuple(found)


def _has_scores(pairs: Paired) -> bool:
    return bool(pairs) and all(score.value is not None for score in pairs.values())


def _of_pairs(metric, pairs, named, infinite, overlap, seeds, rope) -> list[Difference]:
    sign = 1 if metric.lower_is_better else -1
    gaps, shares, scales = [], [], []
    for worse, better in pairs:
        mine, its = named[worse], named[better]
        gap = np.array([mine[place].value - its[place].value for place in its])
        scale = abs(float(np.mean([score.value for score in its.values()]))) or 1.0
        gaps.append(gap)
        scales.append(scale)
        shares.append(corrected_interval(sign * gap / scale, overlap))
    beyond_rope = holm([share.p_value(rope) for share in shares])
    beyond_0 = holm([share.p_value() for share in shares])
    found = []
    for i, (worse, better) in enumerate(pairs):
        words = verdict(shares[i], rope, beyond_rope[i], beyond_0[i])
        if infinite[worse] > infinite[better]:
            words = "worse"  # an infinite loss is worse by any finite measure
        plain = corrected_interval(gaps[i], overlap)
        needed = None
        if words == "can't tell":
            relative = sign * gaps[i] / scales[i]
            needed = seeds_needed(
                relative,
                seeds=seeds,
                overlap=overlap,
                rope=rope,
                n_pairs=len(pairs),
            )
        found.append(
            Difference(
                metric=metric.key,
                method=worse,
                other=better,
                mean=plain.mean,
                low=_finite(plain.low),
                high=_finite(plain.high),
                relative=plain.mean / scales[i],
                wins=int((sign * gaps[i] < 0).sum()),
                pairs=len(gaps[i]),
                verdict=words,
                p_value=beyond_0[i],
                seeds_needed=needed,
            )
        )
    return found


def _finite(bound: float) -> float:
    return math.copysign(1e300, bound) if math.isinf(bound) else bound
