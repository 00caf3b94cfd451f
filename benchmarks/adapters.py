"""The studies of the adapters' pages: examples at full size, kept as JSON.

    python benchmarks/adapters.py docs/adapters.json --only series
    python benchmarks/adapters.py docs/adapters.json --only cartpole
    python benchmarks/adapters.py docs/adapters.json --only coral --cement F --reviews F

"series" is examples/forecast_series.py (docs/forecasting.md; gluonts[torch] 0.17 and
vega_datasets, three minutes), "cartpole" examples/cartpole_values.py (docs/jobs.md;
gymnasium 1.4, six minutes), "noise" examples/noisy_targets.py (docs/jobs.md, a
minute), "coral" examples/coral_corn.py (docs/reproductions.md; coral-pytorch, mlxtend,
and the two files that the example names, seven minutes), "photos-lite0" and
"photos-resnet18" examples/photo_noise.py (docs/integrations.md; the packages that it
names, four minutes each). Each keeps every score of
every seed, one seed after the other: a run that was cut off goes on where it ended, and
--anew forgets what is there.
"""

import argparse
import json
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

EXAMPLES = Path(__file__).parents[1] / "examples"
Runs = dict[str, list[dict[str, float]]]


@dataclass(frozen=True)
class Study:
    """An example, how many seeds of it, the files that it needs, and its settings."""

    script: str
    seeds: int
    files: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


STUDIES = {
    "series": Study("forecast_series", 3),
    "cartpole": Study("cartpole_values", 5),
    "noise": Study("noisy_targets", 5),
    "coral": Study("coral_corn", 3, ("cement_file", "reviews_file")),
    "photos-lite0": Study("photo_noise", 3, settings={"network": "lite0"}),
    "photos-resnet18": Study("photo_noise", 3, settings={"network": "resnet18"}),
}


def digits(value: float) -> int:
    """So that three digits are shown."""
    return 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3


def table(runs: Runs) -> str:
    """Mean of each score over the seeds, and with several the least and the largest."""
    scores = list(next(iter(runs.values()))[0])
    lines = [f"| | {' | '.join(scores)} |", "|---|" + "---:|" * len(scores)]
    for name, found in runs.items():
        cells = []
        for score in scores:
            values = [run[score] for run in found]
            mean = sum(values) / len(values)
            n = digits(abs(mean))
            spread = f" ({min(values):.{n}f} to {max(values):.{n}f})"
            cells.append(f"{mean:.{n}f}" + (spread if len(values) > 1 else ""))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def go_on(
    runs: Runs, seeds: int, run: Callable[[int], Runs], keep: Callable[[Runs], None]
) -> Runs:
    """Run the seeds that are missing, and keep what there is after each.

    >>> kept = []
    >>> there = {"ce": [{"seed": 0}]}
    >>> go_on(there, 3, lambda seed: {"ce": [{"seed": seed}]}, kept.append)
    {'ce': [{'seed': 0}, {'seed': 1}, {'seed': 2}]}
    >>> len(kept)
    2
    """
    done = min((len(each) for each in runs.values()), default=0)
    for seed in range(done, seeds):
        found = run(seed)
        runs = {
            name: [*runs.get(name, [])[:seed], *each] for name, each in found.items()
        }
        keep(runs)
    return runs


def kept(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text()) if file.exists() else {}


def study(name: str, out: Path, files: dict[str, Path | None], anew: bool) -> Runs:
    """All seeds of a study; read and written again, as others may run beside it."""
    about = STUDIES[name]
    main = runpy.run_path(str(EXAMPLES / f"{about.script}.py"))["main"]
    settings = {**about.settings, **{file: files[file] for file in about.files}}

    def keep(runs: Runs) -> None:
        out.write_text(json.dumps(kept(out) | {name: runs}, indent=1) + "\n")

    return go_on(
        {} if anew else kept(out).get(name, {}),
        about.seeds,
        lambda seed: main(seeds=1, first_seed=seed, **settings),
        keep,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=STUDIES, action="append")
    parser.add_argument("--cement", type=Path, dest="cement_file")
    parser.add_argument("--reviews", type=Path, dest="reviews_file")
    parser.add_argument("--anew", action="store_true", help="run all seeds again")
    given = parser.parse_args()
    torch.set_num_threads(1)
    files = {"cement_file": given.cement_file, "reviews_file": given.reviews_file}
    for name in given.only or STUDIES:
        if missing := [file for file in STUDIES[name].files if files[file] is None]:
            parser.error(f"{name} needs --{missing[0].removesuffix('_file')} FILE")
        print(table(study(name, given.out, files, given.anew)), flush=True)
