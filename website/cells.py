"""A script in percent format: its cells, and what they print and draw.

The format is that of Jupyter's and VS Code's editors: a line `# %% Title` begins a cell
of code, `# %% [markdown]` one of text, whose lines are comments. The docstring of the
script is its introduction.
"""

import ast
import contextlib
import io
import os
import re
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

_BREAK = re.compile(r"^# %%(?P<text> \[markdown\])?(?: (?P<title>.+))?$")
# The same picture is the same file: no date, and ids that do not change.
_SVG = {"format": "svg", "bbox_inches": "tight", "metadata": {"Date": None}}


@dataclass(frozen=True)
class Cell:
    """A cell of code, or one of text."""

    title: str
    source: str
    line: int = 1
    """Where the source begins in the script."""
    is_text: bool = False


@dataclass(frozen=True)
class Output:
    """What a cell printed, and its pictures as SVG."""

    text: str = ""
    pictures: tuple[str, ...] = ()


def introduction(script: str) -> tuple[str, str]:
    """The first sentence of a script, which is its title, and the rest of it."""
    title, _, text = (ast.get_docstring(ast.parse(script)) or "").partition("\n")
    return title.strip().rstrip("."), text.strip()


def split(script: str) -> list[Cell]:
    """The cells of a script without its docstring; empty ones are left out."""
    tree = ast.parse(script)
    begin = tree.body[0].end_lineno or 0 if ast.get_docstring(tree) is not None else 0
    lines = script.splitlines()
    marks = {k: mark for k, line in enumerate(lines) if (mark := _BREAK.match(line))}
    starts = [begin - 1, *marks]
    cells = []
    for at, end in pairwise([*starts, len(lines)]):
        mark, within = marks.get(at), lines[at + 1 : end]
        blank = next((k for k, line in enumerate(within) if line), 0)
        source = "\n".join(within).strip()
        is_text = bool(mark and mark["text"])
        if is_text:
            source = re.sub(r"^# ?", "", source, flags=re.M)
        title = (mark["title"] if mark else None) or ""
        cells.append(Cell(title, source, at + 2 + blank, is_text))
    return [cell for cell in cells if cell.source or cell.title]


def run(path: Path, arguments: Sequence[str] = ()) -> list[Output]:
    """Run a script as `python NAME.py ARGUMENTS` does; one output per cell."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "offby"
    module = types.ModuleType("__main__")
    script = path.read_text(encoding="utf-8")
    module.__file__ = str(path)
    module.__doc__ = ast.get_docstring(ast.parse(script), clean=False)
    found = []
    with _as_main(path, module, arguments):
        for cell in split(script):
            printed = io.StringIO()
            if not cell.is_text:
                # Errors and tracebacks then name the line of the script.
                padded = "\n" * (cell.line - 1) + cell.source
                code = compile(padded, str(path), "exec")
                with contextlib.redirect_stdout(printed):
                    exec(code, vars(module))
            found.append(Output(printed.getvalue().rstrip(), _pictures()))
    return found


@contextlib.contextmanager
def _as_main(
    path: Path, module: types.ModuleType, arguments: Sequence[str]
) -> Iterator[None]:
    """The module stands as the main one, and its folder is searched for others."""
    kept: Any = sys.argv, sys.path[:], sys.modules["__main__"], os.environ.copy()
    sys.argv = [str(path), *arguments]
    sys.path = [str(path.parent), *sys.path]
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.argv, sys.path, sys.modules["__main__"], environ = kept
        os.environ.clear()
        os.environ.update(environ)


def _pictures() -> tuple[str, ...]:
    """The open figures, which are closed."""
    from matplotlib import pyplot

    found = []
    for number in pyplot.get_fignums():
        written = io.StringIO()
        pyplot.figure(number).savefig(written, **_SVG)
        found.append(written.getvalue())
    pyplot.close("all")
    return tuple(found)
