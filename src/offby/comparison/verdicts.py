"""The answer for each use, in sentences."""

from collections.abc import Sequence
from dataclasses import replace

from offby.results import Answer, Difference, Method, Metric, Score, ranking, said
from offby.results.phrases import count, listed


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
        best = ranking.best(scores, losses, metric)
        if best is None:
            given.append(_no_finite_score(metric, order, scores))
            continue
        rivals = ranking.from_best(differences, metric.key, best)
        baselines = [method for method in methods if method.reference]
        given.append(_answer(metric, best, rivals, len(losses), baselines, scores))
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
    equal = tuple(d.method for d in rivals if d.verdict == "practically equal")
    open_ = [d for d in rivals if d.verdict == "not settled"]
    sentences = [
        f"For {metric.use} ({metric.title}), {best} scores best of {n_losses} losses."
    ]
    if equal:
        verb = "is" if len(equal) == 1 else "are"
        sentences.append(f"{listed(equal)} {verb} practically equal to it.")
    if open_:
        sentences.append(_not_settled(open_))
        sentences.append(said.what_settles(open_))
    sentences += [
        f"{d.method} is {said.answer(d)}."
        if not d.infinite_rows
        else f"{d.method} is worse: its score is infinite in "
        f"{count(d.infinite_rows, 'row')}."
        for d in rivals
        if d.verdict in ("better", "worse")
    ]
    sentences += _better_baselines(metric, best, baselines, scores)
    unsure = tuple(d.method for d in open_)
    return Answer(metric.key, best, equal, unsure, " ".join(sentences))


def _not_settled(open_: Sequence[Difference]) -> str:
    """Those that may be as good, in one sentence with the range of all intervals."""
    names = listed([d.method for d in open_])
    if len(open_) == 1:
        return (
            f"Whether {names} is as good is not settled: it is {said.sides(open_[0])}."
        )
    widest = replace(
        max(open_, key=lambda d: d.worse_by_high),
        worse_by_low=min(d.worse_by_low for d in open_),
    )
    return f"Whether {names} are as good is not settled: they are {said.sides(widest)}."


def _better_baselines(
    metric: Metric, best: str, baselines: Sequence[Method], scores: Sequence[Score]
) -> list[str]:
    """The best reference, if it scores better than every loss: said with its scores."""
    own = ranking.mean(scores, best, metric.key)
    order = [best, *(method.key for method in baselines)]
    ahead = ranking.ranked(scores, order, metric)
    ahead = ahead[: ahead.index(best)][:1]
    titles = {method.key: method.title for method in baselines}
    names = {
        key: key if title == key else f"The {title} ({key})"
        for key, title in titles.items()
    }
    return [
        f"{names[key]} scores better than all losses: "
        f"{ranking.mean(scores, key, metric.key):.4g} against {own:.4g}."
        for key in ahead
    ]
