"""A value head with 51 atoms, as in reinforcement learning, under nine losses.

    python examples/value_head.py

States are random; their returns are a function of the state times a heavy-tailed
noise, from small to thousands, of both signs. The atoms are even in symlog. What counts
is the error of the mean return, E[symexp(z)]; symexp(E[z]) is shown beside it for the
losses on atoms, and is no mean. MSE is taken on symlog of the return, plain and scaled,
as is common, and can only give the latter; "MSE, returns" is taken on the returns
themselves, over their standard deviation, and so learns their mean.
"""

import argparse
from collections.abc import Sequence

import torch
from jobs import LOSSES, RATES, Head, Job, Outcome, Rows, head, regression, run

from offby import Bins, decode

BINS = Bins.uniform(-10, 10, 51)
NAMES = (*LOSSES, "MSE, returns")


# %% The returns
def returns(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """States, a return of each, and its expectation."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(n, 8, generator=generator)
    size = torch.exp(1.5 + states[:, 0] + 0.5 * states[:, 1])
    sign = torch.tanh(2 * states[:, 2])
    noise = torch.exp(0.8 * torch.randn(n, generator=generator) - 0.32)
    return states, sign * size * noise, sign * size


# %% The network, and what it is trained for
def network(outputs: int) -> torch.nn.Module:
    """Two hidden layers."""
    return torch.nn.Sequential(
        torch.nn.Linear(8, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, outputs),
    )


def head_of(name: str, seen: torch.Tensor) -> Head:
    """The losses of all jobs on symlog of the returns; atoms mean their mean return."""
    symlog, symexp = decode.symlog, decode.symexp
    if name == "MSE, returns":
        return regression(seen)
    if name.startswith("MSE"):
        return regression(seen, scaled="scaled" in name, to=symlog, back=symexp)
    loss = head(name, BINS, symlog(seen)).loss
    return Head(
        51,
        lambda z, y: loss(z, symlog(y)),
        lambda z: decode.mean(z, BINS, transform=symexp),
    )


def judge(head: Head, out: torch.Tensor, mean: torch.Tensor) -> list[float]:
    """Error of the mean return, and of the mean taken before the way back."""
    safe = head.number(out)
    back = safe if out.shape[1] == 1 else decode.symexp(decode.mean(out, BINS))
    return [(guess - mean).square().mean().sqrt().item() for guess in (safe, back)]


# %% Training under each loss
def main(
    seeds: int,
    epochs: int,
    rows: int = 4000,
    rates: Sequence[float] = RATES,
    losses: Sequence[str] = NAMES,
) -> Outcome:
    """Trains each loss on each seed and prints the table."""

    def split(seed: int) -> Rows:
        states, values, expected = returns(rows, seed)
        cut = rows * 2 // 3
        return Rows(states[:cut], values[:cut], states[cut:], expected[cut:])

    job = Job(
        title="mean return",
        scores={"RMSE": False, "RMSE, not safe": False},
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
    parser.add_argument("--epochs", type=int, default=15)
    main(**vars(parser.parse_args()))
