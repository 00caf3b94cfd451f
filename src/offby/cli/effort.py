"""How much work a comparison does: rows, folds, seeds and references, by its size.

Larger tables get fewer repeats: their many held-out rows settle more than seeds do, and
each fit takes longer. benchmarks/eight_tables.py measures what that takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offby.comparison.config import REFERENCES, CompareConfig

USUAL = CompareConfig.folds, CompareConfig.seeds
"""Folds and seeds of a small table."""
_FULL = 10, 5
_STEPS = ((2_500, USUAL), (4_000, (5, 2)), (5_500, (5, 1)))
"""Up to so much effort (rows, more if they are wide) so many folds and seeds."""
_LARGE = 3, 1
_QUICK = 3, 1
_QUICK_LARGE = 2, 1
_QUICK_EFFORT = 2_200
_QUICK_REFERENCES = tuple(name for name in REFERENCES if name != "pinball")
"""The network with 19 quantiles takes as long as a loss."""
_WIDE = 40
"""A row of so many columns takes twice the time of one with hardly any."""
_QUICK_ROWS = 2_000
"""With so many rows, a difference of 10 % is settled (docs/verdict.md)."""
_QUICK_EPOCHS = 120
"""Most losses stop earlier by themselves; emd1 would take half of the time of a run."""


@dataclass(frozen=True)
class Effort:
    """What a comparison of a table gets."""

    folds: int
    seeds: int
    sample: int | None
    """Rows to take at random, if not all."""
    references: tuple[str, ...] | bool
    noise: bool
    max_iter: int | None = None
    """The most epochs of a network, if fewer than usual."""
    notes: tuple[str, ...] = ()
    """What was left out because of the size, for the reader."""

    def options(self) -> dict[str, Any]:
        """What the command would have been told."""
        names = ("folds", "seeds", "sample", "references", "noise", "max_iter")
        return {name: getattr(self, name) for name in names}


def effort_of(asked: Mapping[str, Any], n_rows: int, n_columns: int) -> Effort:
    """Folds, seeds, rows and references, by the options and the size of the table.

    >>> options = dict.fromkeys(("folds", "seeds", "sample", "noise"))
    >>> found = effort_of(options | {"quick": True, "full": False}, 800, 12)
    >>> found.folds, found.seeds
    (3, 1)
    """
    quick, full, sample = asked["quick"], asked["full"], asked["sample"]
    if quick and sample is None:
        sample = _QUICK_ROWS if n_rows > _QUICK_ROWS else None
    usual = _usual(quick, full, min(n_rows, sample or n_rows), n_columns)
    folds, seeds = asked["folds"] or usual[0], asked["seeds"] or usual[1]
    return Effort(
        folds,
        seeds,
        sample,
        _QUICK_REFERENCES if quick else True,
        full if asked["noise"] is None else asked["noise"],
        _QUICK_EPOCHS if quick else None,
        tuple(
            filter(
                None,
                (
                    _of_rows(sample) if sample != asked["sample"] else "",
                    _of_repeats(asked, folds, seeds, quick=quick, full=full),
                ),
            )
        ),
    )


def _usual(quick: bool, full: bool, n_rows: int, n_columns: int) -> tuple[int, int]:
    """Folds and seeds, unless others are asked for."""
    size = n_rows * (1 + n_columns / _WIDE)
    if full:
        return _FULL
    if quick:
        return _QUICK if size <= _QUICK_EFFORT else _QUICK_LARGE
    return next((found for most, found in _STEPS if size <= most), _LARGE)


def _of_rows(sample: int | None) -> str:
    """That a first look takes some rows only."""
    return (
        f"--quick judges on {sample:,} rows at most, and trains a model that is saved "
        "on these; --sample N takes more."
    )


def _of_repeats(
    asked: Mapping[str, Any], folds: int, seeds: int, *, quick: bool, full: bool
) -> str:
    """Which repeats a large table does not get, and how to ask for them."""
    of_small = _QUICK if quick else USUAL
    fewer = [
        f"--{name} {usual}"
        for name, now, usual in zip(
            ("folds", "seeds"), (folds, seeds), of_small, strict=True
        )
        if asked[name] is None and now < usual
    ]
    if full or not fewer:
        return ""
    has = f"{folds} folds and {seeds} seed{'' if seeds == 1 else 's'}"
    return (
        f"A table of this size gets {has}, because many held-out rows settle more than "
        f"repeats do; {' '.join(fewer)} asks for as many as a small one gets."
    )
