"""Training: many small networks at once, each as if it were alone."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from offby import losses
from offby.bins import Bins
from offby.grounds import Line
from offby.losses.registry import Labels, NamedLoss


@dataclass(frozen=True)
class Settings:
    """How a network is built and trained."""

    hidden_layer_sizes: tuple[int, ...] = (128, 128)
    learning_rate_init: float = 1e-3
    weight_decay: float = 1e-3
    batch_size: int | Literal["auto"] = "auto"
    max_iter: int = 200
    n_iter_no_change: int = 16
    validation_fraction: float = 0.15


@dataclass(frozen=True, eq=False)
class Task:
    """What one network learns from."""

    inputs: Tensor
    """Rows x features, float32."""
    index: Tensor
    """Class or bin of each row."""
    value: Tensor | None
    """The numbers themselves, if the classes are bins."""
    line: Line
    bins: Bins | None
    seed: int
    sample_weight: Tensor | None = None
    groups: Tensor | None = None
    """Group of each row: none is learned from and held out."""
    time: Tensor | None = None
    """When each row came: the latest are held out."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network: the best weights by its validation score, and how it went."""

    weights: tuple[Tensor, ...]
    best_epoch: int
    curve: tuple[float, ...]
    """Validation score before training and after each epoch."""
    snapshots: dict[int, tuple[Tensor, ...]] = field(default_factory=dict)
    """Weights at epoch 0, 1, 2, 4, 8, ..."""

    def logits(self, inputs: Tensor) -> Tensor:
        """Raw output of the network with its best weights."""
        return forward(self.weights, inputs)


def forward(weights: Sequence[Tensor], inputs: Tensor) -> Tensor:
    """Output of one network, or of a stack of networks, each on its own inputs."""
    hidden = inputs
    for i in range(0, len(weights), 2):
        if i:
            hidden = hidden.relu()
        bias = weights[i + 1]
        hidden = hidden @ weights[i] + (bias[:, None] if bias.ndim == 2 else bias)
    return hidden


def score_of(labels: Labels, logits: Tensor) -> Tensor:
    """The common score: CRPS where there are numbers, else the ranked probability."""
    if labels.bins is not None:
        assert labels.value is not None
        return losses.histogram_crps(logits, labels.value, labels.bins)
    return losses.squared_emd(logits, labels.index, labels.line)


def train(
    tasks: Sequence[Task],
    loss: NamedLoss,
    settings: Settings,
    *,
    stop_on: Literal["score", "own"] = "score",
) -> list[Trained]:
    """Train one network per task, all in one batch of matrix products.

    Every network draws its inner split, first weights and order of rows from a
    generator of its own, and stops by itself: its result does not depend on the rest.

    Args:
        tasks: Same number of features and classes in all of them.
        loss: What the training minimizes.
        settings: Size of the networks and rules of the training.
        stop_on: What the inner validation rows are judged by: the common score (RPS or
            CRPS) or the loss itself.
    """
    # One matrix product takes batches of one size only.
    crowds: dict[int, list[_Member]] = defaultdict(list)
    members = [_Member(task, settings) for task in tasks]
    for member in members:
        crowds[member.batch_size].append(member)
    for crowd in crowds.values():
        _Crowd(crowd, loss, settings, stop_on).run()
    return [member.trained() for member in members]


class _Crowd:
    """The state of a batch of networks in training."""

    def __init__(self, members, loss, settings, stop_on) -> None:
        self.loss, self.settings, self.stop_on = loss, settings, stop_on
        self.members: list[_Member] = members
        self.weights = [
            torch.stack(parts).requires_grad_()
            for parts in zip(*(member.first for member in self.members), strict=True)
        ]
        self.moments = [
            (torch.zeros_like(w), torch.zeros_like(w)) for w in self.weights
        ]

    def run(self) -> None:
        for epoch in range(self.settings.max_iter + 1):
            if epoch:
                self._one_epoch(epoch)
            self._judge(epoch)
            self._send_home()
            if not self.members:
                break

    def _one_epoch(self, epoch: int) -> None:
        orders = [member.order() for member in self.members]
        steps = [len(order) for order in orders]
        for step in range(max(steps)):
            batch = [order[step % len(order)] for order in orders]
            active = torch.tensor([step < n for n in steps])
            self._one_step(batch, active)

    def _one_step(self, batch: list[Tensor], active: Tensor) -> None:
        inputs = torch.stack(
            [m.inputs[rows] for m, rows in zip(self.members, batch, strict=True)]
        )
        logits = forward(self.weights, inputs)
        total = torch.zeros(())
        for alike in self._alike():
            rows = [batch[place] for place in alike]
            labels = _stacked(
                [
                    self.members[place].labels(r)
                    for place, r in zip(alike, rows, strict=True)
                ]
            )
            weight = torch.stack(
                [
                    self.members[place].row_weight[r]
                    for place, r in zip(alike, rows, strict=True)
                ]
            )
            value = self.loss.rows(logits[alike], labels)
            total = total + ((value * weight).sum(-1) / weight.sum(-1)).sum()
        grads = torch.autograd.grad(total, self.weights)
        self._adam(grads, active)

    def _alike(self) -> list[list[int]]:
        """Places of the networks that share a line and a grid, and so a call."""
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place, member in enumerate(self.members):
            groups[id(member.task.line), id(member.task.bins)].append(place)
        return list(groups.values())

    @torch.no_grad()
    def _adam(self, grads: Sequence[Tensor], active: Tensor) -> None:
        """AdamW; each network has a step count of its own."""
        beta1, beta2, eps = 0.9, 0.999, 1e-8
        for member, on in zip(self.members, active.tolist(), strict=True):
            member.steps += on
        t = torch.tensor([float(member.steps) for member in self.members])
        rate = torch.full_like(t, self.settings.learning_rate_init) * active
        parts = zip(self.weights, grads, self.moments, strict=True)
        for w, g, (first, second) in parts:
            column = (-1,) + (1,) * (w.ndim - 1)
            lr, on = rate.view(column), active.view(column)
            first.copy_(torch.where(on, first.lerp(g, 1 - beta1), first))
            second.copy_(torch.where(on, second.lerp(g * g, 1 - beta2), second))
            size = (second / (1 - beta2**t).view(column)).sqrt() + eps
            w -= lr * (first / (1 - beta1**t).view(column) / size)
            if w.ndim == 3:
                w -= lr * self.settings.weight_decay * w

    @torch.no_grad()
    def _judge(self, epoch: int) -> None:
        for row, member in enumerate(self.members):
            own = tuple(w[row].clone() for w in self.weights)
            logits = forward(own, member.inputs[member.held_out])
            labels = member.labels(member.held_out)
            judged = (
                self.loss.rows(logits, labels)
                if self.stop_on == "own"
                else score_of(labels, logits)
            )
            member.note(epoch, member.mean(judged.double()), own)

    def _send_home(self) -> None:
        stay = [row for row, member in enumerate(self.members) if not member.done]
        if len(stay) == len(self.members):
            return
        self.members = [self.members[row] for row in stay]
        self.weights = [w.detach()[stay].requires_grad_() for w in self.weights]
        self.moments = [(a[stay], b[stay]) for a, b in self.moments]


class _Member:
    """One network of the batch: its data, its generator, its record."""

    def __init__(self, task: Task, settings: Settings) -> None:
        self.task, self.settings = task, settings
        self.inputs = task.inputs
        self.generator = torch.Generator().manual_seed(task.seed)
        n = len(task.index)
        weight = task.sample_weight
        self.row_weight = torch.ones(n) if weight is None else weight.float()
        fraction = settings.validation_fraction
        self.learned, self.held_out = inner_split(
            n, fraction, self.generator, groups=task.groups, time=task.time
        )
        self.batch_size = batch_size(len(self.learned), settings.batch_size)
        self.first = self._first_weights()
        self.best, self.best_score, self.best_epoch = self.first, math.inf, 0
        self.curve: list[float] = []
        self.snapshots: dict[int, tuple[Tensor, ...]] = {}
        self.steps = 0
        self.done = False

    def _first_weights(self) -> tuple[Tensor, ...]:
        widths = [
            self.inputs.shape[1],
            *self.settings.hidden_layer_sizes,
            self.task.line.n_classes,
        ]
        weights = []
        for n_in, n_out in pairwise(widths):
            bound = 1 / math.sqrt(max(n_in, 1))
            for shape in ((n_in, n_out), (n_out,)):
                draw = torch.rand(shape, generator=self.generator)
                weights.append((2 * draw - 1) * bound)
        return tuple(weights)

    def labels(self, rows: Tensor) -> Labels:
        task = self.task
        value = None if task.value is None else task.value[rows]
        return Labels(task.index[rows], task.line, value, task.bins)

    def order(self) -> list[Tensor]:
        """Batches of one epoch, all of one size: the last starts over."""
        n, size = len(self.learned), self.batch_size
        shuffled = self.learned[torch.randperm(n, generator=self.generator)]
        n_batches = max(1, round(n / size))
        return [
            shuffled[torch.arange(i * size, (i + 1) * size) % n]
            for i in range(n_batches)
        ]

    def mean(self, judged: Tensor) -> float:
        """Of the scores of the held-out rows, weighted as the rows are."""
        if self.task.sample_weight is None:
            return float(judged.mean())
        weight = self.row_weight[self.held_out].double()
        # Rows that do not count are better than none.
        weight = weight if weight.sum() > 0 else torch.ones_like(weight)
        return float((judged * weight).sum() / weight.sum())

    def note(self, epoch: int, score: float, weights: tuple[Tensor, ...]) -> None:
        self.curve.append(score)
        if epoch & (epoch - 1) == 0:
            self.snapshots[epoch] = weights
        if score < self.best_score:
            self.best, self.best_score, self.best_epoch = weights, score, epoch
        patience = self.settings.n_iter_no_change
        self.done = epoch - self.best_epoch >= patience

    def trained(self) -> Trained:
        return Trained(self.best, self.best_epoch, tuple(self.curve), self.snapshots)


def _stacked(labels: Sequence[Labels]) -> Labels:
    """Labels of several networks on the same line and grid, as one batch."""
    first = labels[0]
    index = torch.stack([each.index for each in labels])
    values = [each.value for each in labels if each.value is not None]
    return Labels(
        index, first.line, torch.stack(values) if values else None, first.bins
    )


def inner_split(
    n_rows: int,
    validation_fraction: float,
    generator: torch.Generator,
    *,
    groups: Tensor | None = None,
    time: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Rows to learn from, and rows held out to say when to stop.

    Held out is what the network is to meet: rows of other groups, or later rows. The
    rows of one group, or of one time, stay on one side; if there is no other, any row
    may be held out.
    """
    # So few rows that none can be spared are judged by themselves.
    n_held_out = math.ceil(validation_fraction * n_rows) if n_rows > 3 else 0
    held_out = None
    if n_held_out and time is not None:
        held_out = _latest(time, n_held_out)
    elif n_held_out and groups is not None:
        held_out = _whole_groups(groups, n_held_out, generator)
    if held_out is not None:
        return torch.nonzero(~held_out)[:, 0], torch.nonzero(held_out)[:, 0]
    shuffled = torch.randperm(n_rows, generator=generator)
    if not n_held_out:
        return shuffled, shuffled
    return shuffled[n_held_out:], shuffled[:n_held_out]


def _latest(time: Tensor, wanted: int) -> Tensor | None:
    """Which rows came last: as near to so many as whole times allow."""
    times, counts = time.unique(return_counts=True)
    if len(times) == 1:
        return None
    later = len(time) - counts.cumsum(0)[:-1]
    return time > times[(later - wanted).abs().argmin()]


def _whole_groups(
    groups: Tensor, wanted: int, generator: torch.Generator
) -> Tensor | None:
    """Rows of groups drawn at random: at most so many, but at least one group's."""
    _, code, counts = groups.unique(return_inverse=True, return_counts=True)
    if len(counts) == 1:
        return None
    sizes, drawn, n_rows = counts.tolist(), [], 0
    for group in torch.randperm(len(sizes), generator=generator).tolist():
        if n_rows + sizes[group] <= wanted:
            drawn.append(group)
            n_rows += sizes[group]
    return torch.isin(code, torch.tensor(drawn or [int(counts.argmin())]))


def batch_size(n_rows: int, wanted: int | Literal["auto"]) -> int:
    """Rows in a step: about 24 steps an epoch, in batches large enough to be quick."""
    if wanted != "auto":
        return min(wanted, n_rows)
    return min(n_rows, max(32, min(512, 2 ** round(math.log2(max(n_rows, 1) / 24)))))


def balanced_line(bins: Bins, index: Tensor) -> Line:
    """The bins as classes, in a unit that gives the terms of a sum the same say.

    In it, forecasting the frequencies of the bins costs as much under the squared EMD
    as under cross-entropy; so `ce+emd2` means the same whatever the unit of the target.
    """
    share = torch.bincount(index, minlength=bins.n_bins).double() / len(index)
    if int((share > 0).sum()) < 2:
        return bins.line()
    logits = share.log()
    ce = losses.cross_entropy(logits, share)
    each = torch.arange(bins.n_bins)
    emd2 = losses.squared_emd(logits.expand(len(each), -1), each, bins.line()) @ share
    return Line(bins.centers * float(ce / emd2))


def child_seed(*numbers: int) -> int:
    """A seed of its own for every combination of numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
