"""A small CNN that reads digits as numbers, under seven losses.

    python examples/shapes_of_digits.py

The 1,797 digits of 8 x 8 pixels that come with scikit-learn stand in for MNIST, which
would have to be fetched. A digit read as another is a wrong class, and also off by a
number: the losses that know the distance should be off by less when they are wrong.
Classes without noise are the case in which cross-entropy is hard to beat.
"""

import argparse

import torch
from jobs import LOSSES, criterion_of, table, train
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from offby import Bins, decode

BINS = Bins.uniform(-0.5, 9.5, 10)


# %% The network
def network(outputs: int) -> torch.nn.Module:
    """Two convolutions and a linear head."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(32 * 16, outputs),
    )


# %% Training under each loss
def main(seeds: int, epochs: int, rows: int | None = None) -> None:
    """Trains each loss on each seed and prints the table."""
    pixels, digits = load_digits(return_X_y=True)
    pixels, digits = pixels[:rows], digits[:rows]
    found: dict[str, list[list[float]]] = {name: [] for name in LOSSES}
    for seed in range(seeds):
        split = train_test_split(
            pixels / 16, digits, test_size=0.5, random_state=seed, stratify=digits
        )
        x, x_test = (torch.tensor(p).float().view(-1, 1, 8, 8) for p in split[:2])
        y, y_test = (torch.tensor(part).float() for part in split[2:])
        for name in LOSSES:
            torch.manual_seed(seed)
            net = network(1 if name == "MSE" else 10)
            train(net, criterion_of(name, BINS), x, y, epochs=epochs)
            with torch.no_grad():
                out = net(x_test)
            if name == "MSE":
                guess = out.squeeze(1).round().clamp(0, 9)
            else:
                guess = decode.median(out, BINS).round()
            right = 100 * (guess == y_test).float().mean().item()
            found[name].append([right, (guess - y_test).abs().mean().item()])
    table("Digits, half for training", ("accuracy, %", "mean |error|"), found)


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    main(**vars(parser.parse_args()))
