"""Which method scores best: the one place that decides it.

A score that is infinite for some held-out rows is worse than any finite one. Among
methods with infinite rows, fewer such rows are better; then the mean decides.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from offby.results.records import Difference, Method, Metric, Score


def mean(scores: Iterable[Score], method: str, metric: str) -> float | None:
    """Mean over folds and seeds, over rows with a finite score; None without any."""
    known = [
        score.value
        for score in scores
        if (score.method, score.metric) == (method, metric) and score.value is not None
    ]
    return sum(known) / len(known) if known else None


def infinite_rows(scores: Iterable[Score], method: str, metric: str) -> int:
    """Held-out rows, over all folds and seeds, whose score is infinite."""
    return sum(
        score.infinite_rows
        for score in scores
        if (score.method, score.metric) == (method, metric)
    )


def key(
    scores: Sequence[Score], method: str, metric: Metric
) -> tuple[int, float] | None:
    """What methods are ordered by, the best first; None for one without a score."""
    value = mean(scores, method, metric.key)
    infinite = infinite_rows(scores, method, metric.key)
    if value is None:
        return (infinite, math.inf) if infinite else None
    return infinite, value if metric.lower_is_better else -value


def ranked(
    scores: Sequence[Score], methods: Iterable[str], metric: Metric
) -> list[str]:
    """The methods that have a score, the best first."""
    keys = {method: key(scores, method, metric) for method in methods}
    known = {method: place for method, place in keys.items() if place is not None}
    return sorted(known, key=known.__getitem__)


def ordered(
    scores: Sequence[Score], methods: Sequence[Method], metric: Metric
) -> tuple[Method, ...]:
    """All methods, the best first; those without a score come last."""
    by_key = {method.key: method for method in methods}
    order = ranked(scores, by_key, metric)
    return tuple(by_key[k] for k in (*order, *(k for k in by_key if k not in order)))


def seeds(scores: Iterable[Score]) -> dict[str, int]:
    """How many seeds each method was trained with."""
    found: dict[str, set[int]] = defaultdict(set)
    for score in scores:
        found[score.method].add(score.seed)
    return {method: len(each) for method, each in found.items()}


def leader(
    scores: Sequence[Score], methods: Iterable[str], metric: Metric
) -> str | None:
    """The method that scores best, of those with the most seeds.

    A loss that was settled as worse got fewer; by chance their mean may look better.
    """
    trained = seeds(scores)
    known = [method for method in methods if method in trained]
    most = max((trained[method] for method in known), default=0)
    order = ranked(scores, [m for m in known if trained[m] == most], metric)
    return order[0] if order else None


def best(scores: Sequence[Score], methods: Iterable[str], metric: Metric) -> str | None:
    """The leader, if its score is a finite one."""
    found = leader(scores, methods, metric)
    finite = found and not infinite_rows(scores, found, metric.key)
    return found if finite else None


def best_model(
    scores: Sequence[Score], methods: Iterable[Method], metric: Metric
) -> str | None:
    """The best of what can be handed over as a model: the best loss, or trees.

    Baselines and estimators of the user are not among them. Boosting is trained with
    one seed, because it is sure of itself; a mean of it with a network that got fewer
    seeds than the best loss is left out, as such networks are.
    """
    methods, trained = list(methods), seeds(scores)
    lead = best(scores, [m.key for m in methods if not m.reference], metric)
    least = trained.get(lead or "", 0)
    known = [
        m.key
        for m in methods
        if m.key == lead
        or (m.model == "boosting" and m.reference)
        or (m.model == "both" and trained.get(m.loss, 0) >= least)
    ]
    finite = [key for key in known if not infinite_rows(scores, key, metric.key)]
    return next(iter(ranked(scores, finite, metric)), None)


def from_best(
    differences: Iterable[Difference], metric: str, best: str
) -> list[Difference]:
    """The differences of other losses from the best one, by one metric."""
    return [d for d in differences if d.metric == metric and d.other == best]


def ties(differences: Iterable[Difference], metric: str, best: str) -> list[str]:
    """Losses that are settled as no worse than the best one."""
    rivals = from_best(differences, metric, best)
    return [d.method for d in rivals if d.verdict in ("practically equal", "better")]


def seeds_that_settle(differences: Iterable[Difference]) -> int | None:
    """Seeds after which some of the open differences would be settled."""
    needed = [d.seeds_needed for d in differences if d.seeds_needed is not None]
    return max(needed, default=None)
