"""How often two equal losses are called different: the verdicts against planted truth.

    python benchmarks/verdicts.py

draws data anew 200 times and compares two names of one loss, whose networks differ in
their seeds only, so that every difference is chance. Prints a
line per design and writes docs/verdicts.json. Takes about 10 minutes on one core.
"""

import json
from collections import Counter
from pathlib import Path

import numpy as np

from offby.comparison.fits import fit_loss
from offby.comparison.inference import differences
from offby.comparison.networks import Design, Settings
from offby.comparison.problem import Problem
from offby.comparison.scoring import CLASS_METRICS, judge
from offby.losses.registry import parse
from offby.results import Method, Score

REPEATS = 200
DESIGNS = ((5, 3), (5, 1), (3, 1))
"""Folds and seeds."""
DESIGN = Design(
    "perceptron",
    Settings(hidden_layer_sizes=(16,), max_iter=40, n_iter_no_change=6),
)
OUT = Path(__file__).parents[1] / "docs" / "verdicts.json"


def scores(repeat: int, n_folds: int, seeds: int) -> list[Score]:
    """Scores of one loss under two names, on data of its own."""
    rng = np.random.default_rng(repeat)
    X = rng.normal(size=(200, 4))
    hidden = X[:, 0] + 0.5 * X[:, 1] * X[:, 2] + rng.normal(size=200)
    y = np.searchsorted(np.quantile(hidden, (0.2, 0.4, 0.6, 0.8)), hidden)
    places = tuple(map(float, range(5)))
    problem = Problem(
        X, y, "classes", places, 0, "quantile", n_folds, repeat, encoding="plain"
    )
    # The twins differ in nothing but the seeds of their networks.
    jobs = [(fold, seed) for fold in problem.folds for seed in range(2 * seeds)]
    fits = fit_loss(jobs, loss=parse("ce"), design=DESIGN, stop_on="score")
    return [
        Score("one" if fit.seed < seeds else "other", fit.fold, fit.seed % seeds, *item)
        for fit in fits
        for item in (
            (metric, value, infinite)
            for metric, (value, infinite) in judge(problem.folds[fit.fold], fit).items()
        )
    ]


def study(n_folds: int, seeds: int) -> dict:
    """Share of repeats that call equal losses different, by metric."""
    methods = [Method(name, name, False) for name in ("one", "other")]
    words: dict[str, Counter] = {metric.key: Counter() for metric in CLASS_METRICS}
    for repeat in range(REPEATS):
        found = differences(
            methods,
            CLASS_METRICS,
            scores(repeat, n_folds, seeds),
            overlap=1 / (n_folds - 1),
            seeds=seeds,
            rope=0.01,
        )
        for difference in found:
            words[difference.metric][difference.verdict] += 1
    return {key: dict(count) for key, count in words.items()}


def main() -> None:
    """Measure, print and write."""
    found = []
    for n_folds, seeds in DESIGNS:
        by_metric = study(n_folds, seeds)
        found.append(
            {"folds": n_folds, "seeds": seeds, "repeats": REPEATS, "words": by_metric}
        )
        for metric in CLASS_METRICS:
            words = by_metric[metric.key]
            wrong = words.get("worse", 0)
            any_ = wrong + words.get("slightly worse", 0)
            print(
                f"{n_folds} folds x {seeds} seeds  {metric.title:18s} "
                f"'worse' {wrong / REPEATS:6.1%}  any difference {any_ / REPEATS:6.1%}",
                flush=True,
            )
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    print(f"wrote {OUT.name}")


if __name__ == "__main__":
    main()
