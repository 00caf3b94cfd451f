"""A value head with 51 atoms, as in reinforcement learning, under seven losses.

    python examples/value_head.py

States are random; their returns are a function of the state times a heavy-tailed
noise, from small to thousands, of both signs. The atoms are even in symlog. What counts
is the error of the mean return, E[symexp(z)]; symexp(E[z]) is shown beside it for the
losses on atoms, and is no mean. MSE is taken on symlog of the return, as is common, and
can only give the latter.
"""

import argparse

import torch
from jobs import LOSSES, criterion_of, table, train

from offby import Bins, decode

BINS = Bins.uniform(-10, 10, 51)


# %% The returns
def returns(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """States, a return of each, and its expectation."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(n, 8, generator=generator)
    size = torch.exp(1.5 + states[:, 0] + 0.5 * states[:, 1])
    sign = torch.tanh(2 * states[:, 2])
    noise = torch.exp(0.8 * torch.randn(n, generator=generator) - 0.32)
    return states, sign * size * noise, sign * size


# %% Training under each loss
def main(seeds: int, epochs: int, rows: int = 4000) -> None:
    """Trains each loss on each seed and prints the table."""
    found: dict[str, list[list[float]]] = {name: [] for name in LOSSES}
    for seed in range(seeds):
        states, values, expected = returns(rows, seed)
        cut = rows * 2 // 3
        z = decode.symlog(values)
        for name in LOSSES:
            torch.manual_seed(seed)
            net = torch.nn.Sequential(
                torch.nn.Linear(8, 64),
                torch.nn.ReLU(),
                torch.nn.Linear(64, 64),
                torch.nn.ReLU(),
                torch.nn.Linear(64, 1 if name == "MSE" else 51),
            )
            train(net, criterion_of(name, BINS), states[:cut], z[:cut], epochs=epochs)
            with torch.no_grad():
                out = net(states[cut:])
            if name == "MSE":
                mean = back = decode.symexp(out.squeeze(1))
            else:
                mean = decode.mean(out, BINS, transform=decode.symexp)
                back = decode.symexp(decode.mean(out, BINS))
            true = expected[cut:]
            found[name].append(
                [(guess - true).square().mean().sqrt().item() for guess in (mean, back)]
            )
    columns = ("RMSE", "not safe: RMSE")
    table("Mean return from 51 atoms", columns, found)


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    main(**vars(parser.parse_args()))
