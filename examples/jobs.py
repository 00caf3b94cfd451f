"""What the four jobs share: losses, how their learning rates are chosen, and the table.

The jobs: shapes_of_digits.py, rotated_digits.py, depth_in_bins.py and value_head.py.

Adam's best learning rate differs between losses. So each loss may choose among the same
four rates, by the first score of the table on a quarter of the training rows of the
first seed, which it has not trained on. Then it trains on all training rows, once for
each seed, and is judged on the test rows, which no choice has seen.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from offby import Bins, decode, nn, targets

LOSSES = ("ce", "emd2", "cce", "ce+emd2", "crps", "hl_gauss", "MSE", "MSE, scaled")
RATES = (1e-3, 3e-3, 1e-2, 3e-2)


# %% What a network is trained for
class Head(NamedTuple):
    """Outputs of the network, the loss of a batch of them, and the number they mean."""

    outputs: int
    loss: Callable[[Tensor, Tensor], Tensor]
    number: Callable[[Tensor], Tensor]


def head(name: str, bins: Bins, seen: Tensor) -> Head:
    """Of one of LOSSES, over bins on axis 1; a forecast in bins means its median.

    "MSE, scaled" is one output for the number less the mean of the `seen` ones, over
    their standard deviation: PyTorch begins near 0, where a plain number need not be.
    """
    if name == "MSE":
        return regression(seen, scaled=False)
    if name == "MSE, scaled":
        return regression(seen)
    return Head(
        bins.n_bins, _over_bins(name, bins), lambda z: decode.median(z, bins, dim=1)
    )


def regression(
    seen: Tensor,
    *,
    scaled: bool = True,
    to: Callable[[Tensor], Tensor] = lambda y: y,
    back: Callable[[Tensor], Tensor] = lambda y: y,
) -> Head:
    """One output under the squared error, on the scale `to`, and `back` from it."""
    std, mean = torch.std_mean(to(seen)) if scaled else (1.0, 0.0)
    return Head(
        1,
        lambda z, y: torch.nn.functional.mse_loss(z.squeeze(1), (to(y) - mean) / std),
        lambda z: back(z.squeeze(1) * std + mean),
    )


def _over_bins(name: str, bins: Bins) -> Callable[[Tensor, Tensor], Tensor]:
    ground = bins.line().normalized()
    if name == "crps":
        return nn.HistogramCRPSLoss(bins)
    if name == "hl_gauss":
        ce = nn.CrossEntropyLoss()
        return lambda z, y: ce(z, targets.hl_gauss(y, bins).movedim(-1, 1))
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


# %% A job, and its training under each loss
class Rows(NamedTuple):
    """Inputs and numbers to train on; inputs and the truth to be judged on."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    truth: Tensor


class Job(NamedTuple):
    """One table."""

    title: str
    scores: dict[str, bool]
    """Name of each score, and whether more is better; the first chooses the rate."""
    losses: Sequence[str]
    rows: Callable[[int], Rows]
    """Of a seed."""
    network: Callable[[int], torch.nn.Module]
    """With that many outputs."""
    head: Callable[[str, Tensor], Head]
    """Of a loss, and the numbers that it may look at."""
    judge: Callable[[Head, Tensor, Tensor], list[float]]
    """Scores of the network's outputs against the truth."""


class Found(NamedTuple):
    """What one loss reached."""

    rate: float
    scores: list[list[float]]
    """Of each seed."""


class Outcome(NamedTuple):
    """What a job found: all that its table needs."""

    title: str
    scores: dict[str, bool]
    losses: dict[str, Found]


def run(job: Job, seeds: int, epochs: int, rates: Sequence[float]) -> Outcome:
    """Trains every loss of a job; the table is printed as well."""
    rows = [job.rows(seed) for seed in range(seeds)]
    found = {}
    for name in job.losses:
        rate = _best_rate(job, name, rows[0], epochs, rates)
        scores = [
            _trained(job, name, each, seed, epochs, rate)
            for seed, each in enumerate(rows)
        ]
        found[name] = Found(rate, scores)
    outcome = Outcome(job.title, job.scores, found)
    print(table(outcome))
    return outcome


def _best_rate(
    job: Job, name: str, rows: Rows, epochs: int, rates: Sequence[float]
) -> float:
    cut = len(rows.x) * 3 // 4
    held = Rows(rows.x[:cut], rows.y[:cut], rows.x[cut:], rows.y[cut:])
    (more_is_better, *_) = job.scores.values()

    def badness(rate: float) -> float:
        score = _trained(job, name, held, 0, epochs, rate)[0]
        # A loss that diverged is NaN, which min() would not leave behind.
        return math.inf if math.isnan(score) else -score if more_is_better else score

    return min(rates, key=badness)


def _trained(
    job: Job, name: str, rows: Rows, seed: int, epochs: int, rate: float
) -> list[float]:
    torch.manual_seed(seed)
    head = job.head(name, rows.y)
    network = job.network(head.outputs)
    train(network, head.loss, rows.x, rows.y, epochs=epochs, rate=rate)
    with torch.no_grad():
        return job.judge(head, network(rows.x_test), rows.truth)


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


# %% The table
def table(found: Outcome) -> str:
    """Mean of each score over the seeds, from the least to the largest, in Markdown.

    The best mean of a column is in bold.
    """
    columns = {
        name: [[seed[k] for seed in each.scores] for k in range(len(found.scores))]
        for name, each in found.losses.items()
    }
    means = {
        name: [sum(scores) / len(scores) for scores in each]
        for name, each in columns.items()
    }
    lines = [
        f"| {found.title} | {' | '.join(found.scores)} | rate |",
        f"|---|{'---:|' * (len(found.scores) + 1)}",
    ]
    for name, each in columns.items():
        cells = []
        for k, more in enumerate(found.scores.values()):
            mean = means[name][k]
            best = (max if more else min)(other[k] for other in means.values())
            shown = f"**{mean:#.3g}**" if mean == best else f"{mean:#.3g}"
            cells.append(f"{shown} ({min(each[k]):#.3g} to {max(each[k]):#.3g})")
        lines.append(f"| {name} | {' | '.join(cells)} | {found.losses[name].rate:g} |")
    return "\n".join(lines)
