"""Depth maps whose logits never exist: the memory of one training step, two ways.

    python examples/depth_without_logits.py

The scenes and the bins are those of depth_in_bins.py. The last layer of its network, a
convolution of size 1 with 80 outputs for each pixel, becomes `offby.nn.LinearLoss` on
axis 1. Both networks see the same batches and begin with the same weights: they learn
the same, but one never holds 80 numbers for every pixel.
"""

import argparse
import math

import torch
from depth_in_bins import BINS, scenes
from torch.profiler import ProfilerActivity, profile

from offby import decode, nn


# %% The network
def body() -> torch.nn.Module:
    """From an image to 24 features for each pixel."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(2, 24, 5, padding=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(24, 24, 5, padding=2),
        torch.nn.ReLU(),
    )


# %% What a step holds in memory
def peak_mib(step) -> float:
    """Most memory that PyTorch held at once during a call, beyond what it had."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    inner = profiler.profiler
    assert inner is not None
    assert inner.kineto_results is not None
    events = [e for e in inner.kineto_results.events() if e.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()  # pyright: ignore[reportAttributeAccessIssue]
        most = max(most, held)
    return most / 2**20


# %% Both ways
def main(epochs: int, rows: int = 600) -> None:
    """Trains both networks and prints error and memory."""
    images, depth = scenes(rows, 0)
    index, cut = BINS.index(depth), rows * 2 // 3
    print(f"{'last layer':24s} {'median ratio off':>16s} {'MiB of a step':>14s}")
    for whole in (True, False):
        torch.manual_seed(0)
        features = body()
        loss = nn.SquaredEMDLoss(BINS.line().normalized())
        head = nn.LinearLoss(24, BINS.n_bins, loss, dim=1)
        step = torch.optim.Adam([*features.parameters(), *head.parameters()], lr=3e-3)

        def once(batch, features=features, head=head, step=step, whole=whole):
            hidden, target = features(images[batch]), index[batch]
            if whole:
                value = head.criterion(head.logits(hidden), target)
            else:
                value = head(hidden, target)
            step.zero_grad()
            value.backward()
            step.step()

        for _ in range(epochs):
            for batch in torch.randperm(cut).split(50):
                once(batch)
        mib = peak_mib(lambda once=once: once(torch.arange(cut)))
        with torch.no_grad():
            logits = head.logits(features(images[cut:]))
        guess = decode.median(logits, BINS, dim=1)
        off = (guess / depth[cut:]).log().abs().median().exp().item()
        name = "logits of all pixels" if whole else "LinearLoss"
        print(f"{name:24s} {off:16.4f} {mib:14.1f}")
        assert math.isfinite(off)


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=8)
    main(parser.parse_args().epochs)
