"""Numbers and names as a reader wants them."""

import math
import re
from collections.abc import Sequence


def infinite(rows: int) -> str:
    """How many scores are infinite."""
    return f"∞ ({count(rows, 'row')})"


def count(number: int, what: str) -> str:
    """A number of things, in the plural if there are several."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def listed(names: Sequence[str]) -> str:
    """The names as part of a sentence."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def digits(values: Sequence[float]) -> int:
    """Decimals that give the largest of the values four digits."""
    top = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if not top:
        return 3
    return min(6, max(0, 3 - max(0, math.floor(math.log10(top)))))


def number(value: float | None, decimals: int) -> str:
    """A number, with a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{decimals}f}"
    # What rounds to zero has no sign.
    return text.replace("-", "−" if text.strip("-0.") else "")


def plain(value: float) -> str:
    """Four digits that matter, as people write them: 15,380 and not 1.538e+04.

    >>> plain(15384.2), plain(0.25), plain(-3.0), plain(2e9)
    ('15,380', '0.25', '-3', '2e+09')
    """
    text = f"{value:.4g}"
    if "e+" in text and abs(value) < 1e9:
        return f"{float(text):,.0f}"
    return text


def minus(text: str) -> str:
    """The text with the sign of negative numbers as it is printed."""
    return re.sub(r"(?<![\w)])-(?=[\d.])", "−", text)


def signed(value: float, decimals: int) -> str:
    """A difference: with its sign, unless it rounds to zero."""
    text = number(value, decimals)
    return f"+{text}" if value > 0 and text.strip("0.") else text


def percent(share: float) -> str:
    """A share: whole percents, but never 0 % of something or 100 % of not all."""
    if 0 < share < 0.01:
        return "less than 1\u00a0%"
    if 0.99 < share < 1:
        return "more than 99\u00a0%"
    return f"{100 * share:.0f}\u00a0%"


def duration(seconds: float) -> str:
    """A time as people say it: 80 s, 3 min, 2 h 5 min."""
    if seconds >= 3600:
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
