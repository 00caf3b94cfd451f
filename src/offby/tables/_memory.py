"""Whether a table fits in memory, and how many of its rows would."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from offby.tables._classes import MANY

if TYPE_CHECKING:
    from offby.tables._table import Table

_GROUP = Path("/sys/fs/cgroup")


def available() -> int:
    """Bytes that can still be used, here or in the container that this runs in."""
    try:
        import psutil
    except ImportError as error:
        raise RuntimeError(
            'reading tables needs psutil; run pip install "offby[compare]"'
        ) from error
    free = psutil.virtual_memory().available
    try:
        limit = int((_GROUP / "memory.max").read_text())
        used = int((_GROUP / "memory.current").read_text())
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return free
    return min(free, max(0, limit - used))


def check_room(
    table: "Table",
    target: str,
    *,
    drop: Sequence[str],
    sample: int | None,
    folds: int,
    losses: int,
    seeds: int,
    bins: int | None,
    usual_bins: int,
) -> None:
    """Refuse a comparison that cannot fit in memory, before it dies of it.

    A row is held at least as it came, or as numbers (8 bytes each), once more in each
    fold (4 bytes each), and as a forecast of each network (4 bytes per bin).
    `usual_bins` are counted for a target of many numbers where `bins` is None.

    Raises:
        ValueError: If the rows need more than is available; it says how many would do.
    """
    first = table.first.drop(drop, strict=False)
    if bins is None and target in first.columns:
        distinct = first[target].n_unique()
        bins = distinct if distinct <= MANY else usual_bins
    as_read = first.estimated_size() / max(1, first.height) + 8 * first.width
    in_folds = (8 + 4 * folds) * first.width + 4 * (bins or 0) * losses * seeds
    each = max(as_read, in_folds)
    rows = min(sample or table.n_rows, table.n_rows)
    free = available()
    if rows * each <= free:
        return
    # Half of it: what passes by and what the system holds need room as well.
    fit = _rounded_down(free / each / 2)
    raise ValueError(
        f"the rows must fit in memory, got {rows:,} that need {_size(rows * each)} or "
        f"more ({_size(each)} each with {folds} folds, {losses} losses, {seeds} seeds "
        f"and {bins} bins), and {_size(free)} are free; take some at random with "
        f"--sample {fit}"
    )


def check_unpacked(file: Path, unpacked: int | None = None) -> None:
    """Refuse a file that must be read whole and is larger than memory.

    Args:
        file: The file.
        unpacked: Bytes of what it holds, if they are known and more than its own.
    """
    size = max(unpacked or 0, file.stat().st_size)
    free = available()
    if size > free:
        raise ValueError(
            f"a packed file must fit in memory unpacked, got {str(file)!r} of "
            f"{_size(size)} or more, and {_size(free)} are free; unpack it, and take "
            "some rows at random with --sample N"
        )


def _rounded_down(n: float) -> int:
    """Two digits are as much as an estimate is worth."""
    unit = 10 ** max(0, len(str(int(n))) - 2)
    return max(10, int(n) // unit * unit)


def _size(n: float) -> str:
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} GB"
