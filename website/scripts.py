"""Which scripts of examples/ the gallery shows: those that examples/README.md lists."""

import functools
import re
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
LIST = EXAMPLES / "README.md"
EXECUTED = "first_steps"
"""The folder whose scripts run whenever the site is built."""


@functools.cache
def levels() -> dict[str, list[Path]]:
    """The headings of the list, and the scripts under each."""
    text = LIST.read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.M)[1:]
    return {
        title: [
            EXAMPLES / name for name in re.findall(r"^- \[.*?\]\((.+?)\)", body, re.M)
        ]
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }


def listed() -> list[Path]:
    """All scripts of the list."""
    return [path for paths in levels().values() for path in paths]


def page_of(path: Path) -> str:
    """Where the site has the page of a script."""
    return f"examples/{path.relative_to(EXAMPLES).with_suffix('.md').as_posix()}"
