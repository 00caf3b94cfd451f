"""Parts of a page that scripts write, between two marks in its Markdown."""

import re
from collections.abc import Callable

_TABLE = re.compile(r"(<!-- table: ([\w, -]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def between(page: str, begin: str, end: str, shown: str) -> str:
    """The page with other text between two marks, of which each stands there once.

    >>> between("a [b] c", "[", "]", "new")
    'a [new] c'
    """
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}{shown}{end}{after}"


def with_tables(page: str, table: Callable[[str], str]) -> str:
    """The page with every table made anew, from what its mark calls it.

    >>> print(with_tables("<!-- table: a -->\\nold\\n<!-- end -->", str.upper))
    <!-- table: a -->
    A
    <!-- end -->
    """
    return _TABLE.sub(lambda mark: f"{mark[1]}{table(mark[2])}\n{mark[3]}", page)
