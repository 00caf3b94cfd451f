"""Training one network, of whatever kind, to its best epoch."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from joblib import effective_n_jobs
from torch import Tensor, nn

from offby.losses.registry import Labels, NamedLoss
from offby.tabular.training import Task, batch_size, inner_split, score_of


@dataclass(frozen=True)
class Plan:
    """How a network is trained."""

    learning_rate_init: float = 1e-3
    weight_decay: float = 1e-2
    batch_size: int | Literal["auto"] = "auto"
    max_iter: int = 200
    n_iter_no_change: int = 16
    max_time: float | None = None
    """Seconds after which no further epoch begins."""


@dataclass(frozen=True)
class Course:
    """How a training went."""

    best_epochs: tuple[int, ...]
    """Of each bag: the epoch whose weights are kept."""
    curve: tuple[float, ...]
    """Validation score before training and after each epoch, mean over the bags."""


def splits(
    n_rows: int, n_bags: int, validation_fraction: float, generator: torch.Generator
) -> list[tuple[Tensor, Tensor]]:
    """Rows to learn from and rows held out, for each bag.

    A single bag holds out the share asked for; several hold out every row once.
    """
    if n_bags == 1:
        return [inner_split(n_rows, validation_fraction, generator)]
    shuffled = torch.randperm(n_rows, generator=generator)
    parts = [shuffled[bag::n_bags] for bag in range(n_bags)]
    return [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(n_bags)]


def learn(
    network: nn.Module,
    task: Task,
    cuts: Sequence[tuple[Tensor, Tensor]],
    loss: NamedLoss,
    plan: Plan,
    *,
    generator: torch.Generator,
    note: Callable[[int, float], None] = lambda epoch, score: None,
) -> Course:
    """Train in place, and leave the weights of each bag at its best epoch.

    Args:
        network: Maps (bags, rows, features) to (bags, members, rows, classes).
        task: The rows; on the device of the network.
        cuts: Rows to learn from and rows held out, for each bag.
        loss: What the training minimizes; what stops it is the RPS or CRPS of the
            mean forecast of a bag's members on its held-out rows.
        plan: Rules of the training.
        generator: Where the order of rows comes from.
        note: Called after each epoch with its number and score.
    """
    started = time.monotonic()
    weight = _weights(task)
    optimizer = _optimizer(network, plan)
    best = [math.inf] * len(cuts)
    best_epochs, curve = [0] * len(cuts), []
    kept = _copied(network, len(cuts))
    for epoch in range(plan.max_iter + 1):
        if epoch:
            _one_epoch(network, task, weight, cuts, loss, plan, optimizer, generator)
        scores = _scores(network, task, weight, [held for _, held in cuts])
        for bag, score in enumerate(scores):
            if score < best[bag]:
                best[bag], best_epochs[bag] = score, epoch
                _keep(kept, network, bag, len(cuts))
        curve.append(sum(scores) / len(scores))
        note(epoch, curve[-1])
        late = plan.max_time and time.monotonic() - started > plan.max_time
        if late or all(epoch - at >= plan.n_iter_no_change for at in best_epochs):
            break
    _restore(network, kept, len(cuts))
    return Course(tuple(best_epochs), tuple(curve))


def advance(
    network: nn.Module,
    task: Task,
    epochs: Sequence[int],
    loss: NamedLoss,
    plan: Plan,
    *,
    generator: torch.Generator,
) -> None:
    """Train each bag in place on all rows for its epochs, with nothing to stop it."""
    everything = torch.arange(len(task.index))
    cuts = [(everything, everything)] * len(epochs)
    optimizer, weight = _optimizer(network, plan), _weights(task)
    kept = _copied(network, len(cuts))
    for epoch in range(1, max(epochs) + 1):
        _one_epoch(network, task, weight, cuts, loss, plan, optimizer, generator)
        for bag, last in enumerate(epochs):
            if epoch == last:
                _keep(kept, network, bag, len(cuts))
    _restore(network, kept, len(cuts))


def _weights(task: Task) -> Tensor:
    if task.sample_weight is None:
        return torch.ones(len(task.index), device=task.index.device)
    return task.sample_weight.float()


@contextmanager
def threads(n_jobs: int | None) -> Iterator[None]:
    """Threads of the matrix products: one for None, one per core for -1.

    With one thread the result is the same to the last bit wherever it is computed.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(effective_n_jobs(1 if n_jobs is None else n_jobs))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _optimizer(network: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    named = list(network.named_parameters())
    # Only what multiplies is pulled towards zero, not offsets and scales.
    decays = [p for name, p in named if _is_matrix(name, p)]
    others = [p for name, p in named if not _is_matrix(name, p)]
    return torch.optim.AdamW(
        [
            {"params": decays, "weight_decay": plan.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=plan.learning_rate_init,
        fused=True,
    )


def _is_matrix(name: str, parameter: Tensor) -> bool:
    return parameter.ndim >= 2 and not name.startswith(
        ("biases", "after", "before", "offset")
    )


def _one_epoch(network, task, weight, cuts, loss, plan, optimizer, generator) -> None:
    network.train()
    size = batch_size(min(len(learned) for learned, _ in cuts), plan.batch_size)
    orders = [
        learned[torch.randperm(len(learned), generator=generator)]
        for learned, _ in cuts
    ]
    n_batches = max(1, round(min(map(len, orders)) / size))
    for step in range(n_batches):
        # The last batch starts over where rows run out.
        window = torch.arange(step * size, (step + 1) * size)
        rows = torch.stack([order[window % len(order)] for order in orders])
        logits = network(task.inputs[rows])
        value = loss.rows(logits, _labels(task, rows, logits.shape[1]))
        share = weight[rows][:, None].expand_as(value)
        total = share.sum((1, 2))
        # A batch of weightless rows teaches nothing.
        mean = (value * share).sum((1, 2)) / total.where(total > 0, 1)
        optimizer.zero_grad()
        mean.sum().backward()
        optimizer.step()


def _labels(task: Task, rows: Tensor, n_members: int | None = None) -> Labels:
    """Labels of the rows, repeated for each member."""
    index = task.index[rows]
    value = None if task.value is None else task.value[rows]
    if n_members is not None:
        shape = (len(rows), n_members, rows.shape[1])
        index = index[:, None].expand(shape)
        value = None if value is None else value[:, None].expand(shape)
    return Labels(index, task.line, value, task.bins)


@torch.no_grad()
def _scores(network, task, weight, held_out: Sequence[Tensor]) -> list[float]:
    """Score of the mean forecast of each bag on its held-out rows."""
    network.eval()
    longest = max(map(len, held_out))
    window = torch.arange(longest)
    rows = torch.stack([held[window % len(held)] for held in held_out])
    parts = rows.split(rows_at_once(task.inputs.shape[1]), 1)
    forecasts = [pooled(network(task.inputs[part])) for part in parts]
    judged = score_of(_labels(task, rows), torch.cat(forecasts, 1))
    scores = []
    for bag, held in enumerate(held_out):
        share = weight[held].double()
        share = share if share.sum() > 0 else torch.ones_like(share)
        values = judged[bag, : len(held)].double()
        scores.append(float((values * share).sum() / share.sum()))
    return scores


def rows_at_once(n_inputs: int) -> int:
    """Rows of that many encoded inputs to forecast at once, to be quick and small."""
    return max(16, min(1024, 2**20 // max(n_inputs, 1)))


def pooled(logits: Tensor) -> Tensor:
    """Log of the mean probability of the members: bags x rows x classes."""
    return logits.log_softmax(-1).logsumexp(1) - math.log(logits.shape[1])


def _state(network: nn.Module, n_bags: int) -> list[Tensor]:
    """What training changes: weights, and the buffers of a user's own module.

    The buffers of several bags are constants.
    """
    buffers = network.buffers() if n_bags == 1 else ()
    return [*network.parameters(), *buffers]


def _copied(network: nn.Module, n_bags: int) -> list[Tensor]:
    return [part.detach().clone() for part in _state(network, n_bags)]


@torch.no_grad()
def _restore(network: nn.Module, kept: list[Tensor], n_bags: int) -> None:
    """Give the network a remembered state, ready for use."""
    for part, value in zip(_state(network, n_bags), kept, strict=True):
        part.copy_(value)
    network.eval()


def _keep(kept: list[Tensor], network: nn.Module, bag: int, n_bags: int) -> None:
    """Remember the state of a bag; without bags, all of it."""
    for store, part in zip(kept, _state(network, n_bags), strict=True):
        if n_bags == 1:
            store.copy_(part.detach())
        else:
            store[bag] = part.detach()[bag]
