"""What tells beforehand which loss wins: the study behind "Why on your data".

    python benchmarks/why.py [tell]

trains cross-entropy and three losses that feel distance on many small problems: drawn
ones, whose truth is known, and five public tables. Of each it takes what `compare` can
tell its user about the data, and what the losses gained over cross-entropy. Writes
docs/why.json, the tables of docs/why.md, and src/offby/comparison/why.json, from which
`compare` quotes. Takes about 13 minutes on one core; with "tell", only what is made of
the measurements is made again. What is measured lies in build/why.json until all of it
is there, so a run that was cut off goes on where it was; delete that file after a
change of what is measured.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

from sections import with_tables
from why_problems import Cell, drawn_cells, real_cells
from why_summary import LOSSES, bands_table, ranks_table, summary

from offby.comparison.fits import Fit, fit_loss
from offby.comparison.networks import Design
from offby.comparison.noise.estimate import noise_share
from offby.comparison.scoring import judge
from offby.comparison.why import factors
from offby.losses.registry import parse

DESIGN = Design("perceptron")
HOME = Path(__file__).parents[1]
OUT = HOME / "docs" / "why.json"
PART = HOME / "build" / "why.json"
PAGE = HOME / "docs" / "why.md"
PACKAGED = HOME / "src" / "offby" / "comparison" / "why.json"


def measure(cells: Sequence[Cell]) -> list[dict]:
    """Factors and scores of each cell, averaged over those of one name."""
    at = [(cell.folds[0], seed) for seed, cell in enumerate(cells)]
    fits = {
        name: fit_loss(at, loss=parse(name), design=DESIGN, stop_on="score")
        for name in ("ce", *LOSSES)
    }
    rows: dict[str, list[dict]] = {}
    for place, cell in enumerate(cells):
        rows.setdefault(cell.name, []).append(
            one(cell, {name: found[place] for name, found in fits.items()})
        )
    return [
        {
            "name": name,
            "kind": cells[0].kind,
            "rows": cells[0].n_learned,
            "factors": _means([row["factors"] for row in found]),
            "scores": {
                loss: _means([row["scores"][loss] for row in found]) for loss in fits
            },
        }
        for name, found in rows.items()
    ]


def one(cell: Cell, fits: dict[str, Fit]) -> dict:
    """Factors and scores of one cell."""
    judged = {name: judge(cell.folds[0], fit) for name, fit in fits.items()}
    scores = {
        name: {
            # Rows outside all bins are infinitely bad under every loss, and left out.
            key: value if infinite == judged["ce"][key][1] else None
            for key, (value, infinite) in found.items()
            if key in ("rps", "crps", "log_score")
        }
        for name, found in judged.items()
    }
    given = cell.as_given()
    # The fold of a cell is its first, whatever its number.
    share = noise_share(given, [replace(fits["ce"], fold=0)], DESIGN)
    known = factors(cell, judged["ce"]["far"][0], share.share)
    return {"factors": known, "scores": scores}


def _means(rows: list[dict]) -> dict:
    return {
        key: None
        if any(row[key] is None for row in rows)
        else float(np.mean([row[key] for row in rows]))
        for key in rows[0]
    }


def main() -> None:
    torch.set_num_threads(1)
    batches = {
        f"{source} {batch[0].kind} {batch[0].name if source == 'real' else ''} "
        f"{batch[0].n_learned} rows, {batch[0].n_bins} bins": (source, batch)
        for source, some in (("drawn", drawn_cells()), ("real", real_cells()))
        for batch in some
    }
    found = measured(batches, PART)
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    PART.unlink()
    tell()


def measured(batches: dict[str, tuple[str, list[Cell]]], kept: Path) -> list[dict]:
    """Rows of all batches; those that the file has are not measured again."""
    kept.parent.mkdir(exist_ok=True)
    known = json.loads(kept.read_text()) if kept.exists() else {}
    for title, (source, batch) in batches.items():
        if title in known:
            continue
        begun = time.process_time()
        rows = [{"source": source, **row} for row in measure(batch)]
        known[title] = {"cpu_seconds": time.process_time() - begun, "rows": rows}
        # A run may be cut off while it writes.
        whole = kept.with_suffix(".new")
        whole.write_text(json.dumps(_rounded(known)))
        whole.replace(kept)
        print(f"{title}: {known[title]['cpu_seconds']:.0f} CPU s", flush=True)
    return [
        row | {"cpu_seconds": known[title]["cpu_seconds"] / len(known[title]["rows"])}
        for title in batches
        for row in known[title]["rows"]
    ]


def tell() -> None:
    """Write what is made of the measurements."""
    found = summary(json.loads(OUT.read_text()))
    PACKAGED.write_text(json.dumps(found, indent=1) + "\n")
    PAGE.write_text(made(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


def made(page: str, found: dict) -> str:
    """The page with its tables made anew."""

    def table(name: str) -> str:
        which, kind, metric = name.split(", ")
        return {"ranks": ranks_table, "bands": bands_table}[which](found, kind, metric)

    return with_tables(page, table)


def _rounded(value):
    """Five digits are more than anybody measured."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    if sys.argv[1:] == ["tell"]:
        tell()
    else:
        main()
