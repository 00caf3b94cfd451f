"""Which properties of the data favor which loss."""

from offby.report.parts import Block, Items
from offby.report.style import Look


def content(look: Look) -> list[Block]:
    """What the section shows."""
    return [Items(look.comparison.why)] if look.comparison.why else []
