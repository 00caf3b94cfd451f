"""How far the answers of a comparison can be trusted: the study behind docs/verdict.md.

    python benchmarks/verdict.py            # about 5 minutes on one core
    python benchmarks/verdict.py --smoke    # the same with few repeats
    python benchmarks/verdict.py --page     # docs/verdict.md from docs/verdict.json
    python benchmarks/verdict.py --ratio 3.5 --out other.json    # another prior

replays docs/verdict_scores.npz, the scores of each held-out row of three sets under
many trained networks (verdict_scores.py made it), and draws made-up scores where truth
must be known. Prints the tables and writes docs/verdict.json. A study that was stopped
goes on where it was (docs/verdict.part.json).

verdict_replay.py plays the runs, verdict_ties.py makes equal losses and planted
differences, verdict_runs.py compares short runs with long ones, verdict_oracle.py tells
what a test could settle that knows what a run must estimate.
"""

import argparse
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from verdict_oracle import oracle
from verdict_page import HOME, page, write_page
from verdict_replay import METRICS, Stored, read
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


DRAWS = 150
"""Runs of each loss by which the oracle knows the true spread."""
Task = tuple[str, dict, Callable[[np.random.Generator], dict]]
"""Its table, what the row is about, and what measures it."""


def tasks(file: Path, repeats: int) -> list[Task]:
    """All that is measured, a row of a table each."""
    everything = read(file)
    return [
        *_priors(everything),
        *(task for whole in everything for task in _replays(whole, repeats)),
        *_made_up(repeats),
        *(task for whole in everything for task in _runs(whole, repeats)),
    ]


def _priors(everything: Sequence[Stored]) -> Iterator[Task]:
    for stored in everything:
        for key in METRICS:

            def measure(rng, stored=stored, key=key):
                ratio, shared = ratios(stored, key)
                return {"ratio": ratio, "shared": shared}

            yield "prior", {"set": stored.name, "metric": key}, measure


def _replays(whole: Stored, repeats: int) -> Iterator[Task]:
    """Ties and planted differences of a set."""
    for design, (folds, seeds) in DESIGNS.items():
        if whole.n_seeds < 2 * seeds:
            continue
        stored = whole.first(folds)
        for key in METRICS:
            at = {"set": whole.name, "design": design, "metric": key}
            for rows in (None, 100):
                about = at | {"rows": rows or len(stored.fold), "of": "seeds"}
                tie = share(tie_of_seeds, repeats, stored, key, seeds, rows)
                yield "ties", about, lambda rng, tie=tie: {"false": tie(rng)}
            about = at | {"rows": len(stored.fold), "of": "losses"}
            tie = share(tie_of_losses, repeats, stored, key, seeds)
            yield "ties", about, lambda rng, tie=tie: {"false": tie(rng)}
            size, rows = (0.1, 2000) if seeds == 1 else (0.05, 1000)
            settled = share(planted, repeats, stored, key, size, seeds, rows)

            draws = DRAWS if repeats > 1 else 2
            what = stored, key, size, seeds, rows, draws

            def measure(rng, settled=settled, what=what):
                return {"settled": settled(rng), "oracle": oracle(*what, rng)}

            yield "power", at | {"rows": rows, "worse_by": size}, measure


def _made_up(repeats: int) -> Iterator[Task]:
    for tails in ("normal", "t with 3 degrees of freedom", "lognormal"):
        for rows in (60, 1000):
            for n_folds, seeds in ((3, 1), (5, 3), (10, 5)):
                design = f"{n_folds} folds, {seeds} seeds"
                about = {"set": "made up", "tails": tails, "design": design}
                about |= {"metric": "", "rows": rows, "of": "model"}
                tie = share(tie_made_up, repeats, tails, rows, n_folds, seeds)
                yield "ties", about, lambda rng, tie=tie: {"false": tie(rng)}


def _runs(stored: Stored, repeats: int) -> Iterator[Task]:
    for design, (folds, seeds) in DESIGNS.items():
        if folds == 3 and stored.n_seeds >= 2 * seeds:

            def measure(rng, seeds=seeds):
                return agreement(stored, seeds, min(repeats, 40), rng)

            yield "runs", {"set": stored.name, "design": design}, measure


def share(of: Callable[..., bool], repeats: int, *args) -> Callable[..., float]:
    """How often something happens, by a generator that is yet to come."""
    return lambda rng: float(np.mean([of(*args, rng) for _ in range(repeats)]))


def study(file: Path, repeats: int, part: Path) -> dict:
    """All tables; a row that was finished before is taken from `part`.

    Each row has random numbers of its own, so it does not matter when it was made.
    """
    kept = json.loads(part.read_text(encoding="utf-8")) if part.exists() else {}
    found: dict = {"repeats": repeats, "ties": [], "power": [], "runs": [], "prior": []}
    for table, about, measure in tasks(file, repeats):
        name = json.dumps([table, about, repeats, inference.PRIOR_RATIO])
        if name not in kept:
            kept[name] = measure(np.random.default_rng(zlib.crc32(name.encode())))
            part.write_text(json.dumps(kept), encoding="utf-8")
        found[table].append(about | kept[name])
        print(table, found[table][-1], flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, default=HOME / "verdict_scores.npz")
    parser.add_argument("--out", type=Path, default=HOME / "verdict.json")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--repeats", type=int, default=160)
    parser.add_argument("--ratio", type=float, default=inference.PRIOR_RATIO)
    parser.add_argument("--page", action="store_true", help="only write the page anew")
    asked = parser.parse_args(arguments)
    if asked.page:
        write_page(json.loads(asked.out.read_text(encoding="utf-8")))
        return
    inference.PRIOR_RATIO = asked.ratio
    part = asked.out.with_suffix(".part.json")
    found = study(asked.scores, 1 if asked.smoke else asked.repeats, part)
    asked.out.write_text(json.dumps(found, indent=1) + "\n")
    part.unlink()
    print(f"wrote {asked.out.name}")


if __name__ == "__main__":
    main()
