"""The answer at a glance: at most five lines, what people read first."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from offby.results import ranking, said
from offby.results.comparison import Comparison
from offby.results.phrases import count, digits, duration, listed, number
from offby.results.records import Answer, Difference, Method, Metric

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
    best = comparison.method(comparison.best(metric) or answer.best)
    is_loss = best.key == answer.best
    return Card(
        _use(comparison, best, answer, metric),
        _worth(comparison, best, answer, metric),
        _sure_of_losses(comparison, answer, metric)
        if is_loss
        else _sure_of_models(comparison, metric),
        _cost(comparison, best),
        _how(comparison),
    )


def _use(c: Comparison, best: Method, answer: Answer, metric: Metric) -> str:
    what = said.model(best)
    # Something that is none of them may score better still.
    among = "of offby's models, " if _ahead(c, best, metric) else ""
    scores = "they score" if best.model == "boosting" else "it scores"
    text = f"Use {what}: {among}{scores} best for {metric.use} ({metric.title})."
    if best.key == answer.best and answer.ties:
        verb = "is" if len(answer.ties) == 1 else "are"
        text += f" {listed(answer.ties)} {verb} practically equal to it."
    return text


def _worth(c: Comparison, best: Method, answer: Answer, metric: Metric) -> str:
    """Beside the network, the usual loss and boosting; and what is better still."""
    found = c.from_best(metric)
    parts = []
    if best.key != answer.best and answer.best in found:
        own = answer.best
        parts.append(f"The network with {own}, its best loss, {_differs(found[own])}.")
    usual = found.get(_usual(c, best))
    # Of a network this is the first question; of another model, only if it is told.
    open_ = ("practically equal", "not settled" if parts else "")
    if usual is not None and usual.verdict not in open_:
        name = said.model(c.method(usual.method))
        name = f"{name[:1].upper()}{name[1:]}" if usual.method != COMMON else name
        verb = "are" if c.method(usual.method).model == "boosting" else "is"
        parts.append(f"{name}, the usual loss, {_differs(usual, verb)}.")
    ahead = _ahead(c, best, metric)
    if RIVAL in found and RIVAL not in [method.key for method in ahead[:1]]:
        title = c.method(RIVAL).title
        parts.append(f"{title[:1].upper()}{title[1:]} {_differs(found[RIVAL])}.")
    return " ".join([*parts, *_better_still(c, best, ahead, metric)])


def _usual(c: Comparison, best: Method) -> str:
    """The model of the same kind that learns by the loss that people use."""
    if best.loss == COMMON:
        return ""
    alike = [m.key for m in c.methods if (m.model, m.loss) == (best.model, COMMON)]
    return alike[0] if alike and best.model else COMMON


def _ahead(c: Comparison, best: Method, metric: Metric) -> list[Method]:
    """The methods that are no models of offby and score better, the best first."""
    order = ranking.ordered(c.scores, c.methods, metric)
    before = order[: order.index(best)]
    return [m for m in before if m.reference and not m.model]


def _better_still(
    c: Comparison, best: Method, ahead: Sequence[Method], metric: Metric
) -> list[str]:
    """The best of them, with its scores: it cannot be saved, but it can be used."""
    if not ahead:
        return []
    title = ahead[0].title
    values = [c.mean(each.key, metric.key) for each in (ahead[0], best)]
    decimals = digits([value for value in values if value is not None])
    its, own = (number(value, decimals) for value in values)
    return [
        f"{title[:1].upper()}{title[1:]} scores better still ({its} against {own}); it "
        "is here to compare with, so train it with its own library."
    ]


def _differs(d: Difference, verb: str = "is") -> str:
    if d.infinite_rows:
        rows = count(d.infinite_rows, "held-out row")
        return f"{verb} worse: its score is infinite in {rows}"
    if d.verdict == "not settled":
        pronoun = "it is" if verb == "is" else "they are"
        return f"may be as good: {pronoun} {said.sides(d)}"
    return f"{verb} {said.answer(d)}"


def _seen(c: Comparison) -> str:
    """Rows, folds and seeds."""
    seeds = max(ranking.seeds(c.scores).values(), default=1)
    return ", ".join(
        (
            count(sum(c.data.counts), "row"),
            count(c.run.folds, "fold"),
            count(seeds, "seed"),
        )
    )


def _sure_of_losses(c: Comparison, answer: Answer, metric: Metric) -> str:
    """What is settled among the losses, and from how much."""
    rivals = ranking.from_best(c.differences, metric.key, answer.best)
    open_ = [d for d in rivals if d.verdict == "not settled"]
    if not rivals:
        return f"This rests on {_seen(c)}."
    if not open_:
        return f"All differences between the losses are settled ({_seen(c)})."
    names = listed([d.method for d in open_])
    verb = "is" if len(open_) == 1 else "are"
    return (
        f"Whether {names} {verb} as good is not settled yet ({_seen(c)}). "
        f"{said.what_settles(open_)}"
    )


def _sure_of_models(c: Comparison, metric: Metric) -> str:
    """How many of the other models may be as good."""
    found = c.from_best(metric)
    models = [m for m in c.methods if m.key in found and (m.model or not m.reference)]
    if not models:
        return f"This rests on {_seen(c)}."
    of = {
        verdict: [m for m in models if found[m.key].verdict == verdict]
        for verdict in ("practically equal", "not settled")
    }
    equal, open_ = of["practically equal"], of["not settled"]
    if not equal and not open_:
        return f"All other models are settled as worse ({_seen(c)})."
    parts = []
    if equal:
        verb = "is" if len(equal) == 1 else "are"
        parts.append(f"{_names(equal)} {verb} practically equal to it")
    if open_:
        verb = "is" if len(open_) == 1 else "are"
        parts.append(f"whether {_names(open_)} {verb} as good is not settled yet")
    text = f"{'; '.join(parts)} ({_seen(c)})."
    return text[:1].upper() + text[1:]


def _names(models: Sequence[Method]) -> str:
    """The models if they are two at most, else how many there are."""
    if len(models) > 2:
        return f"{len(models)} other models"
    return listed([said.model(each) for each in models])


def _cost(c: Comparison, best: Method) -> str:
    fits = {(s.fold, s.seed) for s in c.scores if s.method == best.key}
    seconds = c.timing.fits.get(best.key)
    if not fits or seconds is None:
        return ""
    each = seconds / len(fits)
    took = f"{each:.1f} s" if each < 10 else duration(each)
    if best.model not in ("boosting", "both"):
        return f"Training one network with {best.key} took {took} here."
    return f"Training {said.model(best)} took {took} here."


def _how(c: Comparison) -> str:
    """What trains the best model on all rows."""
    try:
        words = shlex.split(c.run.command)
    except ValueError:  # Whatever text came from elsewhere.
        words = []
    if words[:2] != ["offby", "compare"]:
        return "model = comparison.fit_best(X, y)"
    return "" if "--save" in words else f"{c.run.command} --save model.offby"
