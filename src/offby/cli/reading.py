"""How a file is read, where it does not tell: the same flags for every command."""

from collections.abc import Callable
from typing import Any

import click

_OPTIONS = (
    click.option(
        "--missing",
        multiple=True,
        metavar="TEXT",
        help="Text that stands for a missing value, beside ?, NA, - and their like; "
        "may be given several times.",
    ),
    click.option("--separator", metavar="CHAR", help="What separates cells of a csv."),
    click.option(
        "--decimal",
        type=click.Choice([".", ","]),
        help="What stands before the decimals of a number.",
    ),
    click.option("--encoding", help="Text encoding, such as windows-1252."),
    click.option("--sheet", help="Sheet of a spreadsheet.  [default: the first]"),
    click.option("--table", "table_name", help="Table of a database file."),
    click.option(
        "--dates",
        type=click.Choice(["day-first", "month-first"]),
        help="How 03/04/2026 is read.",
    ),
    click.option(
        "--text",
        "text_columns",
        default="",
        metavar="COLUMNS",
        help="Columns that are text even if they look like numbers, as zip,code.",
    ),
)
_NAMES = ("missing", "separator", "decimal", "encoding", "sheet", "dates")


def reading_options(command: Callable) -> Callable:
    """Give a command the flags of this file."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def options_of(asked: dict[str, Any]) -> Any:
    """What `tables.scan` wants to know, from what was asked."""
    from offby.tables import ReadOptions

    given = {name: asked[name] for name in _NAMES}
    return ReadOptions(table=asked["table_name"], **given)
