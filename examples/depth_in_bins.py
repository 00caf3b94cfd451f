"""Depth of every pixel in 80 bins, on generated scenes, under seven losses.

    python examples/depth_in_bins.py

A scene of 16 x 16 pixels is a floor that runs to the horizon, and two boxes standing
on it. What the network sees is a shade that fades with the distance, with noise, so
that depth is uncertain, the more so far away. Bins are logarithmic, 1 to 80 m; the
criteria take images as PyTorch does, with the bins on axis 1.
"""

import argparse

import torch
from jobs import LOSSES, criterion_of, table, train

from offby import Bins, decode

BINS = Bins.log(1, 80, 80)
SIZE = 16


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


# %% Training under each loss
def main(seeds: int, epochs: int, rows: int = 600) -> None:
    """Trains each loss on each seed and prints the table."""
    found: dict[str, list[list[float]]] = {name: [] for name in LOSSES}
    for seed in range(seeds):
        images, depth = scenes(rows, seed)
        cut = rows * 2 // 3
        for name in LOSSES:
            torch.manual_seed(seed)
            net = torch.nn.Sequential(
                torch.nn.Conv2d(2, 24, 5, padding=2),
                torch.nn.ReLU(),
                torch.nn.Conv2d(24, 24, 5, padding=2),
                torch.nn.ReLU(),
                torch.nn.Conv2d(24, 1 if name == "MSE" else 80, 1),
            )
            criterion = criterion_of(name, BINS)
            train(net, criterion, images[:cut], depth[:cut], epochs=epochs)
            with torch.no_grad():
                out = net(images[cut:])
            true = depth[cut:]
            if name == "MSE":
                guess = out.squeeze(1).clamp(1, 80)
            else:
                guess = decode.median(out, BINS, dim=1)
            ratio = torch.maximum(guess / true, true / guess)
            found[name].append(
                [
                    (guess - true).abs().mean().item(),
                    ((guess - true).abs() / true).mean().item(),
                    100 * (ratio < 1.25).float().mean().item(),
                ]
            )
    columns = ("mean |error|, m", "relative", "ratio < 1.25, %")
    table("Depth of generated scenes", columns, found)


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=15)
    main(**vars(parser.parse_args()))
