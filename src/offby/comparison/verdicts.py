"""The answer for each use, in sentences."""

from collections.abc import Sequence

from offby.results import Answer, Difference, Method, Metric, Score, ranking
from offby.results.phrases import count, listed

_MOST_PERCENT = 200
"""A larger share of a score says that the score is near zero, and no more."""


def answers(
    metrics: Sequence[Metric],
    differences: Sequence[Difference],
    methods: Sequence[Method],
    scores: Sequence[Score],
) -> tuple[Answer, ...]:
    """The answer for each use: which loss is best, which are as good, which are not."""
    losses = [method.key for method in methods if not method.reference]
    given = []
    for metric in metrics:
        order = ranking.ranked(scores, losses, metric)
        if not metric.answers or not order:
            continue
        if ranking.best(scores, losses, metric) is None:
            given.append(_no_finite_score(metric, order, scores))
            continue
        rivals = ranking.from_best(differences, metric.key, order[0])
        baselines = [method for method in methods if method.reference]
        given.append(_answer(metric, order[0], rivals, len(losses), baselines, scores))
    return tuple(given)


def _no_finite_score(
    metric: Metric, losses: Sequence[str], scores: Sequence[Score]
) -> Answer:
    rows = [ranking.infinite_rows(scores, loss, metric.key) for loss in losses]
    return Answer(
        metric=metric.key,
        best="",
        ties=(),
        unsure=(),
        sentence=(
            f"For {metric.use} ({metric.title}), no loss can be called best: every "
            f"loss has an infinite score in at least {count(min(rows), 'row')}."
        ),
    )


def _answer(
    metric: Metric,
    best: str,
    rivals: Sequence[Difference],
    n_losses: int,
    baselines: Sequence[Method],
    scores: Sequence[Score],
) -> Answer:
    ties = tuple(d.method for d in rivals if d.verdict == ranking.TIE)
    unsure = [d for d in rivals if d.verdict == "can't tell"]
    worse = [d for d in rivals if d.verdict in ("worse", "slightly worse")]
    sentences = [
        f"For {metric.use} ({metric.title}), {best} scores best of {n_losses} losses."
    ]
    if ties:
        verb = "is" if len(ties) == 1 else "are"
        sentences.append(f"{listed(ties)} {verb} practically as good.")
    sentences += [_open(d) for d in unsure]
    if unsure:
        sentences.append(_what_would_decide(unsure))
    for d in worse:
        infinite = ranking.infinite_rows(scores, d.method, metric.key)
        sentences.append(_worse(d, infinite))
    sentences += _better_baselines(metric, best, baselines, scores)
    names = tuple(d.method for d in unsure)
    return Answer(metric.key, best, ties, names, " ".join(sentences))


def _sizes(d: Difference, *values: float) -> tuple[list[float], str]:
    """Differences above 0 where the method is worse, and their unit.

    They are percent of the better score, or as they are where that score is so near to
    zero that a percentage says nothing (a kappa of 0.02).
    """
    # The method is the worse of the two, so its mean difference says which way that is.
    sign = 1 if d.mean >= 0 else -1
    scale = abs(d.relative / d.mean) if d.mean else 0.0
    shares = [100 * sign * scale * value for value in values]
    if max(map(abs, shares)) <= _MOST_PERCENT:
        return shares, " %"
    return [sign * value for value in values], ""


def _number(size: float, unit: str) -> str:
    return f"{size:.1f}{unit}" if unit else f"{size:.3g}"


def _open(d: Difference) -> str:
    if d.pairs < 2:
        return f"{d.method} may be as good: one fit cannot tell."
    sizes, unit = _sizes(d, d.low, d.high)
    low, high = (
        f"{_number(abs(size), unit)} {'better' if size < 0 else 'worse'}"
        for size in sorted(sizes)
    )
    return f"{d.method} may be as good: it is between {low} and {high}."


def _what_would_decide(unsure: Sequence[Difference]) -> str:
    known = [d.seeds_needed for d in unsure if d.seeds_needed is not None]
    if len(known) < len(unsure):
        return "More seeds will not decide this; more rows might."
    return f"About {max(known)} seeds would decide this."


def _worse(d: Difference, infinite: int) -> str:
    if infinite:
        return (
            f"{d.method} is worse: its score is infinite in {count(infinite, 'row')}."
        )
    (mean, *ends), unit = _sizes(d, d.mean, d.low, d.high)
    low, high = sorted(ends)
    least = _number(low, unit).removesuffix(" %")
    return (
        f"{d.method} is {d.verdict}, by {_number(mean, unit)} (95 % interval {least} "
        f"to {_number(high, unit)}; worse in {d.pairs - d.wins} of {d.pairs} fits)."
    )


def _better_baselines(
    metric: Metric, best: str, baselines: Sequence[Method], scores: Sequence[Score]
) -> list[str]:
    """Baselines that score better than every loss: nobody should train for nothing."""
    own = ranking.mean(scores, best, metric.key)
    order = [best, *(method.key for method in baselines)]
    ahead = ranking.ranked(scores, order, metric)
    ahead = ahead[: ahead.index(best)]
    titles = {method.key: method.title for method in baselines}
    names = {
        key: key if title == key else f"The baseline {key} ({title})"
        for key, title in titles.items()
    }
    return [
        f"{names[key]} scores better than all losses: "
        f"{ranking.mean(scores, key, metric.key):.4g} against {own:.4g}."
        for key in ahead
    ]
