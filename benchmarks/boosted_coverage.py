"""How many sets have intervals that hold about as often as they say: docs/boosted.md.

A part of the page: python benchmarks/boosted.py table
"""

from dataclasses import dataclass
from math import ceil

from boosted import INTERVALS, OURS, known_folds
from boosted_scores import common, mean

SLACK = 0.02
"""How far off the coverage of an interval may be."""
GOAL = 0.9
"""The share of the sets on which it should not be farther off."""
LEVELS = dict(sorted((level, key) for key, level in INTERVALS.items()))


@dataclass(frozen=True)
class Held:
    """By how much more often than they say intervals of a level hold, by set."""

    off: dict[str, float]

    @property
    def near(self) -> int:
        """Sets within the slack."""
        return sum(abs(off) <= SLACK for off in self.off.values())

    @property
    def short(self) -> int:
        """Sets that are missing to the goal; 0 where it is met."""
        # A share like 0.9 of 10 must not become 9.000000000000002 sets.
        return max(0, ceil(round(GOAL * len(self.off), 9)) - self.near)

    def __str__(self) -> str:
        told = f"{self.near} of {len(self.off)}"
        if not self.short:
            return told
        worst = max(self.off, key=lambda name: abs(self.off[name]))
        off = f"{100 * self.off[worst]:+.1f} on {worst}"
        return f"{told}, **missed by {self.short}** (up to {off})"


def held(kinds: list[str], model: str, level: float, conformal: bool) -> Held:
    """Of the sets that have such intervals, over all their folds."""
    key = LEVELS[level]
    key = key.replace("coverage", "conformal") if conformal else key
    off = {}
    for kind in kinds:
        for name, cells in known_folds().get(kind, {}).items():
            share = mean(cells, model, key, common(cells, [model]))
            if share is not None:
                title = name if len(kinds) == 1 else f"{name} ({kind})"
                off[title] = share - level
    return Held(off)


def coverage(kind: str) -> list[str]:
    """A row for each model, and for its conformal intervals if there are any."""
    heads = " | ".join(f"{level:.0%}" for level in LEVELS)
    lines = [
        f"Sets on which intervals hold within {100 * SLACK:.0f} points of what they "
        f"say. The goal is {GOAL:.0%} of the sets; where it is missed, the table says "
        "by how many sets, and by how many points the farthest is off:",
        "",
        f"| intervals | {heads} |",
        "|---" * (len(LEVELS) + 1) + "|",
    ]
    for model in OURS:
        for conformal in (False, True):
            row = [held([kind], model, level, conformal) for level in LEVELS]
            if row[0].off:
                title = f"{model}, conformal" if conformal else model
                lines.append(f"| {title} | {' | '.join(map(str, row))} |")
    return lines


def verdict() -> list[str]:
    """Whether the goal is met over both kinds of target, for each model."""
    lines = []
    kinds = ["classes", "numbers"]
    for model in OURS:
        told = []
        for level in LEVELS:
            found = held(kinds, model, level, conformal=False)
            share = found.near / len(found.off)
            missed = f", missed by {found.short}" if found.short else ", met"
            told.append(
                f"{level:.0%} on {found.near} of {len(found.off)} ({share:.0%}{missed})"
            )
        lines.append(
            f"- Intervals of {model} without conformal, sets of both kinds within "
            f"{100 * SLACK:.0f} points: {'; '.join(told)}."
        )
    return lines
