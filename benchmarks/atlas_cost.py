"""What the atlas costs, and what a larger one would, from the seconds of its fits.

A part of docs/atlas.md: python benchmarks/atlas.py page
"""

import polars as pl
from atlas_problems import MODELS

SETS, CORES = 1_000, 100
"""Of the atlas that is only reckoned."""
IDLE = 0.10
"""Share of the time in which a core waits: assumed."""
BESIDE = 0.25
"""CPU seconds of reading, encoding and scoring for each second of fits: assumed."""
LARGE = 4_000
"""Rows to learn from of the largest problems of a set that counts as large."""


def per_set(rows: pl.DataFrame) -> pl.DataFrame:
    """CPU seconds of all fits of each set, and its largest number of rows."""
    spent = (pl.col("cpu_seconds") * pl.col("draws")).sum()
    return rows.group_by("kind", "set", maintain_order=True).agg(
        spent.alias("seconds"), pl.col("rows").max().alias("largest")
    )


def longest(rows: pl.DataFrame) -> float:
    """CPU seconds of the longest task: one model, one problem, all losses."""
    keys = ["set", "kind", "rows", "bins", "noise", "edge_noise", "model"]
    spent = (pl.col("cpu_seconds") * pl.col("draws")).sum()
    return float(rows.group_by(keys).agg(spent)["cpu_seconds"].max())  # type: ignore[arg-type]


def hours(seconds_per_set: float) -> tuple[float, float]:
    """CPU hours of all sets, and hours on all cores."""
    cpu = SETS * seconds_per_set * (1 + BESIDE) / 3600
    return cpu, cpu / CORES / (1 - IDLE)


def cost(rows: pl.DataFrame) -> list[str]:
    """What the reckoned atlas would take, by the kind of its sets."""
    found = per_set(rows)
    kinds = {
        "as here": found,
        "ordered classes only": found.filter(pl.col("kind") == "classes"),
        "numbers only": found.filter(pl.col("kind") == "numbers"),
        f"numbers, {LARGE:,} rows and more to learn from": found.filter(
            pl.col("kind") == "numbers", pl.col("largest") >= LARGE
        ),
    }
    lines = [
        f"| {SETS:,} sets | measured on | CPU seconds of fits for each | CPU hours "
        f"| hours on {CORES} cores |",
        "|---|---|---|---|---|",
    ]
    for name, some in kinds.items():
        if not some.height:
            continue
        seconds = float(some["seconds"].mean())  # type: ignore[arg-type]
        cpu, wall = hours(seconds)
        lines.append(
            f"| {name} | {some.height} sets | {seconds:.0f} | {cpu:.0f} | {wall:.2g} |"
        )
    return [
        *lines,
        "",
        f"Assumed, not measured: a core waits {IDLE:.0%} of the time, and reading, "
        f"encoding and scoring take {BESIDE:.0%} on top of the fits. Each set has the "
        "problems that a set of its kind and size has here; sets are cut to 5,000 "
        "rows, as here, and the cores are as quick as this one. Problems do not wait "
        "for each other. So at the end nobody waits longer than one task takes, which "
        "is one "
        f"model with all losses on one problem: here at most {longest(rows):.0f} "
        "CPU seconds of fits." + _missing(rows),
    ]


def _missing(rows: pl.DataFrame) -> str:
    """What of large tables has not been measured, so that the cost is too low."""
    large = rows.filter(pl.col("kind") == "numbers", pl.col("rows") >= 2_000)
    away = [model for model in MODELS if model not in large["model"]]
    if not away:
        return ""
    return (
        f" Of numbers with 2,000 rows and more {' and '.join(away)} have not run yet, "
        "so the lines with numbers are too low by their fits."
    )
