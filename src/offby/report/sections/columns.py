"""How each column was read, and how much the forecasts rest on it."""

from offby.report.parts import Block, Paragraph, Table
from offby.report.style import Look
from offby.results import Column, Importance, phrases

_MOST = 40
"""Rows of the table: more would be scrolled past."""


def content(look: Look) -> list[Block]:
    """What the section shows."""
    columns = look.comparison.columns
    if not columns:
        return []
    importance = {one.column: one for one in look.comparison.importances}
    used = [column for column in columns if column.used]
    used.sort(key=lambda c: -importance[c.name].increase if c.name in importance else 0)
    blocks: list[Block] = [Paragraph(_sentence(look))] if importance else []
    rows = tuple(_cells(column, importance.get(column.name)) for column in used)
    head = ("column", "read as", "different values", "missing")
    if importance:
        head = (*head, "worse without it", "over the folds")
    if rows:
        blocks.append(
            Table(
                "The columns that the models saw" + _cut(len(used)),
                head,
                tuple(cells[: len(head)] for cells in rows[:_MOST]),
                ("column", "read as"),
            )
        )
    unused = tuple((c.name, c.why_not) for c in columns if not c.used)
    if unused:
        caption = "The columns that the models did not see" + _cut(len(unused))
        blocks.append(
            Table(caption, ("column", "why"), unused[:_MOST], ("column", "why"))
        )
    return blocks


def _cut(number: int) -> str:
    return f" (the first {_MOST} of {number})" if number > _MOST else ""


def _cells(column: Column, importance: Importance | None) -> tuple[str, ...]:
    shared = (
        column.name,
        column.read_as,
        f"{column.distinct:,}",
        f"{column.missing:,}" if column.missing else "none",
    )
    if importance is None:
        return (*shared, "–", "–")
    low, high = (
        phrases.number(100 * end, 1) for end in (importance.low, importance.high)
    )
    return (
        *shared,
        f"{phrases.number(100 * importance.increase, 1)} %",
        f"{low} to {high} %",
    )


def _sentence(look: Look) -> str:
    """What matters most, and what it means."""
    found = look.comparison.importances
    score = look.score
    top = [one for one in found[:3] if one.increase > 0.01]
    explained = (
        f"“Worse without it” is how much the {score} of held-out rows grows when the "
        "values of the column are shuffled (permutation importance, "
        f"{found[0].method}). "
        "Columns that say the same thing share their importance, so each of them seems "
        "less important than it is."
    )
    if not top:
        return f"No single column matters by more than 1 %. {explained}"
    verb = "matters" if len(top) == 1 else "matter"
    return f"{phrases.listed([one.column for one in top])} {verb} most. {explained}"
