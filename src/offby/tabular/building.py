"""The untrained networks of some runs, as the estimators and `compare` train them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from offby.tabular.data import TrainingData
from offby.tabular.modules import Module, wrap_module
from offby.tabular.networks import Ensemble, NetworkBatch
from offby.tabular.runs import Run

HIDDEN_LAYER_SIZES = (128, 128)
"""Widths of the hidden layers, unless others are asked for."""
N_MEMBERS = 8
"""Perceptrons in an ensemble, unless others are asked for."""
N_MEMBERS_OF_BAGS = 4
"""The same, where several bags forecast together."""
_DROPOUT = 0.1


def build_network(
    runs: Sequence[Run],
    *,
    module: Module | None = None,
    n_members: int = N_MEMBERS,
    hidden_layer_sizes: Sequence[int] = HIDDEN_LAYER_SIZES,
) -> NetworkBatch:
    """An ensemble for each run, or a user's module for a single one.

    Args:
        runs: What they will be trained on; all encoded alike.
        module: What the user wants instead of an ensemble.
        n_members: Perceptrons in an ensemble.
        hidden_layer_sizes: Widths of the hidden layers of an ensemble.

    Raises:
        TypeError: If the module is neither a module nor builds one.
        ValueError: If it does not give one logit per class.
    """
    if module is not None:
        (run,) = runs
        seed = int(torch.randint(2**31, (), generator=run.generator()))
        n_features = run.data.inputs.shape[1]
        return wrap_module(module, n_features, run.data.line.n_classes, seed)
    return Ensemble(
        _column_of(runs),
        torch.stack([_log_frequencies(run.data) for run in runs]),
        n_members=n_members,
        hidden_layer_sizes=hidden_layer_sizes,
        dropout=_DROPOUT,
        generators=[run.generator() for run in runs],
    )


def build_regression(
    runs: Sequence[Run],
    start: Tensor,
    *,
    hidden_layer_sizes: Sequence[int] = HIDDEN_LAYER_SIZES,
) -> NetworkBatch:
    """The same ensemble for plain numbers: each output is a number of its own.

    Args:
        runs: What they will be trained on.
        start: What each run forecasts before training: runs x outputs.
        hidden_layer_sizes: Widths of the hidden layers.
    """
    return Ensemble(
        _column_of(runs),
        start,
        n_members=N_MEMBERS,
        hidden_layer_sizes=hidden_layer_sizes,
        dropout=_DROPOUT,
        generators=[run.generator() for run in runs],
        basis=torch.eye(start.shape[-1]),
    )


def mean_outputs(outputs: Tensor) -> Tensor:
    """The forecast of each run where outputs are numbers: the mean of its members."""
    return outputs.mean(1)


def _column_of(runs: Sequence[Run]) -> Tensor:
    """Column of each input, which must be the same for all runs of a batch."""
    found = runs[0].data.column_of
    assert found is not None, "an ensemble must know the column of each input"
    return found


def _log_frequencies(data: TrainingData) -> Tensor:
    """Logits of the class frequencies.

    One more row is spread evenly over the classes: one without rows is unlikely, not
    impossible.
    """
    n_classes = data.line.n_classes
    counts = torch.bincount(data.index, data.sample_weight, minlength=n_classes)
    return ((counts + 1 / n_classes) / (counts.sum() + 1)).log()
