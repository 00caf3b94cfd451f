"""How the messages on tables name their parts."""

from collections.abc import Sequence


def row_count(n: int) -> str:
    """1 row, 2 rows."""
    return f"{n} row" if n == 1 else f"{n} rows"


def column_list(names: Sequence[str]) -> str:
    """column a, columns a, b."""
    return f"column{'s' if len(names) > 1 else ''} {some(names)}"


def some(items: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = f", ... (+{len(items) - 8})" if len(items) > 8 else ""
    return ", ".join(items[:8]) + more
