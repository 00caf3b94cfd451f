"""Depth of every pixel in 80 bins, on generated scenes, under nine losses.

    python examples/depth_in_bins.py

A scene of 16 x 16 pixels is a floor that runs to the horizon, and two boxes standing
on it. What the network sees is a shade that fades with the distance, with noise, so
that depth is uncertain, the more so far away. Bins are logarithmic, 1 to 80 m; the
criteria take images as PyTorch does, with the bins on axis 1. As the bins are even in
log depth, MSE is tried on log depth as well.
"""

import argparse
from collections.abc import Sequence

import torch
from jobs import LOSSES, RATES, Head, Job, Outcome, Rows, head, regression, run

from offby import Bins

BINS = Bins.log(1, 80, 80)
SIZE = 16
NAMES = (*LOSSES, "MSE, log")


# %% The scenes
def scenes(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images, n x 2 x 16 x 16 (shade and height), and their depths."""
    generator = torch.Generator().manual_seed(seed)
    height = torch.linspace(0.05, 1, SIZE)[:, None].expand(SIZE, SIZE)
    depth = (2.0 / height).clamp(1.2, 75).repeat(n, 1, 1)
    column = torch.arange(SIZE)
    for _ in range(2):
        left = torch.randint(SIZE - 4, (n, 1, 1), generator=generator)
        foot = torch.randint(4, SIZE, (n, 1, 1), generator=generator)
        away = (2.0 / height[:, 0][foot]).clamp(1.2, 75)
        inside = (column >= left) & (column < left + 5)
        inside = inside & (column[:, None] <= foot) & (column[:, None] > foot - 6)
        depth = torch.where(inside & (away < depth), away, depth)
    noise = 0.05 * torch.randn(depth.shape, generator=generator)
    shade = (-depth / 30).exp() + noise
    return torch.stack([shade, height.expand_as(shade)], 1), depth


# %% The network, and what it is trained for
def network(outputs: int) -> torch.nn.Module:
    """Three convolutions; each pixel sees 9 x 9 others."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(2, 24, 5, padding=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(24, 24, 5, padding=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(24, outputs, 1),
    )


def head_of(name: str, seen: torch.Tensor) -> Head:
    """The losses of all jobs, and the squared error of log depth."""
    if name == "MSE, log":
        return regression(seen, to=torch.log, back=torch.exp)
    return head(name, BINS, seen)


def judge(head: Head, out: torch.Tensor, true: torch.Tensor) -> list[float]:
    """The scores that are usual for depth."""
    guess = head.number(out).clamp(1, 80)
    off, ratio = (guess - true).abs(), torch.maximum(guess / true, true / guess)
    near = 100 * (ratio < 1.25).float().mean().item()
    return [off.mean().item(), (off / true).mean().item(), near]


# %% Training under each loss
def main(
    seeds: int,
    epochs: int,
    rows: int = 600,
    rates: Sequence[float] = RATES,
    losses: Sequence[str] = NAMES,
) -> Outcome:
    """Trains each loss on each seed and prints the table."""

    def split(seed: int) -> Rows:
        images, depth = scenes(rows, seed)
        cut = rows * 2 // 3
        return Rows(images[:cut], depth[:cut], images[cut:], depth[cut:])

    job = Job(
        title="depth",
        scores={
            "mean abs. error, m": False,
            "relative error": False,
            "ratio < 1.25, %": True,
        },
        losses=losses,
        rows=split,
        network=network,
        head=head_of,
        judge=judge,
    )
    return run(job, seeds, epochs, rates)


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    main(**vars(parser.parse_args()))
