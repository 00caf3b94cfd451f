"""The answer at a glance: at most five lines, what people read first."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from offby.results import ranking, said
from offby.results.comparison import Comparison
from offby.results.phrases import count, duration, listed
from offby.results.records import Answer, Difference, Metric

COMMON = "ce"
"""The loss that people use if they do not choose one."""
RIVAL = "boosting"
"""The reference that a network has to beat."""


@dataclass(frozen=True)
class Card:
    """What to use, what it is worth, how sure that is, what it costs, and how.

    All but the last are sentences; that is a command or a line of Python.
    """

    use: str
    worth: str
    sure: str
    cost: str
    how: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """The lines that say something, without the last."""
        return tuple(filter(None, (self.use, self.worth, self.sure, self.cost)))


def card(comparison: Comparison) -> Card | None:
    """The card of the first use that has a best loss; None if no loss is best."""
    answer = next((each for each in comparison.verdicts if each.best), None)
    if answer is None:
        return None
    by_key = {metric.key: metric for metric in comparison.metrics}
    # Comparisons of schema 1 do not say what an answer is judged by.
    metric = by_key.get(answer.metric, comparison.metrics[0])
    rivals = ranking.from_best(comparison.differences, metric.key, answer.best)
    return Card(
        _use(answer, metric),
        _worth(comparison, rivals, answer, metric),
        _sure(comparison, rivals),
        _cost(comparison, answer.best),
        _how(comparison),
    )


def _use(answer: Answer, metric: Metric) -> str:
    text = f"Use {answer.best}: it scores best for {metric.use} ({metric.title})."
    if answer.ties:
        verb = "is" if len(answer.ties) == 1 else "are"
        text += f" {listed(answer.ties)} {verb} practically equal to it."
    return text


def _worth(
    c: Comparison, rivals: Sequence[Difference], answer: Answer, metric: Metric
) -> str:
    """Beside the usual loss, boosting, and any model that is better still."""
    titles = {method.key: method.title for method in c.methods}
    parts = []
    for d in rivals:
        if d.method == COMMON and COMMON not in answer.ties:
            parts.append(f"{COMMON}, the usual loss, {_differs(d)}.")
    for d in ranking.from_best(c.references, metric.key, answer.best):
        if d.method == RIVAL:
            title = titles.get(RIVAL, RIVAL)
            parts.append(f"{title[:1].upper()}{title[1:]} {_differs(d)}.")
    return " ".join([*parts, *_better_model(c, answer, metric)])


def _better_model(c: Comparison, answer: Answer, metric: Metric) -> list[str]:
    """The best model beside the network, if it is settled as better."""
    by_key = {method.key: method for method in c.methods}
    better = [
        d
        for d in ranking.from_best(c.references, metric.key, answer.best)
        if d.verdict == "better" and d.method in by_key and by_key[d.method].model
    ]
    best = min(better, key=lambda d: d.worse_by, default=None)
    return [f"The {by_key[best.method].title} {_differs(best)}."] if best else []


def _differs(d: Difference) -> str:
    if d.infinite_rows:
        rows = count(d.infinite_rows, "held-out row")
        return f"is worse: its score is infinite in {rows}"
    if d.verdict == "not settled":
        return f"may be as good: it is {said.sides(d)}"
    return f"is {said.answer(d)}"


def _sure(c: Comparison, rivals: Sequence[Difference]) -> str:
    """What is settled, and from how much."""
    seeds = max(ranking.seeds(c.scores).values(), default=1)
    seen = ", ".join(
        (
            count(sum(c.data.counts), "row"),
            count(c.run.folds, "fold"),
            count(seeds, "seed"),
        )
    )
    open_ = [d for d in rivals if d.verdict == "not settled"]
    if not rivals:
        return f"This rests on {seen}."
    if not open_:
        return f"All differences between the losses are settled ({seen})."
    names = listed([d.method for d in open_])
    verb = "is" if len(open_) == 1 else "are"
    return (
        f"Whether {names} {verb} as good is not settled yet ({seen}). "
        f"{said.what_settles(open_)}"
    )


def _cost(c: Comparison, best: str) -> str:
    fits = {(s.fold, s.seed) for s in c.scores if s.method == best}
    seconds = c.timing.fits.get(best)
    if not fits or seconds is None:
        return ""
    each = seconds / len(fits)
    took = f"{each:.1f} s" if each < 10 else duration(each)
    return f"Training one network with {best} took {took} here."


def _how(c: Comparison) -> str:
    """What trains the best loss on all rows."""
    try:
        words = shlex.split(c.run.command)
    except ValueError:  # Whatever text came from elsewhere.
        words = []
    if words[:2] != ["offby", "compare"]:
        return "model = comparison.fit_best(X, y)"
    return "" if "--save" in words else f"{c.run.command} --save model.offby"
