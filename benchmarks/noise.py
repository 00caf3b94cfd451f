"""Noise of the target that is known: is it found again?

    python benchmarks/noise.py

draws smooth truths with normal noise of known size, as numbers and rounded to classes.
Prints a line per set and writes docs/noise.json. Takes about 3 minutes on one core.
"""

import json
from pathlib import Path

import numpy as np

from offby.comparison.fits import fit_loss
from offby.comparison.networks import Design, Settings
from offby.comparison.noise.estimate import changes, noise_share
from offby.comparison.problem import Problem
from offby.losses.registry import parse

NOISES = (0.25, 0.5, 1.0, 2.0)
FEATURES = (2, 5, 10)
ROWS = 800
DESIGN = Design("perceptron", Settings(hidden_layer_sizes=(32, 32), max_iter=100))
OUT = Path(__file__).parents[1] / "docs" / "noise.json"


def draw(kind: str, n_features: int, noise: float, seed: int):
    """Inputs, target, and the true share of rows that noise would move."""
    rng = np.random.default_rng([seed, n_features, round(100 * noise)])
    X = rng.normal(size=(ROWS, n_features))
    truth = 2 * X[:, 0] + 1.5 * np.sin(2 * X[:, 1])
    value = truth + noise * rng.normal(size=ROWS)
    again = value + noise * rng.normal(size=(400, ROWS))
    if kind == "number":
        edges = np.quantile(value, np.linspace(0, 1, 21))[1:-1]
        return X, value, float(np.mean(changes(value, edges, noise)))
    cuts = np.arange(-3.5, 4)
    classes = np.searchsorted(cuts, value)
    moved = np.searchsorted(cuts, again) != classes
    return X, classes, float(moved.mean())


def one(kind, n_features: int, noise: float, seed: int) -> dict:
    """One set: its noise, found and true."""
    X, y, share = draw(kind, n_features, noise, seed)
    places = tuple(float(k - 4) for k in range(9)) if kind == "classes" else ()
    problem = Problem(X, y, kind, places, 20, "quantile", 5, seed, encoding="plain")
    jobs = [(fold, 0) for fold in problem.folds[:2]]
    fits = fit_loss(jobs, loss=parse("emd2"), design=DESIGN, stop_on="score")
    found = noise_share(problem, fits, DESIGN)
    return {
        "kind": kind,
        "features": n_features,
        "seed": seed,
        "noise": noise,
        "noise_found": found.spread,
        "share": share,
        "share_found": found.share,
    }


def main() -> None:
    """Measure, print and write."""
    rows = []
    for kind in ("number", "classes"):
        for n_features in FEATURES:
            for noise in NOISES:
                row = one(kind, n_features, noise, seed=0)
                rows.append(row)
                off = row["share_found"] / row["share"] - 1
                print(
                    f"{kind:8s} {n_features:2d} features  noise {noise:4.2f} found "
                    f"{row['noise_found']:5.2f}  share {row['share']:.2f} found "
                    f"{row['share_found']:.2f} ({off:+.0%})",
                    flush=True,
                )
    near = [abs(row["share_found"] / row["share"] - 1) <= 0.2 for row in rows]
    print(f"share found within 20 % in {sum(near)} of {len(near)} sets")
    OUT.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"wrote {OUT.name}")


if __name__ == "__main__":
    main()
