"""The leaderboard: every method by every metric, the best models marked."""

from offby.report.parts import Board, Cell, Line
from offby.report.style import Look
from offby.results import Answer, Comparison, Metric, phrases, said
from offby.results.card import card


def content(look: Look) -> Board:
    """What answer.html shows beside the verdicts."""
    c = look.comparison
    found = card(c)
    return Board(
        _heads(look.comparison),
        _lines(look),
        found.sentences if found else (),
        [
            (use, said.in_a_line(answer, c.differences), rest)
            for answer, use, rest in _uses(c)
        ],
        found.how if found else "",
    )


def _uses(c: Comparison) -> list[tuple[Answer, str, str]]:
    """Each answer, its use, and its sentences without it."""
    parted = [(each, each.sentence.partition("), ")) for each in c.verdicts]
    return [
        (each, f"{use})", f"{rest[:1].upper()}{rest[1:]}") if rest else (each, use, "")
        for each, (use, _, rest) in parted
    ]


def _heads(comparison: Comparison) -> list[dict[str, str]]:
    """The columns."""
    return [
        {
            "title": metric.title,
            "arrow": "↓" if metric.lower_is_better else "↑",
            "says": "lower is better" if metric.lower_is_better else "higher is better",
            # Classes, nats, the target: but a share is no unit.
            "unit": f"in {metric.unit}"
            if metric.unit and not metric.unit.startswith("share")
            else metric.unit,
            "use": metric.use,
        }
        for metric in comparison.metrics
    ]


def _lines(look: Look) -> list[Line]:
    """The rows, in the order of the terminal."""
    c = look.comparison
    marks = {metric.key: _marks(c, metric) for metric in c.metrics}
    return [
        Line(
            method.key,
            method.title if method.title != method.key else "",
            look.swatch(method.key),
            tuple(
                _cell(c, method.key, metric, marks[metric.key].get(method.key, ""))
                for metric in c.metrics
            ),
            method.reference,
        )
        for method in c.ranked
    ]


def _marks(c: Comparison, metric: Metric) -> dict[str, str]:
    """One for the best model, another for those that are practically equal to it."""
    equal = dict.fromkeys(c.equals(metric), "=")
    best = c.best(metric)
    return equal if best is None else equal | {best: "›"}


def _cell(c: Comparison, method: str, metric: Metric, mark: str) -> Cell:
    value = c.mean(method, metric.key)
    infinite = c.infinite_rows(method, metric.key)
    every = [c.mean(other.key, metric.key) for other in c.methods]
    text = phrases.number(value, phrases.digits([v for v in every if v is not None]))
    if infinite:
        note = "" if value is None else f"{text} over the finite rows"
        return Cell(phrases.infinite(infinite), "", note)
    return Cell(text, mark, "")
