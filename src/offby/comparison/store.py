"""Finished fits in a run directory: what a stopped comparison goes on from."""

import io
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from offby.comparison.fits import Fit, Tensors

FILE = "fits.sqlite"
_TABLE = """CREATE TABLE IF NOT EXISTS fits
    (key TEXT PRIMARY KEY, data TEXT NOT NULL, fit BLOB NOT NULL) WITHOUT ROWID"""
_PATIENCE = 60.0
"""Seconds to wait for another run that is writing to the same directory."""


class Store:
    """The finished fits of a run directory, each under a hash of all it depends on.

    A fit is written whole or not at all (SQLite, one transaction), so a process may be
    killed at any moment; and two processes may share the directory.

    Args:
        folder: The run directory; it is made if it is not there.
        data: Hash of the data, to tell how many fits are of other data.

    Raises:
        ValueError: If that is no directory to write to, or its file no such store.
    """

    def __init__(self, folder: str | Path, data: str) -> None:
        self.folder, self._data = Path(folder), data
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.folder / FILE, timeout=_PATIENCE)
            with self._db:
                self._db.execute(_TABLE)
                # Refuse now what could not be written after the first fit.
                self._db.execute("INSERT INTO fits VALUES ('', '', '')")
                self._db.execute("DELETE FROM fits WHERE key = ''")
        except sqlite3.DatabaseError as error:
            if _is_full(error):
                raise self._full() from error
            raise ValueError(
                f"the run directory must hold fits of offby, or nothing, and be yours "
                f"to write to; got {str(self.folder)!r}: {error}; name another one"
            ) from error
        except OSError as error:
            raise ValueError(
                f"the run directory must be a folder you may write to, got "
                f"{str(self.folder)!r}: {error.strerror}; name another one"
            ) from error

    def others(self) -> int:
        """Fits of other data that the directory holds."""
        query = "SELECT COUNT(*) FROM fits WHERE data != ?"
        return int(self._db.execute(query, (self._data,)).fetchone()[0])

    def get(self, key: str) -> Fit | None:
        """The fit under a key, if it is there."""
        with self._explained():
            query = "SELECT fit FROM fits WHERE key = ?"
            found = self._db.execute(query, (key,)).fetchone()
        return _unpacked(found[0]) if found else None

    def put(self, keys: Sequence[str], fits: Sequence[Fit]) -> None:
        """Keep fits under their keys, all or none; what is there stays as it is."""
        rows = [
            (key, self._data, _packed(fit)) for key, fit in zip(keys, fits, strict=True)
        ]
        with self._explained(), self._db:
            self._db.executemany("INSERT OR IGNORE INTO fits VALUES (?, ?, ?)", rows)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if _is_full(error):
                raise self._full() from error
            raise RuntimeError(
                f"the run directory {str(self.folder)!r} must stay readable and "
                f"writable, got: {error}; the same call goes on from the fits kept "
                "there, once that is mended"
            ) from error

    def _full(self) -> RuntimeError:
        return RuntimeError(
            f"the run directory {str(self.folder)!r} needs room on its disk, got none "
            "left; free some, and the same call goes on from the fits kept there"
        )


def _is_full(error: sqlite3.DatabaseError) -> bool:
    # A quota or a limit on the size of files shows as a failed write.
    code = getattr(error, "sqlite_errorname", "")
    return code in ("SQLITE_FULL", "SQLITE_IOERR_WRITE")


def _packed(fit: Fit) -> bytes:
    parts: dict[str, Any] = _prefixed("tensor/", fit.tensors)
    for stage, tensors in enumerate(fit.earlier):
        parts |= _prefixed(f"earlier{stage}/", tensors)
    file = io.BytesIO()
    np.savez(
        file,
        where=np.array([fit.fold, fit.seed, fit.best_epoch]),
        form=np.array(fit.form),
        outputs=fit.outputs,
        seconds=np.array(fit.seconds),
        curve=np.array(fit.curve, np.float64),
        **parts,
    )
    return file.getvalue()


def _unpacked(raw: bytes) -> Fit:
    # No pickles: a run directory from elsewhere must not be able to run code.
    with np.load(io.BytesIO(raw), allow_pickle=False) as parts:
        fold, seed, best_epoch = parts["where"].tolist()
        stages = {key.partition("/")[0] for key in parts if key.startswith("earlier")}
        return Fit(
            fold=fold,
            seed=seed,
            form=parts["form"].item(),
            outputs=parts["outputs"],
            seconds=parts["seconds"].item(),
            best_epoch=best_epoch,
            curve=tuple(parts["curve"].tolist()),
            tensors=_unprefixed("tensor/", parts),
            earlier=tuple(_unprefixed(f"{each}/", parts) for each in sorted(stages)),
        )


def _prefixed(prefix: str, tensors: Tensors) -> dict[str, Any]:
    return {f"{prefix}{name}": part for name, part in tensors.items()}


def _unprefixed(prefix: str, parts) -> Tensors:
    keys = [key for key in parts if key.startswith(prefix)]
    return {key.removeprefix(prefix): parts[key] for key in keys}
