"""Files the command line writes: refused before the work, and whole or not at all."""

import os
from pathlib import Path


def file_name(target: str) -> str:
    """A column's name without what a file's name cannot hold."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in target)
    return kept.lstrip(".") or "target"


def check_writable(path: Path | None) -> None:
    """Refuse before an hour of training, not after it."""
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
    """The whole file or none of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
