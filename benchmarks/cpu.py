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
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

SHAPES = ("8192x10", "8192x101", "4096x1000", "1024x32000")
IMAGES = (8, 80, 240, 320)
TARGETS = (2048, 51)
WARM = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
}
# What the project promises: name of the loss, and the most it may cost at each shape.
GOALS = {
    "squared_emd": (0.2, 0.3, 0.3, 0.5),
    "wasserstein": (0.35, 0.6, 0.6, 0.6),
    "cross_entropy": (0.2, 0.5, 0.45, 0.45),
    "ce+emd2": (0.3, 0.9, 0.9, 0.9),
    "cumulative_cross_entropy": (0.5, 1.0, 1.0, 1.0),
    "histogram_crps": (0.5, 1.0, 1.0, 1.0),
}
IMAGE_GOALS = {"squared_emd": 0.8}
TARGET_GOALS = dict.fromkeys(("hl_gauss", "hl_gauss, own sigma", "two_hot"), 1.3)
BASE = "F.cross_entropy"
FLOOR = "a copy of the logits"
"""Read once, and written into memory that is there: no gradient costs less."""
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


def renew_pages(old: dict, new: dict) -> None:
    """Put the new figures where the old ones stand."""
    for page, shown in PAGES.items():
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(shown(old), shown(new)), encoding="utf-8")


SUMMARY = {
    "`offby.losses.squared_emd`": "squared_emd",
    "`offby.nn.SquaredEMDLoss`": "nn.SquaredEMDLoss",
    "the same by hand in PyTorch": "naive squared EMD",
}


def summary(record: dict) -> str:
    """The table of the README."""
    ratios = record["ratios"]
    lines = _head("forward and backward, over `cross_entropy` of PyTorch")
    for title, name in SUMMARY.items():
        cells = [f"{ratios[shape][name]['ratio']:.2f}" for shape in SHAPES]
        lines.append(_line(title, cells))
    cells = []
    for shape in SHAPES:
        mine, base = (ratios[shape][name]["mib"] for name in ("squared_emd", BASE))
        cells.append(f"{mine / base:.2f}")
    lines.append(_line("memory of `offby.losses.squared_emd`, likewise", cells))
    images = f"{ratios['images']['squared_emd']['ratio']:.2f}"
    last = f"Images ({_images()}, classes on axis 1): {images}. {conditions(record)}"
    return "\n".join([*lines, "", last])


def table(record: dict) -> str:
    """The table of docs/kernels.md: ratio (goal), bold where it is missed."""
    ratios = record["ratios"]
    lines = _head("ratio (goal)")
    for name, goals in GOALS.items():
        reached = [ratios[shape][name]["ratio"] for shape in SHAPES]
        cells = list(map(_beside_goal, reached, goals))
        lines.append(_line(f"`{name}`", cells))
    if all(FLOOR in ratios[shape] for shape in SHAPES):
        cells = [f"{ratios[shape][FLOOR]['ratio']:.2f}" for shape in SHAPES]
        lines.append(_line(FLOOR, cells))
    ratio, (goal,) = ratios["images"]["squared_emd"]["ratio"], IMAGE_GOALS.values()
    last = f"`squared_emd`, `dim=1`, {_images()}: {_beside_goal(ratio, goal)}."
    return "\n".join([*lines, "", last, conditions(record)])


ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "cpu.json"
PAGES = {ROOT / "README.md": summary, ROOT / "docs" / "kernels.md": table}
CLOCK_NAMES = {"wall": "on the wall", "cpu": "of processor time, beside other work"}


def conditions(record: dict) -> str:
    """What the figures hang on."""
    machine, rounds = record["machine"], record["ratios"][SHAPES[0]][BASE]["rounds"]
    return (
        f"Medians of {rounds} rounds {CLOCK_NAMES[record['clock']]}, "
        f"{machine['threads']} threads, {machine['kernels']}."
    )


def _images() -> str:
    return " x ".join(map(str, IMAGES))


def _head(title: str) -> list[str]:
    shapes = [shape.replace("x", " x ") for shape in SHAPES]
    return [_line(title, shapes), _line("---", ["---"] * len(shapes))]


def _line(title: str, cells: list[str]) -> str:
    return f"| {' | '.join([title, *cells])} |"


def _beside_goal(ratio: float, goal: float) -> str:
    # As shown: 0.504 meets a goal of 0.5.
    missed = round(ratio, 2) > goal
    return f"**{ratio:.2f}** ({goal:g})" if missed else f"{ratio:.2f} ({goal:g})"


def sizes(shape: str) -> tuple[int, int]:
    rows, classes = map(int, shape.split("x"))
    return rows, classes


def on_rows(rows: int, classes: int) -> dict[str, Callable[[], None]]:
    """Every loss on (rows, classes), as a function that runs it once."""
    import torch
    from other_losses import rivals
    from torch.nn import functional as F

    from offby import Bins, losses, nn

    logits = torch.randn(rows, classes, requires_grad=True)
    index = torch.randint(classes, (rows,))
    bins = Bins.uniform(0, 1, classes)
    value = (index + torch.rand(rows)) / classes
    mixed = nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss())])

    # Of rows that are sure of a wrong class the kernels compute more.
    sure = (8 * logits.detach()).requires_grad_()

    def call(loss, target=index, logits=logits):
        def once():
            torch.autograd.grad(loss(logits, target), logits)

        return once

    def naive(z, y):
        cdf = z.softmax(-1).cumsum(-1)
        truth = (torch.arange(z.shape[-1]) >= y[:, None]).to(cdf.dtype)
        return (cdf - truth).square().sum(-1).mean()

    plain, room = logits.detach(), torch.empty_like(logits)

    def copy():
        room.copy_(plain)

    calls = {
        BASE: call(F.cross_entropy),
        FLOOR: copy,
        "squared_emd": call(lambda z, y: losses.squared_emd(z, y).mean()),
        "wasserstein": call(lambda z, y: losses.wasserstein(z, y).mean()),
        "cross_entropy": call(lambda z, y: losses.cross_entropy(z, y).mean()),
        "ce+emd2": call(mixed),
        "cumulative_cross_entropy": call(
            lambda z, y: losses.cumulative_cross_entropy(z, y).mean()
        ),
        "histogram_crps": call(
            lambda z, y: losses.histogram_crps(z, y, bins).mean(), value
        ),
        "wasserstein, p=2": call(lambda z, y: losses.wasserstein(z, y, p=2).mean()),
        "nn.SquaredEMDLoss": call(nn.SquaredEMDLoss()),
        "squared_emd * 0.5": call(lambda z, y: losses.squared_emd(z, y).mean() * 0.5),
        "squared_emd, sure rows": call(
            lambda z, y: losses.squared_emd(z, y).mean(), logits=sure
        ),
        "squared_emd, plain": call(
            lambda z, y: losses.squared_emd(z, y, impl="torch").mean()
        ),
        "naive squared EMD": call(naive),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, loss in {"naive squared EMD, compiled": torch.compile(naive)}.items():
            try:
                call(loss)()
                calls[name] = call(loss)
            except Exception as error:
                print(f"{name} does not run: {error}"[:200], file=sys.stderr)
    for name, loss, target in rivals(classes, index, value):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                call(loss, target)()
            calls[name] = call(loss, target)
        except (RuntimeError, ValueError, MemoryError) as error:
            print(f"{name} does not run: {error}"[:200], file=sys.stderr)
    return calls


def on_images() -> dict[str, Callable[[], None]]:
    """Classes on axis 1."""
    import torch
    from torch.nn import functional as F

    from offby import losses, nn

    n, k, height, width = IMAGES
    logits = torch.randn(IMAGES, requires_grad=True)
    index = torch.randint(k, (n, height, width))

    def call(loss):
        def once():
            torch.autograd.grad(loss(logits, index), logits)

        return once

    def copied(z, y):
        return losses.squared_emd(z.movedim(1, -1).contiguous(), y).mean()

    return {
        BASE: call(F.cross_entropy),
        "squared_emd": call(nn.SquaredEMDLoss(dim=1)),
        "cross_entropy": call(nn.CrossEntropyLoss(dim=1)),
        "wasserstein": call(nn.WassersteinLoss(dim=1)),
        "squared_emd, movedim + copy": call(copied),
    }


def on_targets() -> dict[str, Callable[[], None]]:
    """Numbers into soft targets on an even grid, and what people write by hand."""
    import torch
    from torch.nn import functional as F

    from offby import Bins, targets

    rows, classes = TARGETS
    bins = Bins.uniform(-10, 10, classes)
    value, sigma = 20 * torch.rand(rows) - 10, 0.75 * 20 / classes
    logits = torch.randn(rows, classes, requires_grad=True)
    index = bins.index(value)
    edges, centers = bins.edges.float(), bins.centers.float()
    step = centers[1] - centers[0]

    def hl_gauss():
        cdf = torch.erf((edges - value[:, None]) / (2**0.5 * sigma))
        return cdf.diff(dim=-1) / (cdf[:, -1:] - cdf[:, :1])

    def two_hot():
        at = ((value - centers[0]) / step).clamp(0, classes - 1)
        low = at.floor().long()
        share, high = at - low, (low + 1).clamp(max=classes - 1)
        empty = torch.zeros(rows, classes)
        first = empty.scatter_add_(1, low[:, None], (1 - share)[:, None])
        return first.scatter_add_(1, high[:, None], share[:, None])

    def of(target):
        def once():
            target()

        return once

    return {
        BASE: of(lambda: torch.autograd.grad(F.cross_entropy(logits, index), logits)),
        "hl_gauss by hand": of(hl_gauss),
        "hl_gauss": of(lambda: targets.hl_gauss(value, bins, sigma)),
        "hl_gauss, own sigma": of(lambda: targets.hl_gauss(value, bins)),
        "two_hot by hand": of(two_hot),
        "two_hot": of(lambda: targets.two_hot(value, bins)),
    }


OTHERS = {"images": on_images, "targets": on_targets}
"""What is measured beside the losses on rows x classes."""


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
