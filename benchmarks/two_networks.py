"""What `compare` finds with each of its networks, side by side.

    python benchmarks/two_networks.py FOLDER [--sets NAME ...] [--rows N] [--seeds N]
                                      [--losses NAME ...] [--out FILE]

reads the sets of `sets.py` from a folder and compares the same losses on the same folds
and seeds, once with the network of the estimators and once with the plain perceptron.
It prints the best loss of each, its score beside that of gradient boosting (RPS of
classes, CRPS of numbers; lower is better), and seconds of CPU of all fits.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import sets
import torch

from offby.comparison import Comparison, compare
from offby.comparison.config import CompareConfig

NETWORKS = ("ensemble", "perceptron")


def main(words: Sequence[str] | None = None) -> None:
    """Compare, print a table in Markdown, keep all means."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = {f"{name} (classes)": source for name, source in sets.CLASSES.items()}
    known |= {f"{name} (number)": source for name, source in sets.NUMBERS.items()}
    parser.add_argument("folder")
    parser.add_argument("--sets", nargs="+", choices=list(known), default=list(known))
    parser.add_argument("--rows", type=int, default=3000, help="at most")
    parser.add_argument("--folds", type=int, default=CompareConfig.folds)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--losses", nargs="+", default=list(CompareConfig.losses))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(words)
    torch.set_num_threads(1)
    print("| set | network | best loss | score | boosting | seconds |")
    print("|---|---|---|---|---|---|")
    kept = []
    for name in asked.sets:
        X, y = sets.read(asked.folder, known[name], asked.rows)
        kind = "classes" if name.endswith("(classes)") else "number"
        if kind == "classes":
            y = y.astype(int) - int(y.min())
        for network in NETWORKS:
            begun = time.process_time()
            found = compare(
                X,
                y,
                kind=kind,
                name=name,
                network=network,
                losses=asked.losses,
                folds=asked.folds,
                seeds=asked.seeds,
            )
            kept.append(summary(found, time.process_time() - begun))
            print(row(kept[-1]), flush=True)
    if asked.out is not None:
        asked.out.write_text(json.dumps(kept, indent=1) + "\n")


def summary(found: Comparison, seconds: float) -> dict:
    """Means of every method by the first metric, and the best loss."""
    metric = found.metrics[0]
    return {
        "set": found.data.name,
        "rows": found.data.n_rows,
        "copies": found.data.n_copies,
        "network": found.run.network,
        "metric": metric.key,
        "best": found.best_loss(metric),
        "means": {m.key: found.mean(m.key, metric.key) for m in found.methods},
        "seconds": seconds,
    }


def row(kept: dict) -> str:
    """A row of the table."""
    means, best = kept["means"], kept["best"]
    cells = (
        kept["set"],
        kept["network"],
        best,
        f"{means[best]:.4g}",
        f"{means['boosting']:.4g}",
        f"{kept['seconds']:.0f}",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
