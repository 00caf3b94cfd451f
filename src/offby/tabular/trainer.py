"""The trainer: many runs at once, each with its rows, its stop and its best weights.

`compare` trains its folds and seeds with it, the estimators their bags. The rate is
constant; what is judged and kept is the average along the path (`PathAverage`).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from offby import losses
from offby.losses.registry import Labels, NamedLoss
from offby.tabular.data import StackedRows
from offby.tabular.forecasts import mean_forecast, rows_at_once
from offby.tabular.networks import NetworkBatch
from offby.tabular.optimizers import AdamW, PathAverage
from offby.tabular.runs import History, Run, TrainerSettings, batch_shape, mean_score

Score = Callable[[Labels, Tensor], Tensor]
"""Score of each row from labels and logits; lower is better."""


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A run of its own, with its best weights."""

    network: NetworkBatch
    history: History


def common_score(labels: Labels, logits: Tensor) -> Tensor:
    """The score that all losses share: CRPS where there are numbers, else the RPS."""
    if labels.bins is not None:
        assert labels.value is not None
        return losses.histogram_crps(logits, labels.value, labels.bins)
    return losses.squared_emd(logits, labels.index, labels.line)


def fit_runs(
    runs: Sequence[Run],
    build: Callable[[Sequence[Run]], NetworkBatch],
    loss: NamedLoss,
    settings: TrainerSettings,
    *,
    score: Score = common_score,
    pool: Callable[[Tensor], Tensor] = mean_forecast,
) -> list[TrainedRun]:
    """Train a network per run: as many at once as batches of one shape allow.

    A run draws from generators of its own and stops by itself: its result does not
    depend on the company, to the last bit.

    Args:
        runs: What to train on.
        build: Makes the untrained networks of some runs.
        loss: What the training minimizes.
        settings: Rules of the training.
        score: What validation rows are judged by: decides when a run stops.
        pool: The forecast of a run from the logits of its members.
    """
    batches: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, run in enumerate(runs):
        shape = run.data.inputs.shape[1], run.data.line.n_classes
        columns = run.data.column_of
        # Networks that scale columns are of one shape if their inputs are of the same.
        of = () if columns is None else tuple(columns.tolist())
        batches[*shape, *batch_shape([run], settings), *of].append(number)
    found: dict[int, TrainedRun] = {}
    for numbers in batches.values():
        members = [runs[number] for number in numbers]
        network = build(members)
        histories = train(network, members, loss, settings, score=score, pool=pool)
        for row, number in enumerate(numbers):
            alone = network if len(numbers) == 1 else build(members[row : row + 1])
            tensors = network.run_tensors()
            alone.set_runs({k: v.detach()[[row]] for k, v in tensors.items()})
            found[number] = TrainedRun(alone.eval(), histories[row])
    return [found[number] for number in range(len(runs))]


def train(
    network: NetworkBatch,
    runs: Sequence[Run],
    loss: NamedLoss,
    settings: TrainerSettings,
    *,
    score: Score = common_score,
    pool: Callable[[Tensor], Tensor] = mean_forecast,
    on_epoch: Callable[[int, float], None] = lambda epoch, score: None,
) -> list[History]:
    """Train a batch of networks in place, and leave each run at its best epoch.

    Args:
        network: One network per run, on the device of the rows.
        runs: What to train on.
        loss: What the training minimizes.
        settings: Rules of the training.
        score: What validation rows are judged by.
        pool: The forecast of a run from the logits of its members.
        on_epoch: Called after each epoch with its number and the mean score.
    """
    started = time.monotonic()
    histories = [History() for _ in runs]
    best = {name: part.detach().clone() for name, part in network.run_tensors().items()}
    training = _Training(network, runs, loss, settings)
    try:
        for epoch in range(settings.max_iter + 1):
            if epoch:
                training.fit_epoch()
            for row, number in enumerate(training.active):
                own = training.average_of(row)
                value = _validation_score(network, own, runs[number], score, pool)
                if histories[number].record_epoch(value):
                    _copy_run(best, number, own)
                if runs[number].keep_snapshots and epoch & (epoch - 1) == 0:
                    histories[number].snapshots[epoch] = own
            on_epoch(epoch, mean_score(histories, epoch))
            training.drop_stopped(
                [each.has_stalled(settings.n_iter_no_change) for each in histories]
            )
            elapsed = time.monotonic() - started
            late = settings.max_time is not None and elapsed > settings.max_time
            if late or not training.active:
                break
    finally:
        network.set_runs(best)
        network.eval()
    return histories


def train_epochs(
    network: NetworkBatch,
    runs: Sequence[Run],
    epochs: Sequence[int],
    loss: NamedLoss,
    settings: TrainerSettings,
) -> None:
    """Train each run in place on its training rows for its number of epochs."""
    last = {name: part.detach().clone() for name, part in network.run_tensors().items()}
    training = _Training(network, runs, loss, settings)
    for epoch in range(max(epochs) + 1):
        if epoch:
            training.fit_epoch()
        for row, number in enumerate(training.active):
            if epochs[number] == epoch:
                _copy_run(last, number, training.average_of(row))
        training.drop_stopped([each <= epoch for each in epochs])
    network.set_runs(last)
    network.eval()


class _Training:
    """A batch of networks in training, of which some may have stopped."""

    def __init__(self, network, runs: Sequence[Run], loss, settings) -> None:
        self.network, self.runs, self.loss = network, runs, loss
        self.optimizer = AdamW(
            network,
            rate=settings.learning_rate_init,
            weight_decay=settings.weight_decay,
        )
        self.average = PathAverage(network)
        self.size, self.n_steps = batch_shape(runs, settings)
        self.order = [run.generator(1) for run in runs]
        self.dropout = [run.generator(2) for run in runs]
        self.active = list(range(len(runs)))
        self.rows = StackedRows.of([run.data for run in runs])

    def fit_epoch(self) -> None:
        """One epoch: each training row once, or nearly so."""
        self.network.train()
        batches = self._batches()
        dropout = [self.dropout[number] for number in self.active]
        for step in range(self.n_steps):
            rows = batches[:, step]
            logits = self.network(self.rows.inputs[rows], dropout)
            value = self._mean_loss(logits, rows)
            self.optimizer.zero_grad()
            value.backward()
            self.optimizer.step()
            self.average.update(self.network)

    def average_of(self, row: int) -> dict[str, Tensor]:
        """The averaged weights of one of the active runs."""
        return {name: part[[row]] for name, part in self.average.tensors.items()}

    def _batches(self) -> Tensor:
        """Rows of each batch of an epoch: runs x steps x batch size."""
        window = torch.arange(self.n_steps * self.size)
        orders = []
        for number in self.active:
            train = self.runs[number].train
            shuffled = train[torch.randperm(len(train), generator=self.order[number])]
            # The last batch starts over where rows run out.
            orders.append(shuffled[window % len(train)] + self.rows.first[number])
        return torch.stack(orders).unflatten(1, (self.n_steps, self.size))

    def _mean_loss(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Weighted mean of the loss over the rows of each run, summed over runs."""
        total = logits.new_zeros(())
        weight = self.rows.weight[rows][:, None].expand(logits.shape[:-1])
        for places, labels in self.rows.labels(rows, self.active, logits.shape[1]):
            part = logits if len(places) == len(logits) else logits[places]
            share = weight[places]
            value = (self.loss.rows(part, labels) * share).sum((1, 2))
            sums = share.sum((1, 2))
            # If all weights of a batch are zero, its loss is zero.
            total = total + (value / sums.where(sums > 0, 1)).sum()
        return total

    def drop_stopped(self, stopped: Sequence[bool]) -> None:
        """Go on without the runs that have stopped."""
        stay = [r for r, number in enumerate(self.active) if not stopped[number]]
        if len(stay) == len(self.active):
            return
        self.active = [self.active[row] for row in stay]
        if stay:
            self.optimizer.keep_runs(stay)
            self.average.keep_runs(stay)


@torch.no_grad()
def _validation_score(
    network: NetworkBatch, tensors: dict[str, Tensor], run: Run, score, pool
) -> float:
    """Weighted mean score of the run's forecast on its validation rows."""
    network.eval()
    # Alone, in batches of its own: a matrix product rounds a row by its company.
    parts = run.validation.split(rows_at_once(run.data.inputs.shape[1]))
    outputs = [
        pool(network.logits_of(tensors, run.data.inputs[part][None]))[0]
        for part in parts
    ]
    values = score(run.data.labels(run.validation), torch.cat(outputs)).double()
    weight = run.data.row_weights()[run.validation].double()
    # Rows that do not count are better than none.
    weight = weight if weight.sum() > 0 else torch.ones_like(weight)
    return float((values * weight).sum() / weight.sum())


def _copy_run(store: dict[str, Tensor], number: int, own: dict[str, Tensor]) -> None:
    for name, part in store.items():
        part[number].copy_(own[name][0])
