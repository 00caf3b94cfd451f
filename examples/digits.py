"""Which digits look alike? A ground distance learned from a network's own features.

    python examples/digits.py

trains one small network on scikit-learn's digits twice, over five seeds: on
cross-entropy alone, and on cross-entropy plus the squared mass of Hou et al., whose
distances are learned anew after every epoch. Prints the learned distances and what they
did to the errors. Takes about half a minute on one core.
"""

import argparse

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from offby import Costs
from offby.nn import CrossEntropyLoss, LearnedCosts, MixedLoss, SquaredMassLoss

ALIKE, UNLIKE = (3, 5, 8, 9), (0, 1)


# %% Training, with distances learned anew after each epoch
def train(X, y, *, learned: LearnedCosts | None, seed: int, epochs: int):
    """One network with 64 hidden features; with distances if there are any."""
    torch.manual_seed(seed)
    hidden = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU())
    last = torch.nn.Linear(64, 10)
    squared_mass = SquaredMassLoss(Costs.equal(10), power=2.0)
    batches = -(-len(X) // 64)
    loss = MixedLoss(
        [(1.0, CrossEntropyLoss()), (1 / 3.5, squared_mass)],
        balance="ratio",
        head_start=3 * batches,
    )
    criterion = CrossEntropyLoss() if learned is None else loss
    step = torch.optim.Adam([*hidden.parameters(), *last.parameters()], lr=3e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(X)).split(64):
            features = hidden(X[rows])
            value = criterion(last(features), y[rows])
            if learned is not None:
                learned(features, y[rows])
            step.zero_grad()
            value.backward()
            step.step()
        if learned is not None:
            squared_mass.ground = learned.costs()
            learned.reset()
    return torch.nn.Sequential(hidden, last), squared_mass.ground


# %% The comparison
def main(seeds: int, epochs: int) -> None:
    """Compare, and show the distances."""
    X, y = load_digits(return_X_y=True)
    distances, table = [], []
    for seed in range(seeds):
        split = train_test_split(
            X / 16, y, test_size=0.3, random_state=seed, stratify=y
        )
        train_X, test_X = (torch.tensor(part).float() for part in split[:2])
        train_y, test_y = (torch.tensor(part) for part in split[2:])
        plain, _ = train(train_X, train_y, learned=None, seed=seed, epochs=epochs)
        mixed, ground = train(
            train_X, train_y, learned=LearnedCosts(10, 64), seed=seed, epochs=epochs
        )
        assert ground is not None
        cost = ground.cost.numpy()
        distances.append(cost)
        scores = []
        for network in (plain, mixed):
            with torch.no_grad():
                logits = network(test_X)
            wrong = logits.argmax(-1) != test_y
            log_score = torch.nn.functional.cross_entropy(logits, test_y).item()
            scores += [100 * (~wrong).double().mean().item(), log_score]
        table.append(scores)
    mean = np.mean(distances, axis=0)
    print("Learned distances, mean over seeds (0: the same, 1: the farthest)\n")
    print("     " + "".join(f"{digit:6d}" for digit in range(10)))
    for digit, row in enumerate(mean):
        print(f"{digit:5d}" + "".join(f"{value:6.2f}" for value in row))
    alike = [
        np.mean([d[i, j] for i in ALIKE for j in ALIKE if i < j]) for d in distances
    ]
    unlike = [d[UNLIKE] for d in distances]
    print(f"\nAmong 3, 5, 8, 9: {np.mean(alike):.2f} (by seed: {_list(alike)})")
    print(f"Between 0 and 1:  {np.mean(unlike):.2f} (by seed: {_list(unlike)})")
    closer = sum(a < b for a, b in zip(alike, unlike, strict=True))
    print(f"3, 5, 8, 9 are closer than 0 and 1 in {closer} of {seeds} seeds.\n")
    found = np.array(table)
    spread = found.std(axis=0, ddof=1) if seeds > 1 else np.zeros(4)
    for name, at in (("cross-entropy", 0), ("plus squared mass", 2)):
        print(
            f"{name:18s} accuracy {found[:, at].mean():.2f} ± {spread[at]:.2f} %,"
            f" log loss {found[:, at + 1].mean():.4f} ± {spread[at + 1]:.4f} nats"
        )


def _list(values) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    main(**vars(parser.parse_args()))
