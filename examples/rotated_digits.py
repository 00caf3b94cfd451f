"""How far was a digit turned? Angles in 36 bins around a circle, under ten losses.

    python examples/rotated_digits.py

scikit-learn's digits, each turned by a random angle. 359 and 1 degree are 2 degrees
apart, and losses on a circle know it. cce and crps have no circle: they are given a
line, hl_gauss likewise, and pay at the wrap. "ce, smoothed" smooths the label along
the circle. MSE of the angle itself does not know the wrap either; MSE of its cosine
and sine does.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import torch
from jobs import LOSSES, RATES, Head, Job, Outcome, Rows, head, run
from scipy.ndimage import rotate
from sklearn.datasets import load_digits

from offby import Bins, Circle, decode, nn, targets

BINS = Bins.uniform(0, 360, 36)
CIRCLE = Circle(BINS.centers, 360, "chord")
NAMES = (*LOSSES, "MSE, cos and sin", "ce, smoothed")


# %% The pictures
def turned(n: int, seed: int) -> Rows:
    """Images and the angles by which they were turned; two thirds to train on."""
    rng = np.random.default_rng(seed)
    pixels = load_digits().images[rng.permutation(1797)[:n]] / 16
    angles = rng.uniform(0, 360, n)
    pictures = [
        rotate(np.kron(image, np.ones((2, 2))), angle, reshape=False, order=1)
        for image, angle in zip(pixels, angles, strict=True)
    ]
    images = torch.tensor(np.array(pictures)).float()[:, None]
    y, cut = torch.tensor(angles).float(), n * 2 // 3
    return Rows(images[:cut], y[:cut], images[cut:], y[cut:])


# %% The losses, on a circle where they can be
def on_a_circle(name: str, seen: torch.Tensor) -> Head:
    """The losses of the other jobs; those that can are put on the circle."""
    if name == "MSE, cos and sin":
        return Head(2, apart, direction)
    if name.startswith("MSE"):
        return head(name, BINS, seen)
    near = CIRCLE.normalized()
    ce, emd2 = nn.CrossEntropyLoss(), nn.SquaredEMDLoss(near)
    both = nn.MixedLoss([(1.0, ce), (1.0, emd2)], balance="push")
    losses = {
        "emd2": lambda z, y: emd2(z, BINS.index(y)),
        "ce+emd2": lambda z, y: both(z, BINS.index(y)),
        "ce, smoothed": lambda z, y: ce(
            z, targets.smoothed(BINS.index(y), CIRCLE, 10.0)
        ),
    }
    loss = losses.get(name) or head(name, BINS, seen).loss
    return Head(36, loss, lambda z: decode.circular_mean(z, CIRCLE))


def apart(z: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Squared distance of two outputs from the point on the unit circle."""
    radians = angle.deg2rad()
    return (z - torch.stack([radians.cos(), radians.sin()], 1)).square().mean()


def direction(z: torch.Tensor) -> torch.Tensor:
    """The angle that two outputs point to, in degrees."""
    return torch.atan2(z[:, 1], z[:, 0]).rad2deg()


def judge(head: Head, out: torch.Tensor, angle: torch.Tensor) -> list[float]:
    """Degrees off, the short way around, and the share of good guesses in percent."""
    off = (head.number(out) - angle).abs() % 360
    off = torch.minimum(off, 360 - off)
    return [off.mean().item(), 100 * (off < 20).float().mean().item()]


# %% The network
def network(outputs: int) -> torch.nn.Module:
    """One convolution and two linear layers."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(16 * 64, 128),
        torch.nn.ReLU(),
        torch.nn.Linear(128, outputs),
    )


# %% Training under each loss
def main(
    seeds: int,
    epochs: int,
    rows: int = 1797,
    rates: Sequence[float] = RATES,
    losses: Sequence[str] = NAMES,
) -> Outcome:
    """Trains each loss on each seed and prints the table."""
    job = Job(
        title="angles",
        scores={"mean abs. error, degrees": False, "within 20 degrees, %": True},
        losses=losses,
        rows=lambda seed: turned(rows, seed),
        network=network,
        head=on_a_circle,
        judge=judge,
    )
    return run(job, seeds, epochs, rates)


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    main(**vars(parser.parse_args()))
