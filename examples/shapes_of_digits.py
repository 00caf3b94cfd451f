"""A small CNN that reads digits as numbers, under eight losses.

    python examples/shapes_of_digits.py

The 1,797 digits of 8 x 8 pixels that come with scikit-learn stand in for MNIST, which
would have to be fetched. A digit read as another is a wrong class, and also off by a
number: the losses that know the distance should be off by less when they are wrong.
Classes without noise are the case in which cross-entropy is hard to beat.
"""

import argparse
from collections.abc import Sequence

import torch
from jobs import LOSSES, RATES, Head, Job, Outcome, Rows, head, run
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from offby import Bins

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


# %% The pictures, half of them for training
def digits(seed: int, rows: int | None) -> Rows:
    """Another half with each seed."""
    pixels, digits = load_digits(return_X_y=True)
    split = train_test_split(
        pixels[:rows] / 16,
        digits[:rows],
        test_size=0.5,
        random_state=seed,
        stratify=digits[:rows],
    )
    x, x_test = (torch.tensor(p).float().view(-1, 1, 8, 8) for p in split[:2])
    y, y_test = (torch.tensor(part).float() for part in split[2:])
    return Rows(x, y, x_test, y_test)


def judge(head: Head, out: torch.Tensor, digit: torch.Tensor) -> list[float]:
    """Share of digits read right, in percent, and by how much a guess is off."""
    guess = head.number(out).round().clamp(0, 9)
    right = 100 * (guess == digit).float().mean().item()
    return [right, (guess - digit).abs().mean().item()]


# %% Training under each loss
def main(
    seeds: int,
    epochs: int,
    rows: int | None = None,
    rates: Sequence[float] = RATES,
    losses: Sequence[str] = LOSSES,
) -> Outcome:
    """Trains each loss on each seed and prints the table."""
    job = Job(
        title="digits",
        scores={"accuracy, %": True, "mean abs. error": False},
        losses=losses,
        rows=lambda seed: digits(seed, rows),
        network=network,
        head=lambda name, seen: head(name, BINS, seen),
        judge=judge,
    )
    return run(job, seeds, epochs, rates)


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    main(**vars(parser.parse_args()))
