"""Single pictures of a report, for papers and notebooks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from altair.utils.schemapi import debug_mode

from offby.report.parts import Figure
from offby.report.sections import SECTIONS
from offby.report.style import Look
from offby.results import Comparison

_NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'


@dataclass(frozen=True)
class Picture:
    """A picture of a report: a notebook shows it, and `save` writes it."""

    title: str
    """What it shows, as the report says it."""
    svg: str

    def save(self, path: str | Path) -> None:
        """Write it as an SVG file, which LaTeX, Word and Inkscape read."""
        Path(path).write_text(self.svg, encoding="utf-8")

    def _repr_svg_(self) -> str:
        return self.svg


def picture(comparison: Comparison, section: str, number: int = 0) -> Picture:
    """A picture of a section of the report.

    Args:
        comparison: What `offby.compare` found.
        section: Where it stands in the report, as "differences", "rows", "errors".
        number: Its place among the pictures of the section, from 0.

    Raises:
        ValueError: If the section has no such picture; it says which ones there are.
    """
    look = Look(comparison, "")
    known = {each.id: each for each in SECTIONS}
    with debug_mode(False):
        found = _figures(known[section].content(look)) if section in known else []
        if not 0 <= number < len(found):
            counts = {
                name: len(_figures(each.content(look))) for name, each in known.items()
            }
            there = ", ".join(f"{name} ({n})" for name, n in counts.items() if n)
            raise ValueError(
                f"the report must have picture {number} of section {section!r}, got "
                f"none; there are {there}"
            )
    figure = found[number]
    svg = str(figure.svg)
    if _NAMESPACE not in svg:
        svg = svg.replace("<svg", f"<svg {_NAMESPACE}", 1)
    return Picture(figure.title, svg)


def _figures(content: Any) -> list[Figure]:
    blocks = content if isinstance(content, list | tuple) else []
    return [block for block in blocks if isinstance(block, Figure)]
