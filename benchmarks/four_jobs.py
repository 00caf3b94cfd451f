"""The tables of docs/jobs.md: four examples at full size, kept in docs/jobs.json.

    python benchmarks/four_jobs.py [--seeds 3] [--only digits]

"digits" is examples/shapes_of_digits.py, "angles" rotated_digits.py, "depth"
depth_in_bins.py and "value" value_head.py: some minutes of one core for all. After
every loss the page is written anew; a loss that the file has with as many seeds and
epochs is not trained again, so that a run that was stopped goes on.
"""

import argparse
import json
import runpy
import sys
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from jobs import LOSSES, Found, Outcome, table
from sections import with_tables

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
RESULT, PAGE = ROOT / "docs" / "jobs.json", ROOT / "docs" / "jobs.md"
SCRIPTS = {
    "digits": ("shapes_of_digits", 15),
    "angles": ("rotated_digits", 15),
    "depth": ("depth_in_bins", 10),
    "value": ("value_head", 15),
}
"""Script and epochs of each job."""


def main(arguments: list[str] | None = None) -> None:
    """Parse, train, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=SCRIPTS, action="append")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for name in options.only or SCRIPTS:
        _run(name, options.seeds)


def _run(name: str, seeds: int) -> None:
    """One loss after the other; what is in the file is not trained again."""
    script, epochs = SCRIPTS[name]
    job = runpy.run_path(str(EXAMPLES / f"{script}.py"))
    for loss in job.get("NAMES", LOSSES):
        if loss in _before(name, seeds, epochs)["losses"]:
            continue
        start = time.process_time()
        found = job["main"](seeds=seeds, epochs=epochs, losses=[loss])
        seconds = round(time.process_time() - start)
        losses = {loss: each._asdict() for loss, each in found.losses.items()}
        # Read again: jobs may run beside each other.
        known, before = _known(), _before(name, seeds, epochs)
        known[name] = {
            "title": found.title,
            "scores": found.scores,
            "seeds": seeds,
            "epochs": epochs,
            "cpu_seconds": before["cpu_seconds"] + seconds,
            "losses": before["losses"] | losses,
        }
        RESULT.write_text(json.dumps(known, indent=1) + "\n")
        PAGE.write_text(made(PAGE.read_text(), known))


def _known() -> dict[str, Any]:
    return json.loads(RESULT.read_text()) if RESULT.exists() else {}


def _before(name: str, seeds: int, epochs: int) -> dict[str, Any]:
    """What the file has of a job with these settings."""
    found = _known().get(name, {})
    if (found.get("seeds"), found.get("epochs")) == (seeds, epochs):
        return found
    return {"losses": {}, "cpu_seconds": 0}


def made(page: str, known: dict[str, Any]) -> str:
    """The page with its tables made anew."""

    def shown(name: str) -> str:
        if name not in known:
            return ""
        job = known[name]
        losses = {loss: Found(**each) for loss, each in job["losses"].items()}
        return table(Outcome(job["title"], job["scores"], losses))

    return with_tables(page, shown)


if __name__ == "__main__":
    main()
