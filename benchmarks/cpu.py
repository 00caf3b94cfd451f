"""Losses against `F.cross_entropy` on the CPU: time of forward + backward, and memory.

    python benchmarks/cpu.py [--out benchmarks/results/cpu.json] [--rounds 25]

One process; every round runs every loss once, in turn; a figure is the median over the
rounds of the ratio to that round's `F.cross_entropy`; of targets, to that round's same
target written by hand. The heap keeps freed memory
(`--heap warm`), so that no figure hangs on how the system maps pages; `--heap default`
shows what a short-lived process sees. `--clock cpu` counts the processor's time: the
one to use beside other work. The rivals need `pip install "offby[bench]"`.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from cpu_calls import BASE, FLOOR, OTHERS, SHAPES, on_rows, sizes
from cpu_page import GOALS, IMAGE_GOALS, RESULT, TARGET_GOALS, renew_pages

WARM = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
}
OVER = {
    "hl_gauss": "hl_gauss by hand",
    "hl_gauss, own sigma": "hl_gauss by hand",
    "two_hot": "two_hot by hand",
}
"""What a figure is compared with, if not with F.cross_entropy."""
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class Figure(NamedTuple):
    ratio: float
    """Median over the rounds of time / time of F.cross_entropy, or of `OVER`."""
    low: float
    high: float
    """Quartiles of that ratio."""
    ms: float
    """Median time, on the wall."""
    rounds: int
    mib: float
    """Most memory held at once beyond logits and target."""


def main() -> None:
    """Parse, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--threads", type=int, default=0, help="0: as PyTorch has it")
    parser.add_argument("--heap", choices=("warm", "default"), default="warm")
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall")
    parser.add_argument("--shapes", default=",".join((*SHAPES, *OTHERS)))
    parser.add_argument("--only", default="", help="losses to run, as a,b")
    options = parser.parse_args()
    settings = {"KINETO_LOG_LEVEL": "99"}
    if options.heap == "warm":
        settings |= WARM
    if options.clock == "cpu":
        settings["OMP_WAIT_POLICY"] = "PASSIVE"  # a thread that waits costs nothing
    if any(os.environ.get(key) != value for key, value in settings.items()):
        # The heap and the threads read their settings before Python runs.
        os.environ.update(settings)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    only = set(filter(None, options.only.split(",")))
    found = {}
    for shape in options.shapes.split(","):
        calls = OTHERS[shape]() if shape in OTHERS else on_rows(*sizes(shape))
        kept = only | {BASE, FLOOR} | {OVER[name] for name in only if name in OVER}
        calls = {k: v for k, v in calls.items() if not only or k in kept}
        found[shape] = measured(calls, options.rounds, CLOCKS[options.clock])
        show(shape, found[shape])
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "machine": machine(),
            "heap": options.heap,
            "clock": options.clock,
            "ratios": {
                shape: {name: figure._asdict() for name, figure in figures.items()}
                for shape, figures in found.items()
            },
        }
        if options.out.resolve() == RESULT and set(found) == {*SHAPES, *OTHERS}:
            renew_pages(json.loads(RESULT.read_text(encoding="utf-8")), record)
        options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def measured(
    calls: dict[str, Callable[[], None]], rounds: int, clock: Callable[[], float]
) -> dict[str, Figure]:
    """Every call once a round, in turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    walls: dict[str, list[float]] = {name: [] for name in calls}
    repeat = {}
    for name, call in calls.items():
        call()
        # By the clock of the figures: beside other work the wall would show one call.
        spent, _ = seconds(call, 3, clock)
        repeat[name] = max(1, int(0.005 / spent))
    for _ in range(rounds):
        for name, call in calls.items():
            spent, wall = seconds(call, repeat[name], clock)
            times[name].append(spent)
            walls[name].append(wall)
    figures = {}
    for name in calls:
        pairs = zip(times[name], times[OVER.get(name, BASE)], strict=True)
        ratios = sorted(mine / base for mine, base in pairs)
        low, middle, high = statistics.quantiles(ratios, n=4)
        ms = 1e3 * statistics.median(walls[name])
        figures[name] = Figure(middle, low, high, ms, rounds, peak_mib(calls[name]))
    return figures


def seconds(
    call: Callable[[], None], times: int, clock: Callable[[], float]
) -> tuple[float, float]:
    """Time of one call, by the clock and on the wall."""
    wall, start = time.perf_counter(), clock()
    for _ in range(times):
        call()
    return (clock() - start) / times, (time.perf_counter() - wall) / times


def peak_mib(call: Callable[[], None]) -> float:
    """Most memory that PyTorch held for one call."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        call()
    kineto = profiler.profiler
    assert kineto is not None
    assert kineto.kineto_results is not None
    events = [e for e in kineto.kineto_results.events() if e.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most / 2**20


def show(shape: str, figures: dict[str, Figure]) -> None:
    base = figures[BASE]
    print(f"\n{shape}: F.cross_entropy {base.ms:.3g} ms, {base.mib:.1f} MiB")
    print(f"  {'':32s} {'ratio':>6s} {'quartiles':>13s} {'goal':>6s} {'MiB':>8s}")
    for name, figure in figures.items():
        goal = {"images": IMAGE_GOALS, "targets": TARGET_GOALS}.get(shape, {}).get(name)
        if shape in SHAPES and name in GOALS:
            goal = GOALS[name][SHAPES.index(shape)]
        limit = "" if goal is None else f"{goal:g}"
        flag = " above the goal" if goal is not None and figure.ratio > goal else ""
        print(
            f"  {name:32s} {figure.ratio:6.2f} {figure.low:6.2f}-{figure.high:<6.2f} "
            f"{limit:>6s} {figure.mib:8.1f}{flag}",
            flush=True,
        )


def machine() -> dict[str, str | int]:
    """What the figures hang on; no names of hosts or people."""
    import torch

    from offby.kernels.cpp import _library

    library = _library.load()
    packages = ("torch", "offby", "dlordinal", "hl-gauss-pytorch", "ntloss")
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
        "kernels": library
        if isinstance(library, str)
        else library.levels[library.level],
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    parts = dict(line.split(":", 1) for line in lines if ":" in line)
    stripped = {key.strip(): value.strip() for key, value in parts.items()}
    family = f"family {stripped.get('cpu family')} model {stripped.get('model')}"
    return f"{stripped.get('model name', platform.processor())} ({family})"


def version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
