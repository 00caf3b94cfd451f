"""The Triton twins on a GPU: correctness against float64, then time.

    python benchmarks/gpu.py [--out benchmarks/results/gpu.json] [--rounds 50]

Time of forward + backward beside `F.cross_entropy`, beside the compiled plain form, and
beside a copy of the logits on the device, which no loss can beat by much: it reads and
writes as much as loss and gradient do. Medians of interleaved rounds, by CUDA events.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch.nn import functional as F

from offby import Bins, losses, nn

SHAPES = ((8192, 10), (8192, 101), (4096, 1000), (1024, 16384), (1024, 32000))
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
MOST = {"float32": 5e-6, "bfloat16": 8e-3}


def main() -> None:
    """Check, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("benchmarks/gpu.py needs a CUDA device, found none")
    torch.manual_seed(0)
    found = {}
    for rows, classes in SHAPES:
        for name, dtype in DTYPES.items():
            key = f"{rows}x{classes} {name}"
            found[key] = one_shape(rows, classes, name, dtype, options.rounds)
            print(f"\n{key}")
            for loss, figures in found[key].items():
                shown = ", ".join(f"{k} {v:.3g}" for k, v in figures.items())
                print(f"  {loss:28s} {shown}", flush=True)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        device = torch.cuda.get_device_name()
        record = {"device": device, "torch": torch.__version__, "figures": found}
        options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def one_shape(
    rows: int, classes: int, name: str, dtype: torch.dtype, rounds: int
) -> dict[str, dict[str, float]]:
    """Every loss: error against float64, time, time over that of F.cross_entropy."""
    logits = torch.randn(rows, classes, device="cuda", dtype=dtype, requires_grad=True)
    index = torch.randint(classes, (rows,), device="cuda")
    bins = nn.HistogramCRPSLoss(Bins.uniform(0, 1, classes)).cuda().bins
    value = (index + 0.3) / classes
    ours = {
        "squared_emd": losses.squared_emd,
        "wasserstein": losses.wasserstein,
        "cross_entropy": losses.cross_entropy,
        "cumulative_cross_entropy": losses.cumulative_cross_entropy,
        "histogram_crps": lambda z, y, **form: losses.histogram_crps(
            z, value, bins, **form
        ),
    }
    copy = torch.empty_like(logits)
    calls: dict[str, Callable[[], object]] = {
        "F.cross_entropy": partial(backward, F.cross_entropy, logits, index),
        "copy": partial(copied, copy, logits),
    }
    errors = {}
    for loss, function in ours.items():
        for title, form in {loss: "triton", f"{loss}, plain": "torch"}.items():
            mean = partial(mean_of, function, form)
            if form == "torch":
                mean = torch.compile(mean)
            else:
                errors[title] = error(function, logits, index)
                assert errors[title] <= MOST[name], (title, errors)
                check_graph_and_compiler(mean, logits, index)
            calls[title] = partial(backward, mean, logits, index)
    times = {title: [] for title in calls}
    for call in calls.values():
        for _ in range(5):
            call()
    for _ in range(rounds):
        for title, call in calls.items():
            times[title].append(milliseconds(call))
    base = statistics.median(times["F.cross_entropy"])
    figures = {}
    for title, spent in times.items():
        ms = statistics.median(spent)
        figures[title] = {"ms": ms, "ratio": ms / base}
        if title in errors:
            figures[title]["error"] = errors[title]
    return figures


def mean_of(function, form, logits, index):
    return function(logits, index, impl=form).mean()


def backward(loss, logits, index) -> None:
    torch.autograd.grad(loss(logits, index), logits)


def copied(there, logits) -> None:
    there.copy_(logits.detach())


def error(function, logits, index) -> float:
    """Largest error of a row of the gradient, relative to the row."""
    slopes = []
    for z, form in ((logits, "triton"), (logits.double(), "torch")):
        z = z.detach().requires_grad_()
        total = function(z, index, impl=form).sum()
        slopes.append(torch.autograd.grad(total, z)[0].double())
    apart = (slopes[0] - slopes[1]).norm(dim=-1) / slopes[1].norm(dim=-1)
    return float(apart.max())


def check_graph_and_compiler(loss, logits, index) -> None:
    """A CUDA graph and a compiler give what the loss gives by itself."""
    expected = torch.autograd.grad(loss(logits, index), logits)[0]
    compiled = torch.compile(loss, fullgraph=True)
    slopes = torch.autograd.grad(compiled(logits, index), logits)[0]
    torch.testing.assert_close(slopes, expected)
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        backward(loss, logits, index)  # warm
    torch.cuda.current_stream().wait_stream(stream)
    with torch.cuda.graph(graph):
        slopes = torch.autograd.grad(loss(logits, index), logits)[0]
    graph.replay()
    torch.testing.assert_close(slopes, expected)


def milliseconds(call: Callable[[], object]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)


if __name__ == "__main__":
    main()
