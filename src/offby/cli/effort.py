"""How much work a comparison does: rows, folds, seeds and references, by its size.

Larger tables get fewer repeats: their many held-out rows settle more than seeds do, and
each fit takes longer. benchmarks/eight_tables.py measures what that takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from offby.comparison.config import REFERENCES, CompareConfig
from offby.results.phrases import listed

USUAL = CompareConfig.folds, CompareConfig.seeds
"""Folds and seeds of a small table."""
_FULL = 10, 5
_STEPS = ((2_500, USUAL), (4_000, (5, 2)), (5_500, (5, 1)))
"""Up to so much effort (rows, more if they are wide) so many folds and seeds."""
_LARGE = 3, 1
_QUICK = 3, 1
_QUICK_LARGE = 2, 1
_QUICK_EFFORT = 2_200
_SLOW_LOSSES = ("emd1",)
"""Their networks stop late, so on a large table they take as long as all others."""
_SLOW_REFERENCES = ("pinball",)
"""The network with 19 quantiles takes as long as a loss."""
_SLOW_IF_WIDE = ("boosting",)
"""On a wide table the 19 models of scikit-learn take as long as four losses."""
_WIDE = 40
"""A row of so many columns takes twice the time of one with hardly any."""
_QUICK_ROWS = 2_000
"""With so many rows, a difference of 10 % is settled (docs/verdict.md)."""
_QUICK_MOST = 4_000
"""Effort of a first look at most: wide tables get fewer rows."""
_FEWEST_ROWS = 1_000
"""Of a first look, however wide the table is."""
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
    losses: Sequence[str] = CompareConfig.losses
    """Those of a run for which none are named."""
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

    >>> options = dict.fromkeys(("folds", "seeds", "sample", "noise", "losses"))
    >>> found = effort_of(options | {"quick": True, "full": False}, 800, 12)
    >>> found.folds, found.seeds
    (3, 1)
    """
    quick, full, sample = asked["quick"], asked["full"], asked["sample"]
    if quick and sample is None:
        most = _rows_of_first_look(n_columns)
        sample = most if n_rows > most else None
    size = _size(min(n_rows, sample or n_rows), n_columns)
    usual = _usual(quick, full, size)
    folds, seeds = asked["folds"] or usual[0], asked["seeds"] or usual[1]
    slow = _slow(quick, full, size)
    losses = tuple(loss for loss in CompareConfig.losses if loss not in slow)
    wide = bool(quick and slow) and _rows_of_first_look(n_columns) < _QUICK_ROWS
    missing = (*slow, *(_SLOW_REFERENCES if quick else ()))
    missing += _SLOW_IF_WIDE if wide else ()
    references = tuple(name for name in REFERENCES if name not in missing)
    return Effort(
        folds,
        seeds,
        sample,
        True if references == REFERENCES else references,
        full if asked["noise"] is None else asked["noise"],
        losses,
        _QUICK_EPOCHS if quick else None,
        tuple(
            filter(
                None,
                (
                    _of_rows(sample) if sample != asked["sample"] else "",
                    _of_repeats(asked, folds, seeds, quick=quick, full=full),
                    "" if asked["losses"] else _of_losses(losses, quick=quick),
                    _OF_WIDE if wide else "",
                ),
            )
        ),
    )


def _size(n_rows: int, n_columns: int) -> float:
    """The effort: rows, more if they are wide."""
    return n_rows * (1 + n_columns / _WIDE)


def _rows_of_first_look(n_columns: int) -> int:
    """The most rows of a first look, in hundreds."""
    allowed = int(_QUICK_MOST / _size(1, n_columns)) // 100 * 100
    return max(_FEWEST_ROWS, min(_QUICK_ROWS, allowed))


def _slow(quick: bool, full: bool, size: float) -> tuple[str, ...]:
    """What a table of this size does without, unless it is asked for."""
    if full or size <= (_QUICK_EFFORT if quick else _STEPS[-1][0]):
        return ()
    return (*_SLOW_LOSSES, *_SLOW_REFERENCES)


def _usual(quick: bool, full: bool, size: float) -> tuple[int, int]:
    """Folds and seeds, unless others are asked for."""
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


def _of_losses(losses: tuple[str, ...], *, quick: bool) -> str:
    """That a slow loss is left out, and how to ask for it."""
    missing = listed([loss for loss in CompareConfig.losses if loss not in losses])
    if not missing:
        return ""
    every = ",".join(CompareConfig.losses)
    return (
        f"On a table of this size, {missing} takes about as long to train as all other "
        f"losses together, so it is left out; --losses {every} has it."
        if quick
        else f"On a table of this size, {missing} takes about as long to train as all "
        "other losses together, so it is left out, and so is the network with 19 "
        f"quantiles; --losses {every} has the loss, and --full has both."
    )


_OF_WIDE = (
    "On a table this wide, scikit-learn's gradient boosting takes as long as four "
    "losses, so --quick leaves it out; a run without --quick has it."
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
