"""What both estimators do with their settings: check, encode, train, forecast."""

import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import narwhals as nw
import numpy as np
import torch
from sklearn import config_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    _check_y,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from offby.losses.registry import parse
from offby.tabular.calibration import Isotonic, Temperature, as_it_is
from offby.tabular.data import TrainingData
from offby.tabular.encoders.table import column_of, piecewise_encoder
from offby.tabular.forecasts import mean_forecast, rows_at_once, threads
from offby.tabular.networks import Ensemble, NetworkBatch, wrap_module
from offby.tabular.runs import Run, TrainerSettings, mean_scores
from offby.tabular.splits import bag_splits, child_seed
from offby.tabular.trainer import train, train_epochs

_FEW = 5000
"""Below so many rows, five bags: each row is held out once and still learned from."""


def checked(
    model, X, y, *, y_numeric: bool, reset: bool = True
) -> tuple[Any, np.ndarray]:
    """Rows and targets: frames stay frames, for their categories; else an array."""
    if _has_words(X):
        validate_data(model, X, y, skip_check_array=True, reset=reset)
        _check_finite(X)
        y = _check_y(y, y_numeric=y_numeric, estimator=model)
        check_consistent_length(X, y)
        return X, y
    rules: dict[str, Any] = {"ensure_all_finite": "allow-nan", "y_numeric": y_numeric}
    X, y = validate_data(model, X, y, dtype=np.float64, reset=reset, **rules)
    return X, np.asarray(y)


def order_of(y) -> list | None:
    """The categories of an ordered column in their order; None of any other target."""
    if not nw.dependencies.is_into_series(y):
        return None
    dtype = nw.from_native(y, series_only=True).dtype
    return list(dtype.categories) if isinstance(dtype, nw.Enum) else None


def _check_finite(X) -> None:
    """Refuse what scikit-learn refuses in arrays: gaps are fine, infinity is not."""
    for column in nw.from_native(X, eager_only=True).iter_columns():
        if column.dtype.is_float() and np.isinf(column.to_numpy()).any():
            raise ValueError(
                "columns must hold finite numbers or gaps, but column "
                f"{column.name!r} contains infinity; drop these rows or clip them"
            )


def _has_words(X) -> bool:
    if not nw.dependencies.is_into_dataframe(X):
        return False
    schema = nw.from_native(X, eager_only=True).schema
    return not all(t.is_numeric() or t == nw.Boolean for t in schema.values())


def weights_of(X, sample_weight) -> np.ndarray:
    """The weights of the rows, checked; ones if there are none."""
    if sample_weight is None:
        return np.ones(len(X))
    return _check_sample_weight(sample_weight, X, ensure_non_negative=True)


def goes_on(model: Any) -> bool:
    """Whether `fit` continues the network of the last `fit`."""
    return model.warm_start and hasattr(model, "network_")


def seed_of(model: Any) -> int:
    """A seed drawn from the estimator's random state."""
    return int(check_random_state(model.random_state).randint(2**31))


def inputs_of(model: Any, X, *, fresh: bool) -> torch.Tensor:
    """The encoded rows; a fresh encoder is fitted to them first."""
    if fresh:
        with config_context(transform_output="default"):
            model.encoder_ = piecewise_encoder(X).fit(X)
    return _encoded(model, X)


def fit(model: Any, data: TrainingData) -> tuple[np.ndarray, np.ndarray]:
    """Train the network: its probabilities for the validation rows, and these rows."""
    seed, n_rows = seed_of(model), len(data.index)
    go_on = goes_on(model)
    n_bags = model.network_.n_runs if go_on else _n_bags(model, n_rows)
    if n_bags > n_rows:
        raise ValueError(f"n_bags must be at most the {n_rows} rows, got {n_bags}")
    generator = torch.Generator().manual_seed(seed)
    splits = bag_splits(n_rows, n_bags, model.validation_fraction, generator)
    runs = _runs(data, splits, seed)
    if not go_on:
        model.network_ = _network(model, runs)
    settings, loss, device = _settings(model), parse(model.loss), device_of(model)
    with threads(model.n_jobs), _bar(model) as on_epoch, _at_work(model, device):
        there = _runs(data.to(device), splits, seed)
        first = copy.deepcopy(model.network_.state_dict()) if model.refit else {}
        network = model.network_
        histories = train(network, there, loss, settings, on_epoch=on_epoch)
        probs, rows = _validation_forecasts(network, there)
        if model.refit:
            network.load_state_dict(first)
            everything = (torch.arange(n_rows), torch.arange(n_rows))
            whole = _runs(data.to(device), [everything] * n_bags, child_seed(seed, 1))
            epochs = [each.best_epoch for each in histories]
            train_epochs(network, whole, epochs, loss, settings)
    model.n_iter_ = max(1, *(each.best_epoch for each in histories))
    model.validation_scores_ = mean_scores(histories)
    model.correction_ = _correction(model.calibration, probs, data.index[rows].numpy())
    return model.correction_(probs), rows


def one_more_pass(model: Any, data: TrainingData) -> None:
    """Train on all rows of the data, once."""
    fresh, seed = not hasattr(model, "network_"), seed_of(model)
    everything = (torch.arange(len(data.index)), torch.arange(len(data.index)))
    if fresh:
        model.network_ = _network(model, _runs(data, [everything], seed))
        model.correction_, model.n_iter_ = as_it_is, 0
    network: NetworkBatch = model.network_
    settings, loss, device = _settings(model), parse(model.loss), device_of(model)
    splits = [everything] * network.n_runs
    with threads(model.n_jobs), _at_work(model, device):
        # The rows of each pass come in another order, whatever the random state.
        runs = _runs(data.to(device), splits, child_seed(seed, model.n_iter_))
        train_epochs(network, runs, [1] * network.n_runs, loss, settings)
    model.n_iter_ += 1


def _runs(data: TrainingData, splits, seed: int) -> list[Run]:
    """A run for each bag."""
    return [
        Run(data, train, validation, child_seed(seed, bag))
        for bag, (train, validation) in enumerate(splits)
    ]


def _n_bags(model: Any, n_rows: int) -> int:
    if model.module is not None:
        return 1
    if model.n_bags == "auto":
        return 5 if 25 <= n_rows < _FEW else 1
    if model.n_bags < 1:
        raise ValueError(f"n_bags must be at least 1, got {model.n_bags}")
    return model.n_bags


def _network(model: Any, runs: list[Run]) -> NetworkBatch:
    data, generators = runs[0].data, [run.generator() for run in runs]
    n_classes = data.line.n_classes
    if model.module is not None:
        seed = int(torch.randint(2**31, (), generator=generators[0]))
        return wrap_module(model.module, data.inputs.shape[1], n_classes, seed)
    counts = torch.bincount(data.index, data.sample_weight, minlength=n_classes)
    # One more row, spread evenly: a class that never came is unlikely, not impossible.
    share = (counts + 1 / n_classes) / (counts.sum() + 1)
    return Ensemble(
        torch.from_numpy(column_of(model.encoder_)),
        share.log().expand(len(runs), -1),
        n_members=model.n_members,
        hidden_layer_sizes=model.hidden_layer_sizes,
        dropout=0.1,
        generators=generators,
    )


def _settings(model: Any) -> TrainerSettings:
    return TrainerSettings(
        learning_rate_init=model.learning_rate_init,
        batch_size=model.batch_size,
        max_iter=model.max_iter,
        n_iter_no_change=model.n_iter_no_change,
        max_time=model.max_time,
    )


def device_of(model: Any) -> torch.device:
    """Where networks are trained and asked."""
    if model.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(model.device)
        # Forecasts need float64, which not every device has.
        float(torch.zeros((), dtype=torch.float64, device=device))
    except (AssertionError, RuntimeError, TypeError) as error:
        raise RuntimeError(
            f"device must be one that is here and knows float64, got {model.device!r} "
            f'({str(error).splitlines()[0]}); use "auto" or "cpu"'
        ) from error
    return device


@contextmanager
def _at_work(model: Any, device: torch.device) -> Iterator[None]:
    """Move the network to the device, and back to the CPU: it can then be pickled."""
    model.network_.to(device)
    try:
        yield
    finally:
        model.network_.to("cpu")


@contextmanager
def _bar(model: Any) -> Iterator[Callable[[int, float], None]]:
    """A progress bar on stderr, if wanted."""
    if not model.verbose:
        yield lambda epoch, score: None
        return
    with click.progressbar(
        length=model.max_iter, label=type(model).__name__, file=sys.stderr
    ) as bar:
        yield lambda epoch, score: bar.update(int(epoch > 0))


@torch.no_grad()
def _validation_forecasts(network, runs: list[Run]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of each validation row under the bag that did not train on it."""
    probs = []
    for bag, run in enumerate(runs):
        parts = [
            mean_forecast(_logits(network, run.data.inputs[part]))[bag]
            for part in run.validation.split(rows_at_once(run.data.inputs.shape[1]))
        ]
        probs.append(torch.cat(parts).double().exp().cpu().numpy())
    rows = torch.cat([run.validation for run in runs]).numpy()
    return _normalized(np.concatenate(probs)), rows


def _logits(network: NetworkBatch, inputs: torch.Tensor) -> torch.Tensor:
    """Logits of each row under each member: bags x members x rows x classes."""
    return network(inputs.expand(network.n_runs, -1, -1))


def _correction(kind: str | None, probs: np.ndarray, index: np.ndarray):
    match kind:
        case None:
            return as_it_is
        case "temperature":
            return Temperature.fit(probs, index)
        case "isotonic":
            return Isotonic.fit(probs, index)
        case _:
            raise ValueError(
                f'calibration must be None, "temperature" or "isotonic", got {kind!r}'
            )


def _encoded(model: Any, X) -> torch.Tensor:
    # Whatever the user's setting: here it is arrays that are wanted.
    with config_context(transform_output="default"):
        found = model.encoder_.transform(X)
    return torch.from_numpy(np.asarray(found, dtype=np.float32))


def _part(X, start: int, size: int):
    """So many rows from the first on."""
    if isinstance(X, np.ndarray):
        return X[start : start + size]
    return nw.from_native(X, eager_only=True)[start : start + size].to_native()


def _normalized(probs: np.ndarray) -> np.ndarray:
    return probs / probs.sum(-1, keepdims=True)


@torch.inference_mode()
def probabilities(model: Any, X) -> np.ndarray:
    """Forecasts: rows x classes or bins."""
    check_is_fitted(model)
    if _has_words(X):
        validate_data(model, X, reset=False, skip_check_array=True)
        _check_finite(X)
    else:
        X = validate_data(
            model, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan"
        )
    parts = []
    # A matrix product rounds a row by its place among the others. In float64 that is
    # too little to see: a row's forecast does not depend on its company.
    device = device_of(model)
    network = copy.deepcopy(model.network_).double().to(device)
    size = rows_at_once(len(column_of(model.encoder_)))
    with threads(model.n_jobs):
        for start in range(0, len(X), size):
            inputs = _encoded(model, _part(X, start, size)).double().to(device)
            probs = _logits(network, inputs).softmax(-1).mean((0, 1))
            parts.append(probs.cpu().numpy())
    return model.correction_(_normalized(np.concatenate(parts)))
