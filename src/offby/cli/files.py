"""Files that the command line writes: named, refused early, and whole or not at all."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

_MARK = re.compile(rb'(?:name="offby-data" content="|"sha256": ?")([0-9a-f]{64})"')
"""Where a report, its JSON and its explainer hold the hash of the data they show."""


@dataclass(frozen=True)
class Outputs:
    """The files of one comparison: the report, and the explainer and JSON beside it."""

    report: Path
    json: Path | None
    explainer: Path

    def all(self) -> list[Path]:
        """Every file to write."""
        return [p for p in (self.report, self.json, self.explainer) if p is not None]


def outputs_of(data: str, target: str, out: Path | None, json: str | None) -> Outputs:
    """The files to write, checked before the work.

    Without `out` the report is named after the data and the target, as
    houses-price.html. `json` is a path, "-" for none, or None for the report's name
    with another ending.

    Raises:
        ValueError: If a file cannot be written, or two of them have one name.
    """
    report = out or Path(f"{plain(stem(data))}-{plain(target)}.html")
    check_page(report)
    found = Outputs(
        report,
        None if json == "-" else Path(json) if json else report.with_suffix(".json"),
        report.with_name(f"{report.stem}-explain.html"),
    )
    for path in found.all():
        check_writable(path)
    if found.json in (found.report, found.explainer):
        raise ValueError(
            "a page (--out) and the data (--json) must be two files, got "
            f"{str(found.json)!r} for both; rename one"
        )
    return found


def refuse_foreign_files(outputs: Outputs) -> None:
    """Refuse to replace a file that `offby compare` did not write.

    Raises:
        ValueError: If there is such a file under the name of an output.
    """
    for path in outputs.all():
        if path.is_file() and path.stat().st_size and made_from(path) is None:
            raise ValueError(
                f"{str(path)!r} exists and was not written by offby compare; choose "
                "another name with --out, or replace the file with --overwrite"
            )


def spared(outputs: Outputs, sha256: str) -> Outputs:
    """The outputs, renamed where files of a comparison of other data have their names.

    Report, JSON and explainer that belong together get the same number.
    """

    def free(*paths: Path) -> bool:
        return all(not p.exists() or made_from(p) == sha256 for p in paths)

    together = outputs.json == outputs.report.with_suffix(".json")
    report = _numbered(
        outputs.report,
        lambda report: free(
            report,
            report.with_name(f"{report.stem}-explain.html"),
            *([report.with_suffix(".json")] if together else []),
        ),
    )
    json = outputs.json
    if together:
        json = report.with_suffix(".json")
    elif json is not None:
        json = _numbered(json, free)
    return Outputs(report, json, report.with_name(f"{report.stem}-explain.html"))


def _numbered(path: Path, is_free: Callable[[Path], bool]) -> Path:
    """The path, or the first of path-2, path-3, ... that is free."""
    found, number = path, 1
    while not is_free(found):
        number += 1
        found = path.with_stem(f"{path.stem}-{number}")
    return found


def made_from(path: Path) -> str | None:
    """Hash of the data that a report, JSON or explainer shows; None of other files."""
    match = _MARK.search(path.read_bytes()) if path.is_file() else None
    return match[1].decode() if match else None


def stem(data: str) -> str:
    """What a table is called: its file's name without folder and endings."""
    if data == "-":
        return "stdin"
    name = unquote(urlsplit(data).path) if "://" in data else data
    return Path(name).name.partition(".")[0] or Path(name).name.lstrip(".")


def plain(name: str) -> str:
    """A name without the characters that a file's name cannot hold."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
    return kept.lstrip(".") or "data"


def check_page(path: Path) -> None:
    """Refuse a page with the ending of another kind of file.

    Raises:
        ValueError: If the ending is not .html or .htm.
    """
    check_writable(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(
            f"--out must end in .html, because the page is HTML, got {str(path)!r}; "
            f"use {str(path.with_suffix('.html'))!r} (a browser prints it as PDF)"
        )


def check_writable(path: Path | None) -> None:
    """Refuse a file that cannot be written, before an hour of training.

    Raises:
        ValueError: If it is a folder, or its folder is missing or closed to us.
    """
    if path is None:
        return
    if path.is_dir():
        raise ValueError(
            f"the output must be a file, got the folder {str(path)!r}; name a file"
        )
    if not path.parent.is_dir():
        raise ValueError(
            f"the output must lie in a folder that exists, got {str(path)!r}; make "
            f"{str(path.parent)!r} first"
        )
    if not os.access(path.parent, os.W_OK):
        raise ValueError(
            f"the output must lie where you may write, got {str(path)!r}; choose "
            "another folder with --out"
        )


def write(path: Path, text: str) -> None:
    """Write the whole file or none of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
