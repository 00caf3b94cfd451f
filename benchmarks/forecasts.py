"""What each method of a forecast costs, in softmaxes of the same logits, on the CPU.

    python benchmarks/forecasts.py [--rounds 5] [--out docs/forecasts.json] [--smoke]

Depth of two images in 80 bins, (2, 240, 320, 80), in float32, on one thread. Every
round runs every method once, in turn; a figure is the median over the rounds of its
processor time over that of the round's softmax. Memory is the most that PyTorch and
NumPy held at once beside the forecast, over the size of the logits. With --out in its
usual place the table of docs/forecasts.md is written anew.
"""

import argparse
import json
import os
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from offby import BinnedDistribution, Bins

sys.path.insert(0, str(Path(__file__).parent))

from cpu import machine, peak_mib
from sections import with_tables

DOCS = Path(__file__).resolve().parents[1] / "docs"
RESULT, PAGE = DOCS / "forecasts.json", DOCS / "forecasts.md"
BASE = "softmax"
SLOW = ("decide(function)",)
"""Once only: it is far from the others."""


class Cost(NamedTuple):
    """Of one method, in softmaxes."""

    time: float
    memory: float


def main(arguments: list[str] | None = None) -> None:
    """Parse, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--smoke", action="store_true", help="few pixels, one round")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    shape = (2, 3, 4, 80) if options.smoke else (2, 240, 320, 80)
    found = measured(shape, 1 if options.smoke else options.rounds)
    print(table(found))
    if options.out:
        record = {
            "machine": machine(),
            "shape": shape,
            "softmaxes": {name: cost._asdict() for name, cost in found.items()},
        }
        options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        if options.out.resolve() == RESULT:
            text = PAGE.read_text(encoding="utf-8")
            PAGE.write_text(made(text, record), encoding="utf-8")


def calls_on(shape: tuple[int, ...]) -> dict[str, Callable[[], Any]]:
    """The methods, on forecasts of that shape."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator)
    bins = Bins.uniform(0, 8, shape[-1])
    forecast = BinnedDistribution.from_logits(logits, bins)
    y = np.random.default_rng(0).uniform(0, 8, shape[:-1])
    return {
        BASE: lambda: logits.softmax(-1),
        "from_logits": lambda: BinnedDistribution.from_logits(logits, bins),
        "mean()": forecast.mean,
        "median()": forecast.median,
        "mode()": forecast.mode,
        "var()": forecast.var,
        "entropy()": forecast.entropy,
        "cdf(y)": lambda: forecast.cdf(y),
        "prob(1, 3)": lambda: forecast.prob(1, 3),
        "ppf(0.9)": lambda: forecast.ppf(0.9),
        "quantiles([0.05, 0.5, 0.95])": lambda: forecast.quantiles([0.05, 0.5, 0.95]),
        "interval(0.9)": lambda: forecast.interval(0.9),
        'interval(0.9, kind="shortest")': lambda: forecast.interval(
            0.9, kind="shortest"
        ),
        "log_pdf(y)": lambda: forecast.log_pdf(y),
        "crps(y)": lambda: forecast.crps(y),
        "quantile_loss(y, 0.9)": lambda: forecast.quantile_loss(y, 0.9),
        "pit(y)": lambda: forecast.pit(y),
        "sample(1)": lambda: forecast.sample(1, 0),
        **{
            f'decide("{metric}")': lambda metric=metric: forecast.decide(metric)
            for metric in ("mae", "rmse", "accuracy", "mape", "qwk", "within-1")
        },
        "decide(ground)": lambda: forecast.decide(bins.line()),
        "decide(function)": lambda: forecast.decide(lambda y, g: abs(y - g)),
    }


def measured(shape: tuple[int, ...], rounds: int) -> dict[str, Cost]:
    """Every method once a round, in turn."""
    calls = calls_on(shape)
    ratios: dict[str, list[float]] = {name: [] for name in calls}
    calls[BASE]()
    for turn in range(rounds):
        seconds = {
            name: _seconds(call)
            for name, call in calls.items()
            if turn == 0 or name not in SLOW
        }
        for name, found in seconds.items():
            ratios[name].append(found / seconds[BASE])
    size = 4 * np.prod(shape) / 2**20
    return {
        name: Cost(statistics.median(each), _held(calls[name]) / float(size))
        for name, each in ratios.items()
    }


def _seconds(call: Callable[[], Any]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _held(call: Callable[[], Any]) -> float:
    """MiB of PyTorch and of NumPy; their peaks need not fall together."""
    of_torch = peak_mib(call)
    tracemalloc.start()
    try:
        call()
        return of_torch + tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def made(page: str, record: dict[str, Any]) -> str:
    """The page with its table made anew."""
    found = {name: Cost(**cost) for name, cost in record["softmaxes"].items()}
    return with_tables(page, lambda _: table(found))


def table(found: dict[str, Cost]) -> str:
    """As the page has it."""
    lines = ["| method | time | memory |", "|---|---:|---:|"]
    for name, cost in found.items():
        lines.append(f"| `{name}` | {cost.time:.1f} | {cost.memory:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if os.environ.get("KINETO_LOG_LEVEL") != "99":
        # The profiler reads it before Python runs, and would tell of every call.
        os.environ["KINETO_LOG_LEVEL"] = "99"
        os.execv(sys.executable, [sys.executable, *sys.argv])
    main()
