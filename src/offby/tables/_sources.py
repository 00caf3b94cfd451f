"""Where a table lies: a file, an address, standard input, or a packaged set."""

import atexit
import difflib
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.error import URLError
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

from offby import datasets

_SECONDS = 30
_KINDS = {
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "text/plain": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-ndjson": "ndjson",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.ms-excel": "xls",
}


_MARKS = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"PK": "xlsx",
    b"{": "ndjson",
    b"\x1f\x8b": "csv.gz",
    b"BZh": "csv.bz2",
    b"\xfd7zXZ": "csv.xz",
}
"""How files of each kind begin."""
_SHEETS_OF_OFFICE = b"[Content_Types].xml"
"""A file in each archive that is a spreadsheet of Office."""


def local_file(source: str) -> tuple[Path, list[str]]:
    """The file on this machine, and notes on how it came here.

    Raises:
        ValueError: If there is no such file or address.
    """
    if source == "-":
        return _from_stdin(), ["The table was read from standard input."]
    if source.startswith(("https://", "http://")):
        return _downloaded(source)
    return _file(source), []


def _from_stdin() -> Path:
    raw = sys.stdin.buffer.read()
    if not raw.strip():
        raise ValueError(
            "standard input must hold a table, got nothing; pipe a file into it"
        )
    kind = next((k for mark, k in _MARKS.items() if raw.startswith(mark)), "csv")
    if kind == "xlsx" and _SHEETS_OF_OFFICE not in raw:
        kind = "zip"
    file = _temporary() / f"stdin.{kind}"
    file.write_bytes(raw)
    return file


def _downloaded(address: str) -> tuple[Path, list[str]]:
    name = Path(unquote(urlsplit(address).path)).name or "table"
    try:
        with urlopen(address, timeout=_SECONDS) as answer:
            kind = answer.headers.get_content_type()
            if not Path(name).suffix:
                name = f"{name}.{_KINDS.get(kind, 'csv')}"
            file = _temporary() / name
            with file.open("wb") as opened:
                shutil.copyfileobj(answer, opened)
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ValueError(
            f"the address must lead to a table, got {address!r}: {reason}; check it in "
            "a browser, or download the file"
        ) from error
    if kind == "text/html":
        raise ValueError(
            f"the address must lead to a table, got {address!r}, which is a web page; "
            "take the address of the file itself"
        )
    size = file.stat().st_size
    return file, [f"{size / 1e6:.3g} MB of type {kind} were downloaded."]


def _temporary() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="offby-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _file(source: str) -> Path:
    file = Path(source)
    if file.is_dir():
        raise ValueError(
            f"the data must be a file, got the folder {source!r}; name a file in it"
        )
    if file.exists():
        return file
    if source in datasets.names():
        return datasets.load(source)
    near = [entry.name for entry in file.parent.glob("*")] + datasets.names()
    guess = difflib.get_close_matches(file.name, near, 1)
    hint = f"did you mean {guess[0]!r}?" if guess else "check the path"
    raise ValueError(
        f"the data must be a file or a packaged set ({', '.join(datasets.names())}), "
        f"got {source!r}, which is neither; {hint}"
    )
