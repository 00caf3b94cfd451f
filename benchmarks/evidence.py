"""All evidence of docs/ in one run that may be stopped and continued.

    python benchmarks/evidence.py DATA [PART ...] [--again]
    python benchmarks/evidence.py --list
    python benchmarks/evidence.py pages

DATA is a folder with winequality.csv.gz, diamonds.csv.gz and the like. The parts are
those of benchmarks/evidence_parts.py; names choose some. `--list` prints them with the
CPU minutes that each has taken. A part whose script continues where it was is always
run, and finds out itself that nothing is left to do; another is run only if a file of
it is missing. With --again the files of the parts that are named are put aside in
build/ and all is measured anew. A part whose packages are not there is left out, and
said so. `pages` writes the tables of all pages, and the one of docs/evidence.md.
"""

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import polars as pl
from evidence_parts import PARTS, Part
from sections import with_tables

ROOT = Path(__file__).parents[1]
DOCS, BUILD = ROOT / "docs", ROOT / "build"
PAGE = DOCS / "evidence.md"
TAKEN = BUILD / "evidence.json"
"""CPU seconds of the runs on this machine, by part."""


def values(found: object, keys: Sequence[str], away: Sequence[str]) -> Iterator[float]:
    """Numbers under these keys, at any depth but below the keys that are away."""
    if isinstance(found, list):
        for each in found:
            yield from values(each, keys, away)
    if isinstance(found, dict):
        for key, each in found.items():
            if key in keys and isinstance(each, int | float):
                yield each
            elif key not in away:
                yield from values(each, keys, away)


def cpu_seconds(part: Part) -> float | None:
    """What its files say that it took; None if they say nothing."""
    total = 0.0
    for name in part.makes:
        path = DOCS / name
        if not part.seconds or not path.exists():
            return None
        if path.suffix == ".parquet":
            rows = pl.read_parquet(path)
            total += float((rows["cpu_seconds"] * rows["draws"]).sum())
        else:
            found = json.loads(path.read_text(encoding="utf-8"))
            total += sum(values(found, part.seconds, part.not_counted))
    return total or None


def minutes(part: Part) -> tuple[float | None, str]:
    """CPU minutes, and who says so."""
    measured = cpu_seconds(part)
    if measured is not None:
        return measured / 60, "its file"
    return part.minutes, "its script" if part.minutes else "nobody"


def missing(part: Part) -> list[str]:
    """Packages that it needs and that are not here."""
    return [name for name in part.needs if find_spec(name) is None]


def is_there(part: Part) -> bool:
    """Whether all its files are."""
    return all((DOCS / name).exists() for name in part.makes)


def listed() -> str:
    """All parts, with what they make and what they take."""
    taken = json.loads(TAKEN.read_text()) if TAKEN.exists() else {}
    lines, known = [], 0.0
    for part in PARTS:
        found, source = minutes(part)
        known += found or 0
        cost = f"{found:5.0f} CPU min ({source})" if found else "  not measured"
        here = (
            f", {taken[part.name] / 60:.1f} in runs here" if part.name in taken else ""
        )
        state = "is there" if is_there(part) else "missing"
        if part.by_hand:
            state += f"; by hand: {part.by_hand}"
        elif missing(part):
            state += f"; needs {', '.join(missing(part))}"
        lines.append(f"{part.name:18s}{', '.join(part.makes)}: {state}\n  {cost}{here}")
    return "\n".join([*lines, f"{known / 60:.1f} CPU hours are known of."])


def table() -> str:
    """The table of docs/evidence.md."""
    lines = [
        "| file | made by | shown on | CPU minutes | source of the minutes |",
        "|---|---|---|---|---|",
    ]
    for part in PARTS:
        files = ", ".join(f"`{name}`" for name in part.makes)
        made_by = "<br>".join(f"`{command}`" for command in part.commands)
        pages = ", ".join(f"[{name}]({name})" for name in part.pages) or "–"
        found, source = minutes(part)
        cost = "not measured" if found is None else f"{found:.2g}"
        cells = (files, made_by, pages, cost, source if found else "–")
        lines.append(f"| {' | '.join(cells)} |")
    known = sum(minutes(part)[0] or 0 for part in PARTS)
    by_hand = [f"`{part.name}` ({part.by_hand})" for part in PARTS if part.by_hand]
    return "\n".join(
        [
            *lines,
            "",
            f"Together {known / 60:.1f} CPU hours, as far as they are known. "
            f"Not run by `make evidence`: {'; '.join(by_hand)}.",
        ]
    )


def made(page: str) -> str:
    """The page with its table made anew."""
    return with_tables(page, lambda _: table())


def run(part: Part, data: str) -> bool:
    """Run its commands; whether all went well."""
    for command in part.commands:
        print(f"\n{part.name}: {command}", flush=True)
        before = _spent()
        well = _python(command.replace("DATA", data))
        taken = json.loads(TAKEN.read_text()) if TAKEN.exists() else {}
        taken[part.name] = taken.get(part.name, 0.0) + _spent() - before
        TAKEN.parent.mkdir(exist_ok=True)
        TAKEN.write_text(json.dumps(taken, indent=1) + "\n")
        if not well:
            return False
    return True


def _python(words: str) -> bool:
    done = subprocess.run(
        [sys.executable, *shlex.split(words)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    return done.returncode == 0


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_all(data: str, names: Sequence[str], again: bool) -> list[str]:
    """Run what is not done; sentences about what was left out or failed."""
    said = []
    for part in PARTS:
        if part.name not in (names or [part.name]) or (part.by_hand and not names):
            continue
        if lacking := missing(part):
            said.append(f"{part.name} needs {', '.join(lacking)}, and was left out")
            continue
        if again and names:
            for name in part.makes:
                if (DOCS / name).exists():
                    BUILD.mkdir(exist_ok=True)
                    (DOCS / name).replace(BUILD / f"before-{name}")
        if (part.resumes or not is_there(part)) and not run(part, data):
            said.append(f"{part.name} failed")
    return said


def write_pages() -> list[str]:
    """Write the tables of all pages from the files that are there."""
    commands = dict.fromkeys(
        command for part in PARTS if is_there(part) for command in part.tables
    )
    said = [f"{command} failed" for command in commands if not _python(command)]
    PAGE.write_text(made(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return said


def main(words: Sequence[str]) -> int:
    """Measure, list, or write pages; 1 if anything is left undone."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="?", help='folder of the tables, or "pages"')
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--list", action="store_true", help="print the parts")
    parser.add_argument("--again", action="store_true", help="of the parts named")
    asked = parser.parse_args(words)
    known = [part.name for part in PARTS]
    for name in asked.parts:
        if name not in known:
            parser.error(f"no part is called {name!r}; there is {', '.join(known)}")
    if asked.data is None and not asked.list:
        parser.error("needs DATA, the folder of the tables, or --list")
    if asked.again and not asked.parts:
        parser.error("--again needs the names of parts, whose files it puts aside")
    if asked.data == "pages":
        said = write_pages()
    else:
        print(listed(), flush=True)
        if asked.list:
            return 0
        said = run_all(str(Path(asked.data).resolve()), asked.parts, asked.again)
        said += write_pages()
    print(*said, sep="\n")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
