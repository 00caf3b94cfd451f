"""Names for what the theme leaves without one, so that readers of screens hear them."""

import re

SEARCH = '<div class="md-search" data-md-component="search" role="dialog">'
EMPTY = re.compile(r"<th([^>]*)>\s*</th>")
BUTTONS = '"nav",{class:"md-code__nav"}'


def mended_page(html: str) -> str:
    """A page whose search has a name; the corner of a table is no heading."""
    named = _replaced(html, SEARCH, f'{SEARCH[:-1]} aria-label="Search">')
    return EMPTY.sub(r"<td\1></td>", named)


def mended_script(script: str) -> str:
    """The theme's script, in which the buttons of a block of code are no navigation."""
    return _replaced(script, BUTTONS, BUTTONS.replace("nav", "div", 1))


def _replaced(text: str, old: str, new: str) -> str:
    if old not in text:
        raise ValueError(f"Material has changed: {old} is no longer in its output")
    return text.replace(old, new)
