"""Fine-tune logits over borders, as those of TabPFN, for the score that matters.

    python examples/finetune_bars.py

A network with the output of TabPFN, logits over bars with half-normal tails, is trained
on half of the training rows by the log density, as TabPFN was. From there each
criterion goes on, from the same weights and on the same batches: the log density, the
exact CRPS, the squared EMD of the bars, and log density + CRPS. The data are the 442
patients of scikit-learn's diabetes set. With TabPFN installed, `bins_of(criterion)` in
place of `bins_of(borders)` and its logits in place of the network's are all that
changes; weights are not needed here.
"""

import argparse
import copy

import torch
from sklearn.datasets import load_diabetes
from torch import Tensor

from offby import Bins, nn
from offby.integrations.tabpfn import bins_of, from_tabpfn

BARS = 200


# %% The criteria
def criteria(bins: Bins) -> dict[str, torch.nn.Module]:
    return {
        "log density": nn.HistogramNLLLoss(bins),
        "CRPS": nn.HistogramCRPSLoss(bins),
        "squared EMD": nn.SquaredEMDLoss(bins.line()),
        "log density + CRPS": nn.MixedLoss(
            [(1.0, nn.HistogramNLLLoss(bins)), (1.0, nn.HistogramCRPSLoss(bins))]
        ),
    }


# %% Training
def train(
    network: torch.nn.Module,
    criterion: torch.nn.Module,
    rows: tuple[Tensor, Tensor],
    bins: Bins,
    epochs: int,
    rate: float,
) -> torch.nn.Module:
    x, y = rows
    # The squared EMD is a loss of classes, the others are of numbers.
    target = bins.index(y) if isinstance(criterion, nn.SquaredEMDLoss) else y
    step = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(32):
            step.zero_grad()
            criterion(network(x[batch]), target[batch]).backward()
            step.step()
    return network


# %% Before and after
def main(seeds: int = 5, epochs: int = 15) -> dict[str, list[dict[str, float]]]:
    """Prints the means over the seeds, and gives all scores."""
    x, y = (torch.tensor(part).float() for part in load_diabetes(return_X_y=True))
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        torch.manual_seed(seed)
        order = torch.randperm(len(y))
        first, second, test = order[:165], order[165:330], order[330:]
        train_rows = order[:330]
        mean, std = x[train_rows].mean(0), x[train_rows].std(0)
        inputs = (x - mean) / std
        center, scale = y[train_rows].mean(), y[train_rows].std()
        target = (y - center) / scale  # as TabPFN has it
        borders = torch.quantile(
            torch.randn(20_000).double() * 1.2, torch.linspace(0, 1, BARS + 1).double()
        )
        bins = bins_of(borders)
        network = torch.nn.Sequential(
            torch.nn.Linear(10, 64), torch.nn.ReLU(), torch.nn.Linear(64, BARS)
        )
        names = criteria(bins)
        train(
            network,
            names["log density"],
            (inputs[first], target[first]),
            bins,
            epochs,
            1e-3,
        )
        candidates = {"before": network}
        for name, criterion in names.items():
            torch.manual_seed(seed)
            candidates[name] = train(
                copy.deepcopy(network),
                criterion,
                (inputs[second], target[second]),
                bins,
                epochs,
                3e-4,
            )
        for name, model in candidates.items():
            with torch.no_grad():
                forecast = from_tabpfn(model(inputs[test]), borders)
            truth = target[test].double().numpy()
            scores = {
                "CRPS": float(scale * forecast.crps(truth).mean()),
                "log score": -float(forecast.log_pdf(truth).mean()),
                "RMSE": float(scale * ((forecast.mean() - truth) ** 2).mean() ** 0.5),
            }
            found.setdefault(name, []).append(scores)
    columns = list(found["before"][0])
    print(f"{'fine-tuned with':20s}" + "".join(f"{name:>11s}" for name in columns))
    for name, runs in found.items():
        means = [sum(run[column] for run in runs) / len(runs) for column in columns]
        print(f"{name:20s}" + "".join(f"{value:11.3f}" for value in means))
    return found


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=15)
    main(**vars(parser.parse_args()))
