"""Rows of masses in one C++ call: sums, bins that they reach, scores, intervals.

The specification is in `offby.distribution`, and runs where there is no C++.
"""

import struct
from typing import Any, NamedTuple

import numpy as np

from offby.bins import Bins
from offby.kernels._support import cpp_runs
from offby.kernels.cpp import _library

_BEFORE, _REACH, _SCORE, _SHORTEST = range(4)
"""In the order of `enum OfMasses`."""

# `struct MassesJob` of native/masses_job.hpp: pointers, sizes, integers.
_JOB = struct.Struct("@8P3q2i")

Floats = np.ndarray[Any, np.dtype[np.float64]]
Places = np.ndarray[Any, np.dtype[np.int64]]


class Sums(NamedTuple):
    """Masses of rows up to some of their bins, rows x bins asked for."""

    at: Places
    """Which bins."""
    start: Floats
    """Mass before each."""
    end: Floats
    """The same with its own mass."""
    total: Floats
    """Mass of all bins, rows x 1."""


def before(rows: np.ndarray, at: Places) -> Sums | None:
    """Mass before and up to bins of every row; None where C++ cannot run.

    Args:
        rows: Masses, rows x bins, float32 or float64.
        at: Bins of each row, rows x bins asked for.
    """
    if not cpp_runs():
        return None
    at = np.ascontiguousarray(at, np.int64)
    assert ((at >= 0) & (at < rows.shape[-1])).all()
    return _sums(_BEFORE, rows, at, None)


def reaching(rows: np.ndarray, shares: Floats) -> Sums | None:
    """The bins where a share of each row's mass is reached; None without C++.

    Args:
        rows: Masses, rows x bins, float32 or float64.
        shares: Shares of the mass, rows x shares.
    """
    if not cpp_runs():
        return None
    shares = np.ascontiguousarray(shares, np.float64)
    return _sums(_REACH, rows, np.empty(shares.shape, np.int64), shares)


def integral_of_squares(
    rows: np.ndarray, values: Floats, bins: Bins, widths: Floats
) -> Floats | None:
    """Squared mass on the far side of a number, integrated; None without C++.

    Args:
        rows: Masses, rows x bins, float32 or float64.
        values: A number for each row.
        bins: The grid.
        widths: Of the bins; 0 of those that are not integrated over.
    """
    if not cpp_runs():
        return None
    found = np.empty(len(rows))
    widths = np.ascontiguousarray(widths, np.float64)
    values = np.ascontiguousarray(values, np.float64)
    _run(
        _SCORE,
        rows,
        1,
        numbers=values,
        edges=_edges_of(bins),
        widths=widths,
        start=found,
    )
    return found


def shortest(
    rows: np.ndarray, shares: Floats, bins: Bins
) -> tuple[Floats, Floats] | None:
    """Ends of the shortest interval with a share of each row's mass.

    None where there is no C++, and of grids with tails: there an end may lie best
    between the edges.

    Args:
        rows: Masses, rows x bins, float32 or float64.
        shares: A share for each row, from 0 to 1.
        bins: The grid.
    """
    if bins.tails != "none" or not cpp_runs():
        return None
    shares = np.ascontiguousarray(shares, np.float64)
    low, high = np.empty(len(rows)), np.empty(len(rows))
    edges = _edges_of(bins)
    _run(_SHORTEST, rows, 1, numbers=shares, edges=edges, start=low, end=high)
    return low, high


def _edges_of(bins: Bins) -> Floats:
    return np.ascontiguousarray(bins.edges.cpu().numpy(), np.float64)


def _sums(kind: int, rows: np.ndarray, at: Places, shares: Floats | None) -> Sums:
    start, end, total = np.empty(at.shape), np.empty(at.shape), np.empty((len(at), 1))
    parts = {"at": at, "start": start, "end": end, "total": total}
    _run(kind, rows, at.shape[-1], numbers=shares, **parts)
    return Sums(at, start, end, total)


_ARRAYS = ("numbers", "edges", "widths", "at", "start", "end", "total")


def _run(kind: int, rows: np.ndarray, each: int, **arrays: np.ndarray | None) -> None:
    assert rows.dtype in (np.float32, np.float64)
    rows = np.ascontiguousarray(rows)
    given = (arrays.get(name) for name in _ARRAYS)
    job = _JOB.pack(
        rows.ctypes.data,
        *(0 if each is None else each.ctypes.data for each in given),
        *(len(rows), rows.shape[-1], each),
        *(kind, rows.dtype == np.float32),
    )
    _library.loaded().handle.offby_masses(job)
