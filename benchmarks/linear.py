"""The last linear layer and the loss in one, beside PyTorch's: time and memory.

    python benchmarks/linear.py [--out benchmarks/results/linear.json] [--threads 1]

Forward and backward to the gradients of hidden states and weight. One process; every
round runs every call once, in turn; a figure is the median over the rounds of the ratio
to that round's `F.cross_entropy(F.linear(...))`, in processor time or on the wall
(`--clock`). Memory is the most that PyTorch held at once beyond the inputs. The heap
keeps freed memory, so that no figure hangs on how the system maps pages. With --out in
its usual place the tables of docs/linear.md and the README are written anew; the file
and the page keep one run for each number of threads, the README shows the first.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import class_chunks
from cpu import CLOCKS, WARM, machine, peak_mib, seconds
from cpu_page import CLOCK_NAMES
from sections import between

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "linear.json"
PAGE, README = ROOT / "docs" / "linear.md", ROOT / "README.md"
MARKS = {
    PAGE: ("<!-- table -->\n", "<!-- end of table -->"),
    README: ("<!-- last layer -->\n", "<!-- end of last layer -->"),
}
SHAPES = {
    "1024 x 256 to 32000": (1024, 256, 32000),
    "8192 x 128 to 1000": (8192, 128, 1000),
    "65536 x 64 to 100": (65536, 64, 100),
    "depth maps, 8 x 240 x 320 x 64 to 80": (8 * 240 * 320, 64, 80),
}
BASE = "F.cross_entropy(F.linear(...))"
CHUNKED = "F.linear_cross_entropy, in chunks"
BY_CLASSES = "cross-entropy in chunks of classes"
MANY_CLASSES = 32000
"""From so many on chunks of classes are measured too."""
OURS = {
    "linear_cross_entropy": "linear_cross_entropy",
    "linear_squared_emd": "linear_squared_emd",
    "cross-entropy + squared EMD, nn.LinearLoss": "nn.LinearLoss(MixedLoss)",
}
"""Titles and names of the calls that are ours."""


def main() -> None:
    """Parse, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=0, help="0: as PyTorch has it")
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall")
    parser.add_argument("--shapes", help="ROWSxFEATURESxCLASSES, several by commas")
    options = parser.parse_args()
    settings = {**WARM, "KINETO_LOG_LEVEL": "99", "OMP_WAIT_POLICY": "PASSIVE"}
    if any(os.environ.get(key) != value for key, value in settings.items()):
        # The heap and the threads read their settings before Python runs.
        os.environ.update(settings)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    shapes: dict[str, Any] = SHAPES
    if options.shapes:
        shapes = {s: tuple(map(int, s.split("x"))) for s in options.shapes.split(",")}
    found = {}
    for name, sizes in shapes.items():
        found[name] = measured(calls(*sizes), options.rounds, CLOCKS[options.clock])
        show(name, found[name])
    if options.out:
        runs = {}
        if options.out.exists():
            runs = json.loads(options.out.read_text(encoding="utf-8"))
        runs[str(torch.get_num_threads())] = {
            "machine": machine(),
            "clock": options.clock,
            "rounds": options.rounds,
            "figures": found,
        }
        if options.out.resolve() == RESULT and set(found) == set(SHAPES):
            renew(PAGE, tables(runs))
            renew(README, summary(runs))
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


def calls(rows: int, features: int, classes: int) -> dict[str, Callable[[], None]]:
    """Every way, as a function that runs it once."""
    import torch
    from torch.nn import functional as F

    from offby import losses, nn

    hidden = torch.randn(rows, features, requires_grad=True)
    weight = (torch.randn(classes, features) / features**0.5).requires_grad_()
    target = torch.randint(classes, (rows,))
    sums = nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss())])
    head = nn.LinearLoss(features, classes, sums, bias=False)
    head.weight = torch.nn.Parameter(weight.detach())

    def of(loss: Callable[[], torch.Tensor], by: torch.Tensor = weight):
        def once():
            torch.autograd.grad(loss(), (hidden, by))

        return once

    found = {
        BASE: of(lambda: F.cross_entropy(F.linear(hidden, weight), target)),
        "squared_emd(F.linear(...))": of(
            lambda: losses.squared_emd(F.linear(hidden, weight), target).mean()
        ),
        "linear_cross_entropy": of(
            lambda: losses.linear_cross_entropy(hidden, weight, target).mean()
        ),
        "linear_squared_emd": of(
            lambda: losses.linear_squared_emd(hidden, weight, target).mean()
        ),
        "nn.LinearLoss(MixedLoss)": of(lambda: head(hidden, target), head.weight),
    }
    if hasattr(torch.nn, "LinearCrossEntropyOptions"):  # PyTorch 2.13 has it
        options = torch.nn.LinearCrossEntropyOptions()
        found[CHUNKED] = of(
            lambda: F.linear_cross_entropy(hidden, weight, target, options=options)
        )
    if classes >= MANY_CLASSES:
        plain = hidden.detach(), weight.detach(), target

        def by_classes():
            class_chunks.gradients(*plain)

        found[BY_CLASSES] = by_classes
    return found


def measured(
    calls: dict[str, Callable[[], None]], rounds: int, clock: Callable[[], float]
) -> dict[str, dict[str, float]]:
    """Every call once a round, in turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(seconds(call, 1, clock)[0])
    figures = {}
    for name, call in calls.items():
        pairs = zip(times[name], times[BASE], strict=True)
        ratios = sorted(mine / base for mine, base in pairs)
        low, middle, high = (
            statistics.quantiles(ratios, n=4) if rounds > 1 else ratios * 3
        )
        figures[name] = {
            "ratio": middle,
            "low": low,
            "high": high,
            "ms": 1e3 * statistics.median(times[name]),
            "mib": peak_mib(call),
        }
    return figures


def show(shape: str, figures: dict[str, dict[str, float]]) -> None:
    """Print the figures of a shape."""
    print(f"\n{shape}\n  {'':34s}  ratio   quartiles      ms      MiB")
    for name, figure in figures.items():
        print(
            f"  {name:34s} {figure['ratio']:6.2f} {figure['low']:6.2f}-"
            f"{figure['high']:<6.2f} {figure['ms']:8.1f} {figure['mib']:8.1f}",
            flush=True,
        )


def tables(runs: dict[str, dict[str, Any]]) -> str:
    """The tables of docs/linear.md, one for each number of threads."""
    return "\n\n".join(_table(runs[threads]) for threads in sorted(runs))


def summary(runs: dict[str, dict[str, Any]]) -> str:
    """The table of the README: time and memory over those of the layer and the loss."""
    record = runs[min(runs)]
    titles = {
        "linear_squared_emd": "`offby.losses.linear_squared_emd`",
        CHUNKED: "`F.linear_cross_entropy` of PyTorch, in chunks",
    }
    title = f"time, memory of the last layer and the loss, over `{BASE}`"
    lines = _head(title)
    figures = record["figures"]
    for name, title in titles.items():
        if any(name not in figures[shape] for shape in SHAPES):
            continue  # PyTorch has it from 2.13 on
        cells = []
        for shape in SHAPES:
            mine, base = figures[shape][name], figures[shape][BASE]
            cells.append(f"{mine['ratio']:.2f}, {mine['mib'] / base['mib']:.2f}")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", _conditions(record)])


def goals(record: dict[str, Any]) -> str:
    """Which goals are met: no more time than apart, no more memory than PyTorch's."""
    missed = []
    for shape in SHAPES:
        figures = record["figures"][shape]
        most = figures.get(CHUNKED, figures[BASE])["mib"]
        for name in OURS.values():
            ratio, mib = figures[name]["ratio"], figures[name]["mib"]
            if round(ratio, 2) > 1:
                missed.append(f"`{name}` takes {ratio:.2f} of the time at {shape}")
            if round(mib) > round(most):
                missed.append(f"`{name}` {mib:.0f} MiB at {shape}, not {most:.0f}")
    found = "; ".join(missed) if missed else "every row of offby meets both"
    return (
        f"The goals are at most the time of `{BASE}` and at most the memory of "
        f"`F.linear_cross_entropy`: {found}."
    )


def _head(title: str) -> list[str]:
    return [f"| {title} | {' | '.join(SHAPES)} |", "| --- |" + " --- |" * len(SHAPES)]


def _conditions(record: dict[str, Any]) -> str:
    """What the figures hang on."""
    made = record["machine"]
    return (
        f"Medians of {record['rounds']} rounds {CLOCK_NAMES[record['clock']]}, "
        f"{made['threads']} thread{'s' * (made['threads'] != 1)}, "
        f"{made['kernels']}, PyTorch {made['torch']}."
    )


def _table(record: dict[str, Any]) -> str:
    titles = {BASE: f"`{BASE}`", CHUNKED: "`F.linear_cross_entropy` in chunks"}
    titles |= {name: f"`{name}`" for name in OURS.values()}
    titles[BY_CLASSES] = "cross-entropy in chunks of classes, not in offby"
    lines = _head("time, memory")
    figures = record["figures"]
    for name, title in titles.items():
        if not any(name in figures[shape] for shape in SHAPES):
            continue
        cells = []
        for shape in SHAPES:
            figure = figures[shape].get(name)
            cells.append(
                "-"
                if figure is None
                else f"{figure['ratio']:.2f}, {figure['mib']:.0f} MiB"
            )
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"{_conditions(record)} {goals(record)}"])


def renew(page: Path, shown: str) -> None:
    """Put what is shown where the old stands, between two marks."""
    text = page.read_text(encoding="utf-8")
    page.write_text(between(text, *MARKS[page], f"{shown}\n"), encoding="utf-8")


if __name__ == "__main__":
    main()
