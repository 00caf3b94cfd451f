"""What the four jobs share: the losses of their tables, training, and the table itself.

The jobs: shapes_of_digits.py, rotated_digits.py,
depth_in_bins.py and value_head.py.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from offby import Bins, nn, targets

LOSSES = ("ce", "emd2", "cce", "ce+emd2", "crps", "hl_gauss", "MSE")


def criterion_of(name: str, bins: Bins) -> Callable[[Tensor, Tensor], Tensor]:
    """Loss of a batch of logits (bins on axis 1) against numbers."""
    ground = bins.line().normalized()
    if name == "crps":
        return nn.HistogramCRPSLoss(bins)
    if name == "hl_gauss":
        ce = nn.CrossEntropyLoss()
        return lambda z, y: ce(z, targets.hl_gauss(y, bins).movedim(-1, 1))
    if name == "MSE":
        return lambda z, y: torch.nn.functional.mse_loss(z.squeeze(1), y)
    criterion = {
        "ce": nn.CrossEntropyLoss(),
        "emd2": nn.SquaredEMDLoss(ground),
        "cce": nn.CumulativeCrossEntropyLoss(ground),
        "ce+emd2": nn.MixedLoss(
            [(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss(ground))],
            balance="push",
        ),
    }[name]
    return lambda z, y: criterion(z, bins.index(y))


def train(
    network: torch.nn.Module,
    criterion: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    *,
    epochs: int,
    rate: float = 3e-3,
) -> None:
    """Adam with a cosine, which brings losses of any scale to rest."""
    step = torch.optim.Adam(network.parameters(), lr=rate)
    batches = -(-len(x) // 64) * epochs
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(step, batches)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            step.zero_grad()
            criterion(network(x[rows]), y[rows]).backward()
            step.step()
            slower.step()


def table(
    title: str, columns: tuple[str, ...], rows: dict[str, list[list[float]]]
) -> None:
    """Mean of each score over the seeds; the best of a column is marked."""
    means = {
        name: [sum(column) / len(column) for column in zip(*found, strict=True)]
        for name, found in rows.items()
    }
    higher = [column.endswith("%") for column in columns]
    best = [
        (max if up else min)(scores[k] for scores in means.values())
        for k, up in enumerate(higher)
    ]
    print(f"{title}\n")
    print(f"{'loss':10s}" + "".join(f"{column:>16s}" for column in columns))
    for name, scores in means.items():
        cells = (
            f"{score:.3f}{'*' if score == top else ' '}"
            for score, top in zip(scores, best, strict=True)
        )
        print(f"{name:10s}" + "".join(f"{cell:>16s}" for cell in cells))
    print("\n* best of its column")
