"""The gallery: a page for each example, with what it printed and drew.

    python website/gallery.py NAME ...

runs these examples as they are and keeps their output in docs/examples/NAME.json. The
site shows it; first steps are run anew whenever the site is built.
"""

import argparse
import ast
import hashlib
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import cells
import scripts

KEPT = Path(__file__).resolve().parents[1] / "docs" / "examples"
FENCE = "`" * 4


@dataclass(frozen=True)
class Kept:
    """The output of a script at full size, and of which text of it."""

    fingerprint: str
    outputs: tuple[cells.Output, ...]


def write(pages: Path) -> None:
    """Write the list of all examples and the page of each to examples/."""
    for path in scripts.listed():
        to = pages / scripts.page_of(path)
        to.parent.mkdir(parents=True, exist_ok=True)
        if path.parent.name == scripts.EXECUTED:
            found = Kept(fingerprint(path), tuple(cells.run(path)))
        else:
            found = kept(path)
        to.write_text(page(path, found, to), encoding="utf-8")


def fingerprint(path: Path) -> str:
    """Tells one text of a script from another; comments and format do not matter."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]


def kept(path: Path) -> Kept | None:
    """What `keep` wrote, if it did."""
    file = KEPT / f"{path.stem}.json"
    if not file.exists():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    outputs = (
        cells.Output(each["text"], tuple(each["pictures"])) for each in found["outputs"]
    )
    return Kept(found["fingerprint"], tuple(outputs))


def keep(path: Path, arguments: list[str]) -> None:
    """Run a script in a process of its own and keep what it printed and drew."""
    found = Kept(fingerprint(path), tuple(cells.run(path, arguments)))
    KEPT.mkdir(exist_ok=True)
    text = json.dumps(asdict(found), indent=1) + "\n"
    (KEPT / f"{path.stem}.json").write_text(text, encoding="utf-8")


def page(path: Path, found: Kept | None, to: Path) -> str:
    """The page of a script; its pictures are written beside it."""
    script = path.read_text(encoding="utf-8")
    title, text = cells.introduction(script)
    parts = [f"# {title}", text]
    shown = cells.split(script)
    outputs = found.outputs if found and len(found.outputs) == len(shown) else ()
    if not outputs:
        parts.append("*Its output is not kept here: run it to see it.*")
    elif found and found.fingerprint != fingerprint(path):
        parts.append("*The output below is that of an earlier version of the script.*")
    for number, cell in enumerate(shown):
        output = outputs[number] if outputs else cells.Output()
        parts += _cell(cell, output, to.with_name(f"{to.stem}-{number}"))
    name = path.relative_to(scripts.EXAMPLES.parent).as_posix()
    parts.append(f"The whole script is `{name}`.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _cell(cell: cells.Cell, output: cells.Output, picture: Path) -> list[str]:
    parts = [f"## {cell.title}" if cell.title else ""]
    if cell.is_text:
        return [*parts, cell.source]
    parts.append(f"{FENCE}python\n{cell.source}\n{FENCE}")
    if output.text:
        parts.append(f"{FENCE}text\n{output.text}\n{FENCE}")
    for number, drawn in enumerate(output.pictures):
        file = picture.with_name(f"{picture.name}-{number}.svg")
        file.write_text(drawn, encoding="utf-8")
        parts.append(f"![{cell.title or 'What the cell draws'}]({file.name})")
    return parts


def main() -> None:
    """Keep the output of some examples, each in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--arguments", default="", help="of the one example")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    for name in given.names:
        (path,) = (each for each in scripts.listed() if each.stem == name)
        if given.here:
            keep(path, given.arguments.split())
        else:
            again = [sys.executable, __file__, name, "--here"]
            subprocess.run([*again, f"--arguments={given.arguments}"], check=True)


if __name__ == "__main__":
    main()
