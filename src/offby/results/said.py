"""The answers in words: the same ones in sentences, tables and pages."""

from collections.abc import Sequence

from offby.results.phrases import count, listed, minus
from offby.results.records import Answer, Difference, Method

_MOST_PERCENT = 1000
"""A larger share of a score says that the score is near zero, and no more."""

_ROOM = 5
"""An end of an interval may be so many times as large."""


def model(method: Method) -> str:
    """A method as a sentence names it: "ce", "boosted trees with ce".

    >>> model(Method("mean ce", "", True, "both", "ce"))
    'the mean of network and boosted trees with ce'
    """
    match method.model:
        case "boosting":
            return f"boosted trees with {method.loss}"
        case "both":
            return f"the mean of network and boosted trees with {method.loss}"
        case _:
            return method.title if method.reference else method.key


def sizes(d: Difference, *shares: float) -> tuple[list[float], str]:
    """Shares of the leader's score in a unit that says something.

    That is percent, or the unit of the metric where the leader's score is so near to
    zero that a percentage says nothing (a kappa of 0.02). It is the same unit wherever
    the difference is said, with its interval or without. What is no share keeps its
    unit.
    """
    if d.unit != "%":
        return list(shares), f" {d.unit}".rstrip()
    wide = max(abs(d.worse_by_low), abs(d.worse_by_high)) / _ROOM
    if 100 * max(abs(d.worse_by), wide) <= _MOST_PERCENT:
        return [100 * share for share in shares], " %"
    scale = abs(d.mean / d.worse_by) if d.worse_by else 0.0
    return [scale * share for share in shares], ""


def number(size: float, unit: str) -> str:
    """A size as it is read aloud: 25 %, 2.4 %, 0.048 nats, 0.13."""
    if not unit:
        return minus(f"{size:.3g}")
    if unit != " %":
        return minus(f"{size:.{2 if abs(size) >= 1 else 3}f}") + unit
    text = f"{size:.0f}" if abs(size) >= 9.95 else f"{size:.1f}"
    return minus("0.0" if text == "-0.0" else text) + unit


def interval(d: Difference) -> str:
    """Its interval: "−1.2 to 3.1 %", above 0 where the method is worse."""
    (low, high), unit = sizes(d, d.worse_by_low, d.worse_by_high)
    return f"{number(low, unit).removesuffix(unit)} to {number(high, unit)}"


def sides(d: Difference) -> str:
    """Its interval by its sides: "between 1.2 % better and 3.1 % worse"."""
    (low, high), unit = sizes(d, d.worse_by_low, d.worse_by_high)
    low_text, high_text = (
        f"{number(abs(end), unit)} {'better' if end < 0 else 'worse'}"
        for end in (low, high)
    )
    return f"between {low_text} and {high_text}"


def answer(d: Difference) -> str:
    """One of the three answers, with its numbers: ready for the cell of a table.

    >>> answer(Difference("rps", "emd1", "ce", 0.1, 0.08, 0.12, 0.25, 0, 15, "worse",
    ...        worse_by=0.25, worse_by_low=0.2, worse_by_high=0.3))
    'worse by 25 % (20 to 30 %)'
    """
    if d.infinite_rows:
        return f"worse: infinite in {count(d.infinite_rows, 'row')}"
    match d.verdict:
        case "practically equal" | "not settled":
            return f"{d.verdict} ({interval(d)})"
        case _:
            ends = sorted((abs(d.worse_by_low), abs(d.worse_by_high)))
            (by, low, high), unit = sizes(d, abs(d.worse_by), *ends)
            least = number(low, unit).removesuffix(unit)
            return (
                f"{d.verdict} by {number(by, unit)} ({least} to {number(high, unit)})"
            )


def size(d: Difference) -> str:
    """How much worse or better it is, without the interval: for narrow tables."""
    if d.infinite_rows:
        return "∞"
    (by,), unit = sizes(d, abs(d.worse_by))
    return number(by, unit)


def in_a_line(answer: Answer, differences: Sequence[Difference]) -> str:
    """The answer for one use: what is best, and how the others compare with it."""
    if not answer.best:
        return "no loss can be called best"
    worse = [
        f"{d.method} {size(d)}"
        for d in differences
        if d.metric == answer.metric and d.other == answer.best and d.verdict == "worse"
    ]
    parts = (
        ("practically equal", answer.ties),
        ("not settled", answer.unsure),
        ("worse", worse),
    )
    others = [f"{what}: {', '.join(names)}" for what, names in parts if names]
    return "; ".join([f"{answer.best} is best", *others])


def what_settles(open_: Sequence[Difference]) -> str:
    """What would settle the answers that are open, in a sentence or two."""
    by_seeds = [d for d in open_ if d.seeds_needed]
    others = [d for d in open_ if not d.seeds_needed]
    most = max((d.seeds_needed or 0 for d in by_seeds), default=0)
    if not others:
        return f"About {most} seeds would settle this."
    rows = [d.rows_needed or 0 for d in others]
    known = all(rows)
    if by_seeds:
        what = listed([d.method for d in by_seeds])
        rest = listed([d.method for d in others])
        needed = f"about {max(rows):,} rows would" if known else "many more rows might"
        return f"About {most} seeds would settle {what}; for {rest}, {needed}."
    if known:
        return f"More seeds will not settle this; about {max(rows):,} rows would."
    return "More seeds will not settle this; many more rows might."
