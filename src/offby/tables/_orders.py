"""Orders that people use for classes of text: to propose, never to take unasked."""

import re
from collections.abc import Sequence

_SCALES = (
    "none very-low low lower medium mid middle moderate high higher very-high severe",
    "terrible very-poor poor bad fair medium average okay ok good very-good great "
    "excellent",
    "fair good very-good premium ideal",
    "po fa ta gd ex",
    "unacceptable acceptable good very-good",
    "never almost-never rarely seldom occasionally sometimes often usually "
    "almost-always always",
    "xxs xs s small m medium l large xl x-large xxl xx-large xxxl",
    "extra-small tiny small medium large extra-large huge",
    "no rather-no maybe rather-yes yes",
    "strongly-disagree disagree somewhat-disagree slightly-disagree "
    "neither-agree-nor-disagree neutral undecided slightly-agree somewhat-agree agree "
    "strongly-agree",
    "very-dissatisfied dissatisfied somewhat-dissatisfied neutral somewhat-satisfied "
    "satisfied very-satisfied",
    "extremely-unlikely very-unlikely unlikely somewhat-unlikely neutral "
    "somewhat-likely likely very-likely extremely-likely",
    "not-at-all a-little slightly somewhat moderately quite-a-bit very very-much "
    "extremely",
    "very-unimportant unimportant neutral important very-important",
    "january february march april may june july august september october november "
    "december",
    "jan feb mar apr may jun jul aug sep sept oct nov dec",
    "monday tuesday wednesday thursday friday saturday sunday",
    "mon tue tues wed thu thur thurs fri sat sun",
    "spring summer autumn fall winter",
    "first second third fourth fifth sixth",
    "primary secondary tertiary",
    "child teenager adult senior",
    "cold cool mild warm hot",
    "none minimal mild moderate severe very-severe critical",
    "light moderate heavy very-heavy",
    "freshman sophomore junior senior graduate",
    "i ii iii iv v vi vii viii ix x",
    "f e d c b a",
)
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*")
_BELOW = re.compile(r"^\s*(<|under|below|less|up to|bis|unter)", re.IGNORECASE)


def proposed(classes: Sequence[str]) -> tuple[list[str], bool]:
    """The classes in the order in which people use them, and whether it is known.

    >>> proposed(["50+", "6-10", "1-5"])
    (['1-5', '6-10', '50+'], True)
    >>> proposed(["Agree", "Strongly disagree", "Neutral"])
    (['Strongly disagree', 'Neutral', 'Agree'], True)
    >>> proposed(["red", "blue"])
    (['blue', 'red'], False)
    """
    plain = {
        name: re.sub(r"[\s_-]+|(?<=[a-z])(?=[A-Z])", "-", name.strip()).lower()
        for name in classes
    }
    for scale in _SCALES:
        places = {word: place for place, word in enumerate(scale.split())}
        if all(name in places for name in plain.values()):
            return sorted(classes, key=lambda name: places[plain[name]]), True
    starts = {name: _start(name) for name in classes}
    if all(start is not None for start in starts.values()):
        return sorted(classes, key=lambda name: starts[name] or (0.0, 0)), True
    return sorted(classes), False


def _start(name: str) -> tuple[float, int] | None:
    """Where an interval begins: 6-10 at 6, 50+ at 50, under 18 below 18."""
    numbers = _NUMBER.findall(re.sub(r"(?<=\d)[-–](?=\d)", " ", name))
    if not numbers:
        return None
    first = float(numbers[0].replace(",", "") if "," in numbers[0] else numbers[0])
    return first, 0 if _BELOW.match(name) else 1
