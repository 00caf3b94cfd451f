"""Does a histogram head bear noise in its targets better than squared error?

    python examples/noisy_targets.py

Farebrother et al. (2024), Stop Regressing (arXiv:2403.03950), train value functions by
cross-entropy on HL-Gauss targets and find them less disturbed by noisy targets than by
squared error. Here is the claim in small, without reinforcement learning: a network
reads the number from scikit-learn's images of digits, but the numbers that it is taught
carry noise. Noise is normal, or of Student's t with two degrees of freedom, which has
no variance. What counts is the error of the mean against the digit itself on images
that were not seen.
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F

from offby import Bins, decode, losses, targets

BINS = Bins.uniform(-20, 30, 101)
HEADS = ("MSE", "Huber", "HL-Gauss", "two-hot", "CRPS")
NOISE = ("none", "normal, 3", "Student's t, 3")


# %% The noise
def noise(kind: str, n: int, generator: torch.Generator) -> Tensor:
    if kind == "none":
        return torch.zeros(n)
    normal = torch.randn(n, generator=generator)
    if kind.startswith("normal"):
        return 3 * normal
    # Two degrees of freedom: the chi-squared of two is an exponential.
    chi = 2 * torch.empty(n).exponential_(generator=generator)
    return 3 * normal / (chi / 2).sqrt()


# %% The heads
def loss_of(name: str, out: Tensor, y: Tensor) -> Tensor:
    if name in ("MSE", "Huber"):
        return (F.mse_loss if name == "MSE" else F.smooth_l1_loss)(out[:, 0], y)
    # Targets beyond the bins are at their ends, as a value head clips its returns.
    y = y.clamp(BINS.centers[0].item(), BINS.centers[-1].item())
    if name == "CRPS":
        return losses.histogram_crps(out, y, BINS).mean()
    soft = targets.hl_gauss if name == "HL-Gauss" else targets.two_hot
    return losses.cross_entropy(out, soft(y, BINS).to(out)).mean()


# %% Training under each noise
def main(
    seeds: int = 5, epochs: int = 20, rows: int = 1797, first_seed: int = 0
) -> dict[str, list[dict[str, float]]]:
    """Prints the means over the seeds, and gives all scores."""
    x, digit = (
        torch.tensor(part)[:rows].float() for part in load_digits(return_X_y=True)
    )
    found: dict[str, list[dict[str, float]]] = {name: [] for name in HEADS}
    for seed in range(first_seed, first_seed + seeds):
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(x), generator=generator)
        inputs, truth = x[order] / 16, digit[order]
        cut = len(x) * 2 // 3
        taught = {kind: truth[:cut] + noise(kind, cut, generator) for kind in NOISE}
        for name in HEADS:
            single = name in ("MSE", "Huber")
            scores = {}
            for kind, y in taught.items():
                torch.manual_seed(seed)
                network = torch.nn.Sequential(
                    torch.nn.Linear(64, 64),
                    torch.nn.ReLU(),
                    torch.nn.Linear(64, 1 if single else BINS.n_bins),
                )
                step = torch.optim.Adam(network.parameters(), lr=2e-3)
                for _ in range(epochs):
                    for batch in torch.randperm(cut).split(64):
                        step.zero_grad()
                        loss_of(name, network(inputs[batch]), y[batch]).backward()
                        step.step()
                with torch.no_grad():
                    out = network(inputs[cut:])
                    guess = out[:, 0] if single else decode.mean(out, BINS)
                scores[kind] = (guess - truth[cut:]).square().mean().sqrt().item()
            found[name].append(scores)
    print("RMSE of the mean\n")
    print(f"{'head':10s}" + "".join(f"{kind:>16s}" for kind in NOISE))
    for name, runs in found.items():
        means = [sum(run[kind] for run in runs) / len(runs) for kind in NOISE]
        print(f"{name:10s}" + "".join(f"{value:16.2f}" for value in means))
    return found


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    main(**vars(parser.parse_args()))
