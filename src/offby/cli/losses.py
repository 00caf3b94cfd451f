"""`offby losses`: show the losses, and find the one that was meant."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from offby.cli import terminal

if TYPE_CHECKING:
    from offby.losses.registry import Loss

COUNTERPARTS = {
    "mse": "emd2",
    "l2": "emd2",
    "squared_error": "emd2",
    "mae": "emd1",
    "l1": "emd1",
    "absolute_error": "emd1",
}
"""Errors of a single predicted number, with the loss that extends each to a forecast.

For a forecast with all its mass on one class they are equal up to a power.
"""


@click.command()
def losses() -> None:
    """Show the losses and what each is good for."""
    from offby.losses.registry import TABLE

    terminal.print_losses(TABLE)


def check_losses(names: Sequence[str]) -> None:
    """Refuse a name that is no loss, and say which one was probably meant.

    Raises:
        ValueError: If there is no name, or one of them is no loss or sum of losses.
    """
    if not names:
        raise ValueError(
            "--losses must name at least one loss, got none; offby losses lists them"
        )
    from offby.losses.registry import TABLE, parse

    for name in names:
        try:
            parse(name)
        except ValueError as error:
            meant = _meant(name, TABLE)
            hint = f"; did you mean {meant!r}?" if meant else "; offby losses lists all"
            raise ValueError(f"{error}{hint}") from error


def _meant(name: str, table: Sequence["Loss"]) -> str | None:
    """The loss whose name, title, alias or initials are closest to `name`."""
    known = dict(COUNTERPARTS)
    for loss in table:
        aliases = [loss.title, *loss.also.split(", ")]
        initials = ["".join(word[0] for word in alias.split()) for alias in aliases]
        for text in (*aliases, *(i for i in initials if len(i) > 2), loss.name):
            known[text.lower()] = loss.name
    found = get_close_matches(name.strip().lower().replace("-", " "), known, 1, 0.7)
    found = found or get_close_matches(name.strip().lower(), known, 1, 0.7)
    return known[found[0]] if found else None
