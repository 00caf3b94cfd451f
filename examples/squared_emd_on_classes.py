"""Hou et al. 2016 in small: squared EMD beside cross-entropy on ordered classes.

    python examples/squared_emd_on_classes.py

The paper (Squared earth mover's distance-based loss for training deep neural networks,
arXiv:1611.05916) trains networks for ages and ratings of pictures, and counts exact
hits and hits within one class. Its pictures cannot be had here. In their place: how far
a digit of scikit-learn was turned, in 8 ordered classes, as seen by a small
convolutional network; the quality of red wines; and the progression of diabetes in 10
classes of equal counts, the latter two by a perceptron. The same network, steps and
rates for every loss, chosen on none of them. "sum" is the paper's way to add: the
squared EMD scaled by the ratio of the losses' running means.
"""

import argparse
from collections.abc import Callable

import numpy as np
import torch
from jobs import train
from scipy.ndimage import rotate
from sklearn.datasets import load_diabetes, load_digits
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from offby import Bins, Line, decode, losses, nn
from offby.datasets import load

Rows = tuple[Tensor, Tensor]


# %% The sets
def turned_digits(seed: int, most: int) -> Rows:
    """Pictures of digits, and in which of 8 ranges from -80 to 80 degrees they lie."""
    rng = np.random.default_rng(seed)
    pixels = load_digits().images[rng.permutation(1797)[:most]] / 16
    angles = rng.uniform(-80, 80, len(pixels))
    pictures = [
        rotate(np.kron(image, np.ones((2, 2))), angle, reshape=False, order=1)
        for image, angle in zip(pixels, angles, strict=True)
    ]
    classes = Bins.uniform(-80, 80, 8).index(torch.tensor(angles))
    return torch.tensor(np.array(pictures)).float()[:, None], classes


def wine(seed: int, most: int) -> Rows:
    """Red wines without copies of a wine, and their quality from 3 to 8."""
    rows = np.unique(np.loadtxt(load("wine-red"), delimiter=",", skiprows=1), axis=0)
    rows = np.random.default_rng(seed).permutation(rows)[:most]
    return torch.tensor(rows[:, :-1]).float(), torch.tensor(rows[:, -1]).long() - 3


def diabetes(seed: int, most: int) -> Rows:
    """Patients, and their progression after a year in 10 classes of equal counts."""
    x, y = load_diabetes(return_X_y=True)
    rows = np.random.default_rng(seed).permutation(len(y))[:most]
    classes = Bins.quantile(y, 10).index(torch.tensor(y[rows]))
    return torch.tensor(x[rows]).float(), classes


SETS: dict[str, tuple[Callable[[int, int], Rows], int]] = {
    "turned digits": (turned_digits, 8),
    "wine": (wine, 6),
    "diabetes": (diabetes, 10),
}


# %% The losses and the network
def criteria(n_classes: int) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Cross-entropy, squared EMD, and the paper's sum of both."""
    ground = Line.regular(n_classes).normalized()
    both = [(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss(ground))]
    return {
        "ce": nn.CrossEntropyLoss(),
        "squared EMD": nn.SquaredEMDLoss(ground),
        "sum": nn.MixedLoss(both, balance="ratio"),
    }


def network(inputs: Tensor, n_classes: int) -> torch.nn.Module:
    if inputs.ndim == 2:
        return torch.nn.Sequential(
            torch.nn.Linear(inputs.shape[1], 64),
            torch.nn.ReLU(),
            torch.nn.Linear(64, n_classes),
        )
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(16 * 64, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, n_classes),
    )


# %% The scores
def scores(logits: Tensor, truth: Tensor) -> dict[str, float]:
    """The paper's two shares, of the likeliest class; and what a distance sees."""
    off = (logits.argmax(-1) - truth).abs()
    median = (decode.median(logits, Line.regular(logits.shape[1])) - truth).abs()
    return {
        "exact, %": 100 * (off == 0).float().mean().item(),
        "within one, %": 100 * (off <= 1).float().mean().item(),
        "median's error": median.float().mean().item(),
        "RPS": losses.squared_emd(logits, truth).mean().item(),
    }


# %% Each loss on each set
def table(
    title: str, columns: tuple[str, ...], rows: dict[str, list[list[float]]]
) -> None:
    """Mean of each score over the seeds; the best of a column is marked."""
    means = {
        name: [sum(column) / len(column) for column in zip(*found, strict=True)]
        for name, found in rows.items()
    }
    higher = [column.endswith("%") for column in columns]
    best = [
        (max if up else min)(scores[k] for scores in means.values())
        for k, up in enumerate(higher)
    ]
    print(f"{title}\n")
    print(f"{'loss':10s}" + "".join(f"{column:>16s}" for column in columns))
    for name, scores in means.items():
        cells = (
            f"{score:.3f}{'*' if score == top else ' '}"
            for score, top in zip(scores, best, strict=True)
        )
        print(f"{name:10s}" + "".join(f"{cell:>16s}" for cell in cells))
    print("\n* best of its column")


def main(
    seeds: int = 5, epochs: int = 20, rows: int = 1797
) -> dict[str, list[dict[str, float]]]:
    """Prints a table for each set, and gives the scores by "set, loss"."""
    found: dict[str, list[dict[str, float]]] = {}
    for title, (read, n_classes) in SETS.items():
        for seed in range(seeds):
            x, y = read(seed, rows)
            cut = len(x) * 2 // 3
            if x.ndim == 2:
                scale = StandardScaler().fit(x[:cut])
                x = torch.tensor(scale.transform(x)).float()
            for name, criterion in criteria(n_classes).items():
                torch.manual_seed(seed)
                net = network(x, n_classes)
                train(net, criterion, x[:cut], y[:cut], epochs=epochs)
                with torch.no_grad():
                    held_out = scores(net(x[cut:]), y[cut:])
                found.setdefault(f"{title}, {name}", []).append(held_out)
        mine = {
            key.split(", ")[1]: [list(run.values()) for run in runs]
            for key, runs in found.items()
            if key.startswith(title)
        }
        table(title, tuple(held_out), mine)
        print()
    return found


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    main(**vars(parser.parse_args()))
