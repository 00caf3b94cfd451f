"""What differs, and how sure that is: paired, and in fixed words."""

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy import stats

from offby.comparison._result import Difference, Method, Metric, Score, Verdict

Paired = dict[tuple[int, int], Score]


def corrected_interval(
    differences: Sequence[float], n_folds: int
) -> tuple[float, float, float]:
    """Mean and 95 % interval of paired differences over folds and seeds.

    The folds share training rows, so the plain interval is too narrow: the variance is
    enlarged by the ratio of held-out to training rows.

    References:
        Nadeau, Bengio (2003), Inference for the generalization error, Machine Learning
        52, doi:10.1023/A:1024068626366.

    >>> mean, low, high = corrected_interval([0.1, 0.2, 0.3, 0.2], n_folds=2)
    >>> f"{mean:.2f} ({low:.2f} to {high:.2f})"
    '0.20 (-0.09 to 0.49)'
    """
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    mean = float(values.mean())
    if n < 2:
        return mean, -math.inf, math.inf
    variance = float(values.var(ddof=1)) * (1 / n + 1 / (n_folds - 1))
    half = float(stats.t.ppf(0.975, n - 1)) * math.sqrt(variance)
    return mean, mean - half, mean + half


def verdict(low: float, high: float, rope: float) -> Verdict:
    """The words for an interval of a loss (lower is better), in shares of the other.

    >>> verdict(-0.05, -0.02, 0.01), verdict(-0.02, 0.015, 0.01)
    ('better', "can't tell")
    """
    if high < -rope:
        return "better"
    if low > rope:
        return "worse"
    if high < 0:
        return "slightly better"
    if low > 0:
        return "slightly worse"
    if low < -rope and high > rope:
        return "can't tell"
    return "no clear difference"


def differences(
    methods: Sequence[Method],
    metrics: Sequence[Metric],
    scores: Sequence[Score],
    *,
    n_folds: int,
    rope: float,
) -> tuple[Difference, ...]:
    """Every loss against the best loss, by every metric."""
    by_method: dict[tuple[str, str], Paired] = defaultdict(dict)
    for score in scores:
        by_method[score.method, score.metric][score.fold, score.seed] = score
    found = []
    for metric in metrics:
        named = {
            m.key: by_method[m.key, metric.key] for m in methods if not m.reference
        }
        named = {key: pairs for key, pairs in named.items() if _has_scores(pairs)}
        if not named:
            continue
        best = min(named, key=lambda key: _rank(named[key], metric))
        found += [
            _difference(metric, key, pairs, best, named[best], n_folds, rope)
            for key, pairs in named.items()
            if key != best
        ]
    return tuple(found)


def _has_scores(pairs: Paired) -> bool:
    return all(score.value is not None for score in pairs.values())


def _rank(pairs: Paired, metric: Metric) -> tuple[int, float]:
    sign = 1 if metric.lower_is_better else -1
    mean = np.mean([float(score.value or 0) for score in pairs.values()])
    return sum(score.infinite_rows for score in pairs.values()), float(sign * mean)


def _difference(metric, key, pairs, best, best_pairs, n_folds, rope) -> Difference:
    gaps = [pairs[p].value - best_pairs[p].value for p in best_pairs]
    scale = abs(float(np.mean([score.value for score in best_pairs.values()])))
    scale = scale or 1.0
    mean, low, high = corrected_interval(gaps, n_folds)
    sign = 1 if metric.lower_is_better else -1
    ends = sorted((sign * low / scale, sign * high / scale))
    words = verdict(ends[0], ends[1], rope)
    if _rank(pairs, metric)[0] > _rank(best_pairs, metric)[0]:
        words = "worse"  # an infinite loss is worse by any finite measure
    return Difference(
        metric=metric.key,
        method=key,
        other=best,
        mean=mean,
        low=_finite(low),
        high=_finite(high),
        relative=mean / scale,
        wins=sum(sign * gap < 0 for gap in gaps),
        pairs=len(gaps),
        verdict=words,
    )


def _finite(bound: float) -> float:
    return math.copysign(1e300, bound) if math.isinf(bound) else bound


def sentences(
    metrics: Sequence[Metric],
    found: Sequence[Difference],
    methods: Sequence[Method],
    scores: Sequence[Score],
) -> tuple[str, ...]:
    """One sentence per metric: who is best, and who is as good."""
    references = [m.key for m in methods if m.reference]
    losses = [m.key for m in methods if not m.reference]
    said = []
    for metric in metrics:
        rivals = [d for d in found if d.metric == metric.key]
        if not rivals:
            continue
        best = rivals[0].other
        worse = [d for d in rivals if d.verdict in ("worse", "slightly worse")]
        ties = [d.method for d in rivals if d.verdict == "no clear difference"]
        open_ = [d.method for d in rivals if d.verdict == "can't tell"]
        parts = [
            f"For {metric.use} ({metric.title}): {best} scores best of {len(losses)}"
        ]
        if ties:
            parts.append(f"no clear difference from {_and(ties)}")
        if open_:
            parts.append(f"can't tell from {_and(open_)} (more seeds would narrow it)")
        parts += [_worse(d) for d in worse]
        parts += _better_references(metric, best, references, scores)
        said.append("; ".join(parts) + ".")
    return tuple(said)


def _better_references(metric, best, references, scores) -> list[str]:
    """References that score better than every loss: nobody should train for nothing."""
    sign = 1 if metric.lower_is_better else -1

    def mean(method: str) -> float | None:
        values = [
            s.value for s in scores if (s.method, s.metric) == (method, metric.key)
        ]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None

    own = mean(best)
    return [
        f"the reference {key} scores better still ({value:.4g} against {own:.4g})"
        for key in references
        if own is not None
        and (value := mean(key)) is not None
        and sign * value < sign * own
    ]


def _worse(d: Difference) -> str:
    sizes = sorted(
        abs(100 * d.relative * x / d.mean) if d.mean else 0 for x in (d.low, d.high)
    )
    return (
        f"{d.method} is {d.verdict} by {100 * abs(d.relative):.1f} % "
        f"(95 % interval {sizes[0]:.1f} to {sizes[1]:.1f} %, "
        f"loses {d.pairs - d.wins} of {d.pairs} pairs)"
    )


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
