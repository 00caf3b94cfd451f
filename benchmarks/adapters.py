"""The studies of the adapters' pages: examples at full size, kept as JSON.

    python benchmarks/adapters.py docs/adapters.json --only series
    python benchmarks/adapters.py docs/adapters.json --only cartpole

"series" is examples/forecast_series.py (docs/forecasting.md; gluonts[torch] 0.17 and
vega_datasets, three minutes), "cartpole" examples/cartpole_values.py (docs/jobs.md;
gymnasium 1.4, three minutes), "noise" examples/noisy_targets.py (docs/jobs.md, a
minute). Each keeps every score of every seed.
"""

import argparse
import json
import runpy
from pathlib import Path

import torch

EXAMPLES = Path(__file__).parents[1] / "examples"
STUDIES = {
    "series": "forecast_series",
    "cartpole": "cartpole_values",
    "noise": "noisy_targets",
}
Runs = dict[str, list[dict[str, float]]]


def digits(value: float) -> int:
    """So that three digits are shown."""
    return 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3


def table(runs: Runs) -> str:
    """Mean of each score over the seeds, and the least and the largest."""
    scores = list(next(iter(runs.values()))[0])
    lines = [f"| | {' | '.join(scores)} |", "|---|" + "---:|" * len(scores)]
    for name, found in runs.items():
        cells = []
        for score in scores:
            values = [run[score] for run in found]
            mean = sum(values) / len(values)
            n = digits(abs(mean))
            cells.append(f"{mean:.{n}f} ({min(values):.{n}f} to {max(values):.{n}f})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=STUDIES, action="append")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for study in given.only or STUDIES:
        main = runpy.run_path(str(EXAMPLES / f"{STUDIES[study]}.py"))["main"]
        found = main()
        print(table(found), flush=True)
        # Read again: studies may run beside each other.
        results = json.loads(given.out.read_text()) if given.out.exists() else {}
        results[study] = found
        given.out.write_text(json.dumps(results, indent=1) + "\n")
