"""Several processes train the same network as one process would.

    torchrun --nproc-per-node 2 examples/several_processes.py
    python examples/several_processes.py

Both print the same scores and the same checksum of the weights. The criterion has class
weights, and some rows are ignored: so each process has rows of another total weight,
and the average of their means would be another loss. `mean_over_processes` divides by
the weight of all rows. The scores are those of `offby.integrations.torchmetrics`, which
add up over processes.
"""

import argparse
import os
from datetime import timedelta

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from offby import nn
from offby.integrations.torchmetrics import (
    QuadraticWeightedKappa,
    RankedProbabilityScore,
)

CLASSES = 5
IGNORED = -100


# %% The rows
def rows(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs, and ordered classes of which some are not known."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 4, generator=generator)
    score = x @ torch.tensor([1.0, -0.5, 0.3, 0.0])
    noise = 0.5 * torch.randn(n, generator=generator)
    y = torch.bucketize(score + noise, torch.tensor([-1.0, 0.0, 0.4, 1.5]))
    # More of them among the first rows: no two processes have the same number.
    unknown = torch.rand(n, generator=generator) < torch.linspace(0.6, 0.0, n)
    return x, y.where(~unknown, IGNORED)


# %% Training
def main(steps: int = 20, batch: int = 64, exact: bool = True) -> dict[str, float]:
    """Trains on this process's share of each batch; gives the scores of all."""
    several = "WORLD_SIZE" in os.environ
    if several:
        # Whoever waits for a process that has died is told so after two minutes.
        distributed.init_process_group("gloo", timeout=timedelta(minutes=2))
    rank = distributed.get_rank() if several else 0
    world = distributed.get_world_size() if several else 1
    x, y = rows(256)
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, CLASSES)
    ).double()
    model = DistributedDataParallel(network) if several else network
    weight = [1.0, 2.0, 4.0, 2.0, 1.0]
    criterion = nn.SquaredEMDLoss(weight=weight, reduction="sum" if exact else "mean")
    step = torch.optim.SGD(model.parameters(), lr=0.3)
    for k in range(steps):
        whole = torch.arange(k * batch, (k + 1) * batch) % len(x)
        mine = whole.chunk(world)[rank]
        logits = model(x[mine].double())
        if exact:
            loss = nn.mean_over_processes(criterion, logits, y[mine])
        else:
            loss = criterion(logits, y[mine])
        step.zero_grad()
        loss.backward()
        step.step()
    rps = RankedProbabilityScore(CLASSES, from_logits=True, ignore_index=IGNORED)
    kappa = QuadraticWeightedKappa(CLASSES, ignore_index=IGNORED)
    with torch.no_grad():
        mine = torch.arange(len(x)).chunk(world)[rank]
        logits = model(x[mine].double())
        rps.update(logits, y[mine])
        kappa.update(logits.softmax(1), y[mine])
    total = sum(each.detach().abs().sum() for each in network.parameters())
    found = {"rps": rps.compute(), "kappa": kappa.compute(), "weights": total}
    found = {name: float(value) for name, value in found.items()}
    if rank == 0:
        print(" ".join(f"{name} {value:.12f}" for name, value in found.items()))
    if several:
        # In this order: a model that is the last to hold its process group ends the
        # group's threads while they wait for Python, and so never ends itself.
        del model
        distributed.destroy_process_group()
    return found


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument(
        "--mean-of-each", action="store_true", help="what goes wrong without the recipe"
    )
    given = parser.parse_args()
    main(given.steps, exact=not given.mean_of_each)
