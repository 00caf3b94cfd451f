"""The Triton kernels on a GPU: what they get right, then how long they take.

    python benchmarks/gpu.py --out benchmarks/results/gpu.json [--shapes 4096x1000,...]

Checks against float64, against themselves in a CUDA graph and inside `torch.compile`,
and with logits that are gone before the backward pass of a mean. A check that fails is
written down; the rest goes on, and the script ends with 1.

Times are of forward + backward, beside `F.cross_entropy`, beside the plain form under
`torch.compile`, and beside a copy of the logits on the device, which no loss can beat
by much: it reads and writes what loss and gradient do. `ms`: the GPU alone, a CUDA
graph replayed; `call_ms`: called from Python on a GPU at rest. Medians of interleaved
rounds. The file is written after each shape, and shapes measured before stay in it.

`--smoke` runs it all on the CPU, small and with the C++ kernels: to see that it runs.
"""

import argparse
import json
import platform
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from offby import Bins, kernels, losses, nn

SHAPES = "8192x10,8192x101,4096x1000,1024x16384,1024x32000"
SMALL = "64x10,6x101"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
MOST = {"float32": 5e-6, "bfloat16": 8e-3}
"""Error of a row's gradient, relative to its length."""
BASE = "F.cross_entropy"
COPY = "copy of the logits"
Loss = Callable[..., Tensor]


@dataclass
class Bench:
    """Where and how it runs, and what went wrong."""

    device: str
    kernel: kernels.Impl
    compiler: str
    rounds: int
    failures: list[str] = field(default_factory=list)

    @property
    def on_gpu(self) -> bool:
        return self.device == "cuda"

    @contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """Failures inside are written down."""
        try:
            yield
        except Exception as error:
            traceback.print_exc()
            self.failures.append(f"{what}: {type(error).__name__}: {error}"[:500])


def main(arguments: list[str] | None = None) -> int:
    """Check, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--shapes", help=f"as {SHAPES}, the default")
    parser.add_argument("--dtypes", default=",".join(DTYPES))
    parser.add_argument("--smoke", action="store_true", help="on the CPU, small")
    options = parser.parse_args(arguments)
    if options.smoke:
        bench = Bench("cpu", "cpp", "eager", 2)
    elif torch.cuda.is_available():
        bench = Bench("cuda", "triton", "inductor", options.rounds)
    else:
        sys.exit("benchmarks/gpu.py needs a CUDA device, found none; see --smoke")
    torch.manual_seed(0)
    figures = earlier(options.out, bench)
    shapes = options.shapes or (SMALL if options.smoke else SHAPES)
    for shape in shapes.split(","):
        rows, classes = map(int, shape.split("x"))
        for dtype in options.dtypes.split(","):
            name = f"{rows}x{classes} {dtype}"
            with bench.noting(name):
                figures[name] = one_shape(bench, rows, classes, dtype)
                show(name, figures[name])
            if options.out:
                write(options.out, bench, figures)
    for failure in bench.failures:
        print(f"FAILED {failure}")
    return 1 if bench.failures else 0


def show(name: str, figures: dict[str, dict[str, float]]) -> None:
    print(f"\n{name}")
    for route, numbers in figures.items():
        shown = ", ".join(f"{key} {number:.3g}" for key, number in numbers.items())
        print(f"  {route:42s} {shown}", flush=True)


def device_name(bench: Bench) -> str:
    return torch.cuda.get_device_name() if bench.on_gpu else platform.machine()


def earlier(out: Path | None, bench: Bench) -> dict[str, Any]:
    """Figures in the file, if they are of this device."""
    if out is None or not out.exists():
        return {}
    record = json.loads(out.read_text(encoding="utf-8"))
    return record["figures"] if record["device"] == device_name(bench) else {}


def write(out: Path, bench: Bench, figures: dict[str, Any]) -> None:
    versions = {"torch": torch.__version__, "cuda": torch.version.cuda}
    if bench.on_gpu:
        versions["triton"] = metadata.version("triton")
    record = {
        "device": device_name(bench),
        "form": bench.kernel,
        "versions": versions,
        "rounds": bench.rounds,
        "failures": bench.failures,
        "figures": figures,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def one_shape(bench: Bench, rows: int, classes: int, dtype: str) -> dict[str, dict]:
    """Figures of every route."""
    logits = torch.randn(rows, classes, device=bench.device, dtype=DTYPES[dtype])
    logits.requires_grad_()
    index = torch.randint(classes, (rows,), device=bench.device)
    weight = torch.rand(rows, device=bench.device)
    figures: dict[str, dict[str, float]] = {}
    # A compiler keeps but few variants of one function.
    torch.compiler.reset()
    there = torch.empty_like(logits)
    routes: dict[str, Callable[[], object]] = {
        BASE: partial(both_ways, F.cross_entropy, logits, index),
        COPY: lambda: there.copy_(logits.detach()),
    }
    for name, loss in family(bench, index, classes).items():
        where = f"{rows}x{classes} {dtype} {name}"
        kernel, plain = mean_of(loss, impl=bench.kernel), mean_of(loss, impl="torch")
        weighted = sum_of(loss, weight, impl=bench.kernel)
        figures[name] = checked(bench, where, loss, logits, index, MOST[dtype])
        quick = torch.compile(plain, dynamic=False, backend=bench.compiler)
        routes[name] = partial(both_ways, kernel, logits, index)
        routes[f"{name}, weighted"] = partial(both_ways, weighted, logits, index)
        routes[f"{name}, plain, compiled"] = partial(both_ways, quick, logits, index)
    for route, numbers in timed(bench, routes).items():
        figures.setdefault(route, {}).update(numbers)
    for numbers in figures.values():
        for clock in ("ms", "call_ms"):
            if clock in numbers and clock in figures[BASE]:
                ratio = numbers[clock] / figures[BASE][clock]
                numbers[clock.replace("ms", "ratio")] = ratio
    return figures


def family(bench: Bench, index: Tensor, classes: int) -> dict[str, Loss]:
    """The losses that have a kernel, as functions of logits and class."""
    criterion = nn.HistogramCRPSLoss(Bins.uniform(0, 1, classes)).to(bench.device)
    bins, value = criterion.bins, (index.double() + 0.3) / classes

    def histogram_crps(z: Tensor, y: Tensor, *, impl: kernels.Impl) -> Tensor:
        return losses.histogram_crps(z, value, bins, impl=impl)

    return {
        "squared_emd": losses.squared_emd,
        "wasserstein": losses.wasserstein,
        "cross_entropy": losses.cross_entropy,
        "cumulative_cross_entropy": losses.cumulative_cross_entropy,
        "histogram_crps": histogram_crps,
    }


def mean_of(loss: Loss, **settings: Any) -> Loss:
    return lambda z, y: loss(z, y, **settings).mean()


def sum_of(loss: Loss, weight: Tensor, **settings: Any) -> Loss:
    return lambda z, y: (loss(z, y, **settings) * weight).sum()


def both_ways(total: Loss, logits: Tensor, index: Tensor) -> Tensor:
    """Forward and backward: the gradient."""
    return torch.autograd.grad(total(logits, index), logits)[0]


def checked(
    bench: Bench, where: str, loss: Loss, logits: Tensor, index: Tensor, most: float
) -> dict[str, float]:
    """Errors of the kernel against float64, and whatever else must hold."""
    n = len(index)
    found: dict[str, float] = {}
    weight = torch.linspace(-1, 1, n, device=bench.device)
    weight[::2] = 1.0 / n  # made for the mean, half of the rows are there already
    uniform = torch.full_like(weight, 1.0 / n)
    kernel = mean_of(loss, impl=bench.kernel)
    with bench.noting(f"{where}, float64"):
        value = loss(logits.detach(), index, impl=bench.kernel).double()
        right = loss(logits.detach().double(), index, impl="torch")
        found["loss_error"] = float(((value - right).abs() / right.abs()).max())
        for name, w in (("error", uniform), ("weighted_error", weight)):
            slopes = both_ways(sum_of(loss, w, impl=bench.kernel), logits, index)
            wide = logits.detach().double().requires_grad_()
            steep = both_ways(sum_of(loss, w, impl="torch"), wide, index)
            found[name] = farthest(slopes, steep)
            assert found[name] <= most, f"{name} is {found[name]:.1e}"
    with bench.noting(f"{where}, mean"):
        expected = both_ways(kernel, logits, index)
        same = both_ways(sum_of(loss, uniform, impl=bench.kernel), logits, index)
        assert torch.equal(expected, same), "a mean and its weighted sum differ"
        late = without_logits(kernel, logits, index)
        assert torch.equal(late, expected), "the backward pass of a mean reads logits"
    with bench.noting(f"{where}, torch.compile"):
        torch.compiler.reset()
        compiled = torch.compile(kernel, fullgraph=True, backend=bench.compiler)
        expected = both_ways(kernel, logits, index)
        torch.testing.assert_close(both_ways(compiled, logits, index), expected)
    if bench.on_gpu:
        with bench.noting(f"{where}, CUDA graph"):
            expected = both_ways(kernel, logits, index)
            graph, slopes = recorded(partial(both_ways, kernel, logits, index))
            slopes.zero_()
            graph.replay()
            assert torch.equal(slopes, expected), "a CUDA graph gives other numbers"
    return found


def farthest(slopes: Tensor, steep: Tensor) -> float:
    """Largest error of a row, relative to its length."""
    apart, size = (slopes.double() - steep).norm(dim=-1), steep.norm(dim=-1)
    return float((apart / torch.where(size > 0, size, 1.0)).max())


def without_logits(total: Loss, logits: Tensor, index: Tensor) -> Tensor:
    """The gradient, the logits overwritten before the backward pass."""
    z = logits.detach().clone().requires_grad_()
    found = total(z, index)
    z.data.fill_(torch.nan)  # behind the back of autograd
    return torch.autograd.grad(found, z)[0]


def recorded(call: Callable[[], Any]) -> tuple[torch.cuda.CUDAGraph, Any]:
    """A call as a CUDA graph, and where its result will be."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = call()
    return graph, result


def timed(
    bench: Bench, routes: dict[str, Callable[[], object]]
) -> dict[str, dict[str, float]]:
    """Median times, and the most memory that a call holds beyond its logits."""
    figures: dict[str, dict[str, float]] = {}
    clocks: dict[tuple[str, str], Callable[[], float]] = {}
    for route, call in routes.items():
        with bench.noting(f"timing {route}"):
            for _ in range(3):
                call()
            figures[route] = {"mib": peak_mib(call)} if bench.on_gpu else {}
            clocks[route, "call_ms"] = partial(milliseconds, bench, call)
            if bench.on_gpu:
                graph, _ = recorded(call)
                clocks[route, "ms"] = partial(milliseconds, bench, graph.replay, 10)
    times: dict[tuple[str, str], list[float]] = {key: [] for key in clocks}
    for _ in range(bench.rounds):
        for key, clock in clocks.items():
            times[key].append(clock())
    for (route, clock), spent in times.items():
        figures[route][clock] = statistics.median(spent)
    return figures


def peak_mib(call: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    call()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def milliseconds(bench: Bench, call: Callable[[], object], times: int = 1) -> float:
    """Time of one call out of several in a row."""
    if not bench.on_gpu:
        begin = time.perf_counter()
        for _ in range(times):
            call()
        return 1e3 * (time.perf_counter() - begin) / times
    torch.cuda.synchronize()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(times):
        call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / times


if __name__ == "__main__":
    sys.exit(main())
