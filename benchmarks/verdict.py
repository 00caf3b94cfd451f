"""How far the answers of a comparison can be trusted: the study behind docs/verdict.md.

    python benchmarks/verdict.py            # about 5 minutes on one core
    python benchmarks/verdict.py --smoke    # the same with few repeats
    python benchmarks/verdict.py --page     # docs/verdict.md from docs/verdict.json
    python benchmarks/verdict.py --ratio 3.5 --out other.json    # another prior

replays docs/verdict_scores.npz, the scores of each held-out row of three sets under
many trained networks (verdict_scores.py made it), and draws made-up scores where truth
must be known. Prints the tables and writes docs/verdict.json.

verdict_replay.py plays the runs, verdict_ties.py makes equal losses and planted
differences, verdict_runs.py compares short runs with long ones.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from verdict_page import HOME, page, write_page
from verdict_replay import METRICS, read
from verdict_runs import agreement, ratios
from verdict_ties import planted, tie_made_up, tie_of_losses, tie_of_seeds

from offby.comparison import inference

__all__ = ["main", "page"]
DESIGNS = {
    "--quick (1 seed)": (3, 1),
    "--quick of a large table (2 folds, 1 seed)": (2, 1),
    "3 seeds": (3, 3),
}
"""Folds and seeds."""


def study(file: Path, repeats: int) -> dict:
    """All tables."""
    everything = read(file)
    rng = np.random.default_rng(0)
    found: dict = {"repeats": repeats, "ties": [], "power": [], "runs": [], "prior": []}

    def share(of: Callable[..., bool], *args) -> float:
        return float(np.mean([of(*args, rng) for _ in range(repeats)]))

    def add(table: str, **row) -> None:
        found[table].append(row)
        print(table, row, flush=True)

    for stored in everything:
        where = {"set": stored.name}
        for key in METRICS:
            ratio, shared = ratios(stored, key)
            add("prior", **where, metric=key, ratio=ratio, shared=shared)
    for whole in everything:
        where = {"set": whole.name}
        for design, (folds, seeds) in DESIGNS.items():
            if whole.n_seeds < 2 * seeds:
                continue
            stored = whole.first(folds)
            for key in METRICS:
                at = {**where, "design": design, "metric": key}
                for rows in (None, 100):
                    add(
                        "ties",
                        **at,
                        rows=rows or len(stored.fold),
                        of="seeds",
                        false=share(tie_of_seeds, stored, key, seeds, rows),
                    )
                add(
                    "ties",
                    **at,
                    rows=len(stored.fold),
                    of="losses",
                    false=share(tie_of_losses, stored, key, seeds),
                )
                size, rows = (0.1, 2000) if seeds == 1 else (0.05, 1000)
                settled = share(planted, stored, key, size, seeds, rows)
                add("power", **at, rows=rows, worse_by=size, settled=settled)
    for tails in ("normal", "t with 3 degrees of freedom", "lognormal"):
        for rows in (60, 1000):
            for n_folds, seeds in ((3, 1), (5, 3), (10, 5)):
                add(
                    "ties",
                    set="made up",
                    tails=tails,
                    design=f"{n_folds} folds, {seeds} seeds",
                    metric="",
                    rows=rows,
                    of="model",
                    false=share(tie_made_up, tails, rows, n_folds, seeds),
                )
    for stored in everything:
        for design, (folds, seeds) in DESIGNS.items():
            if folds == 3 and stored.n_seeds >= 2 * seeds:
                row = agreement(stored, seeds, min(repeats, 40), rng)
                add("runs", set=stored.name, design=design, **row)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, default=HOME / "verdict_scores.npz")
    parser.add_argument("--out", type=Path, default=HOME / "verdict.json")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--repeats", type=int, default=120)
    parser.add_argument("--ratio", type=float, default=inference.PRIOR_RATIO)
    parser.add_argument("--page", action="store_true", help="only write the page anew")
    asked = parser.parse_args(arguments)
    if asked.page:
        write_page(json.loads(asked.out.read_text(encoding="utf-8")))
        return
    inference.PRIOR_RATIO = asked.ratio
    found = study(asked.scores, 1 if asked.smoke else asked.repeats)
    asked.out.write_text(json.dumps(found, indent=1) + "\n")
    print(f"wrote {asked.out.name}")


if __name__ == "__main__":
    main()
