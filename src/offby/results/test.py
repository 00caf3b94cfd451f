"""The scores on a separate test table, in words: the same on terminal and page."""

from offby.results import said
from offby.results.comparison import Comparison
from offby.results.phrases import count, digits, infinite, number


def title(comparison: Comparison) -> str:
    """What was scored on what; nothing if nothing was."""
    test = comparison.test
    if test is None:
        return ""
    what = said.model(comparison.method(test.method))
    return (
        f"On the test table {test.name} ({count(test.n_rows, 'row')}), scored once: "
        f"{what}, trained on all {count(test.trained_on, 'row')}"
    )


def rows(comparison: Comparison) -> list[tuple[str, str, str, str]]:
    """For each metric: its name, the score, its interval, and that of the folds."""
    test, found = comparison.test, []
    if test is None:
        return []
    by_key = {metric.key: metric for metric in comparison.metrics}
    for score in test.scores:
        if score.metric not in by_key:
            continue
        before = comparison.mean(test.method, score.metric)
        beyond = comparison.infinite_rows(test.method, score.metric)
        known = [each for each in (score.value, before) if each is not None]
        decimals = digits(known)
        text = number(score.value, decimals)
        between = "–"
        if score.low is not None and score.high is not None:
            between = f"{number(score.low, decimals)} to {number(score.high, decimals)}"
        if score.infinite_rows:
            text, between = infinite(score.infinite_rows), "–"
        title = by_key[score.metric].title
        folds = infinite(beyond) if beyond else number(before, decimals)
        found.append((title, text, between, folds))
    return found


def lines(comparison: Comparison) -> list[str]:
    """The scores, a line each, in columns."""
    head = ("", "score", "95 % interval", "in the comparison")
    table = [head, *rows(comparison)]
    wide = [max(len(row[place]) for row in table) for place in range(len(head))]
    return [
        "  ".join(
            [name.ljust(wide[0])]
            + [cell.rjust(room) for cell, room in zip(cells, wide[1:], strict=True)]
        )
        for name, *cells in table
    ]
