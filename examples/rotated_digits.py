"""How far was a digit turned? Angles in 36 bins around a circle, under seven losses.

    python examples/rotated_digits.py

scikit-learn's digits, each turned by a random angle. 359 and 1 degree are 2 degrees
apart, and losses on a circle know it. cce and crps have no circle: they are given a
line, hl_gauss likewise, and pay at the wrap. "ce on a circle" smooths the label along
the circle. MSE of the angle itself does not know the wrap either.
"""

import argparse

import numpy as np
import torch
from jobs import LOSSES, criterion_of, table, train
from scipy.ndimage import rotate
from sklearn.datasets import load_digits

from offby import Bins, Circle, decode, nn, targets

BINS = Bins.uniform(0, 360, 36)
CIRCLE = Circle(BINS.centers, 360, "chord")
NAMES = (*LOSSES, "ce, smoothed")


# %% The pictures
def turned(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and the angles by which they were turned."""
    rng = np.random.default_rng(seed)
    pixels = load_digits().images[rng.permutation(1797)[:n]] / 16
    angles = rng.uniform(0, 360, n)
    pictures = [
        rotate(np.kron(image, np.ones((2, 2))), angle, reshape=False, order=1)
        for image, angle in zip(pixels, angles, strict=True)
    ]
    images = torch.tensor(np.array(pictures)).float()[:, None]
    return images, torch.tensor(angles).float()


# %% The losses, on a circle where they can be
def criterion(name: str):
    """The losses of the other jobs; those that can are put on the circle."""
    near = CIRCLE.normalized()
    ce, emd2 = nn.CrossEntropyLoss(), nn.SquaredEMDLoss(near)
    if name == "emd2":
        return lambda z, y: emd2(z, BINS.index(y))
    if name == "ce+emd2":
        both = nn.MixedLoss([(1.0, ce), (1.0, emd2)], balance="push")
        return lambda z, y: both(z, BINS.index(y))
    if name == "ce, smoothed":
        return lambda z, y: ce(z, targets.smoothed(BINS.index(y), CIRCLE, 10.0))
    if name == "MSE":
        return lambda z, y: torch.nn.functional.mse_loss(z.squeeze(1), y / 180 - 1)
    return criterion_of(name, BINS)


# %% Training under each loss
def main(seeds: int, epochs: int, rows: int = 1797) -> None:
    """Trains each loss on each seed and prints the table."""
    found: dict[str, list[list[float]]] = {name: [] for name in NAMES}
    for seed in range(seeds):
        images, angles = turned(rows, seed)
        cut = rows * 2 // 3
        for name in NAMES:
            torch.manual_seed(seed)
            net = torch.nn.Sequential(
                torch.nn.Conv2d(1, 16, 3, stride=2, padding=1),
                torch.nn.ReLU(),
                torch.nn.Flatten(),
                torch.nn.Linear(16 * 64, 128),
                torch.nn.ReLU(),
                torch.nn.Linear(128, 1 if name == "MSE" else 36),
            )
            train(net, criterion(name), images[:cut], angles[:cut], epochs=epochs)
            with torch.no_grad():
                out = net(images[cut:])
            if name == "MSE":
                guess = 180 * (out.squeeze(1) + 1)
            else:
                guess = decode.circular_mean(out, CIRCLE)
            off = (guess - angles[cut:]).abs() % 360
            off = torch.minimum(off, 360 - off)
            within = 100 * (off < 20).float().mean().item()
            found[name].append([off.mean().item(), within])
    table("Angles of digits", ("mean |error|", "within 20, %"), found)


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    main(**vars(parser.parse_args()))
