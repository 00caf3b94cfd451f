"""`TabularNetwork`: what the estimators that train networks share."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from joblib import effective_n_jobs
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from offby.tabular._estimator import (
    AT_LEAST_ONE,
    HeldOut,
    Learner,
    check_n_bags,
)
from offby.tabular.building import (
    HIDDEN_LAYER_SIZES,
    N_MEMBERS,
    N_MEMBERS_OF_BAGS,
    build_network,
)
from offby.tabular.calibration import Correction, fit_correction, identity
from offby.tabular.criteria import training_loss
from offby.tabular.data import TrainingData
from offby.tabular.devices import device_of, on_device
from offby.tabular.encoders.frames import rows_of
from offby.tabular.encoders.table import TableEncoder
from offby.tabular.forecasts import (
    forecast_in_parts,
    mean_forecast,
    mean_probabilities,
    rows_at_once,
    threads,
)
from offby.tabular.modules import Module
from offby.tabular.networks import NetworkBatch
from offby.tabular.rows import Rows, check_new_rows
from offby.tabular.runs import Run, TrainerSettings, mean_scores
from offby.tabular.splits import Split, bag_splits, child_seed
from offby.tabular.trainer import train, train_epochs


@dataclass(eq=False, repr=False, kw_only=True)
class TabularNetwork(Learner):
    """Settings that `OrdinalClassifier` and `BinnedRegressor` share.

    Args:
        loss: Short name of a loss or a sum of them (`offby losses` lists them), a
            criterion of `offby.nn`, or a function of logits (rows x classes) and the
            index of each row's class or bin that returns one value per row.
        hidden_layer_sizes: Widths of the hidden layers.
        n_members: Number of perceptrons that share their weight matrices and forecast
            together. "auto" is 4 if there are several bags, else 8.
        n_bags: Number of independent networks of that many members; each holds out
            other rows for early stopping. "auto" is 5 with 25 to 4,999 rows, else 1.
        module: A network of your own instead: a `torch.nn.Module` from encoded features
            to logits, or a function `(n_features, n_classes)` that builds one.
        calibration: Correct the probabilities on the validation rows: by a
            "temperature", or by an "isotonic" map of the cumulative probabilities.
        learning_rate_init: Step size of AdamW.
        batch_size: Rows in a step; "auto" makes about 24 steps per epoch, of 128 to
            512 rows.
        max_iter: Largest number of epochs.
        max_time: Seconds after which no further epoch begins; None is no limit.
        validation_fraction: Share of the rows that a single bag holds out for early
            stopping.
        n_iter_no_change: Epochs without a better validation score before training
            stops.
        refit: Train again from the start, on all rows and for the best number of
            epochs: a single bag otherwise never trains on its validation rows. Takes as
            long again, whatever `max_time`.
        warm_start: Let `fit` continue with the network of the last `fit`.
        n_jobs: Number of CPU threads. With None (one thread), results are the same to
            the last bit on every CPU.
        device: Where networks are trained and used, as "cpu" or "cuda"; "auto" is the
            GPU if CUDA finds one, else the CPU.
        verbose: Whether to show a progress bar.
        random_state: Seed of everything random.

    Attributes:
        encoder_: The encoder of the columns.
        network_: The trained network.
        n_iter_: Number of epochs after which its weights were taken; the largest over
            the bags.
        validation_scores_: RPS or CRPS of the validation rows, before training and
            after each epoch.
    """

    hidden_layer_sizes: Sequence[int] = HIDDEN_LAYER_SIZES
    n_members: int | Literal["auto"] = "auto"
    module: Module | None = None
    learning_rate_init: float = 0.01
    batch_size: int | Literal["auto"] = "auto"
    refit: bool = False
    warm_start: bool = False
    device: str = "auto"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Learner._parameter_constraints,
        "hidden_layer_sizes": ["array-like"],
        "n_members": [AT_LEAST_ONE, StrOptions({"auto"})],
        "module": [torch.nn.Module, callable, None],
        "learning_rate_init": [Interval(Real, 0, None, closed="left")],
        "batch_size": [AT_LEAST_ONE, StrOptions({"auto"})],
        "refit": ["boolean"],
        "warm_start": ["boolean"],
        "device": [str],
    }

    def _check_settings(self) -> None:
        """Refuse settings of a wrong type or range."""
        super()._check_settings()
        sizes = list(self.hidden_layer_sizes)
        if not all(isinstance(size, Integral) and size >= 1 for size in sizes):
            raise ValueError(
                "hidden_layer_sizes must hold whole numbers of at least 1, got "
                f"{sizes}; leave layers of width 0 out"
            )

    def _continues(self) -> bool:
        return self.warm_start and hasattr(self, "network_")

    def _encoded(self, rows: Rows, *, fresh: bool) -> torch.Tensor:
        if fresh:
            encoder = TableEncoder()
            self.encoder_ = encoder.fit(rows.X, sample_weight=rows.weights)
        return torch.from_numpy(self.encoder_.transform(rows.X))

    def _learn(self, data: TrainingData) -> HeldOut:
        data, seed, n_rows = self._with_columns(data), self._seed(), len(data.index)
        continues = self._continues()
        n_bags = self.network_.n_runs if continues else self._n_bags(data)
        check_n_bags(n_bags, n_rows)
        generator = torch.Generator().manual_seed(seed)
        splits = bag_splits(
            n_rows, n_bags, self.validation_fraction, generator, groups=data.groups
        )
        if not continues:
            self.network_ = self._new_network(_runs(data, splits, seed))
        network, settings = self.network_, self._trainer()
        loss: Any = training_loss(self.loss)
        device = device_of(self.device)
        with threads(self.n_jobs), self._progress() as show, on_device(network, device):
            there = _runs(data.to(device), splits, seed)
            first = copy.deepcopy(network.state_dict()) if self.refit else {}
            histories = train(network, there, loss, settings, on_epoch=show)
            probs, rows = _validation_forecasts(network, there)
            if self.refit:
                network.load_state_dict(first)
                everything = [_all_rows(data)] * n_bags
                whole = _runs(data.to(device), everything, child_seed(seed, 1))
                epochs = [history.best_epoch for history in histories]
                train_epochs(network, whole, epochs, loss, settings)
        self.n_iter_ = max(1, *(history.best_epoch for history in histories))
        self.validation_scores_ = mean_scores(histories)
        weights = _weights(data, rows)
        self.correction_: Correction = fit_correction(
            self.calibration, probs, data.index[rows].numpy(), weights
        )
        return HeldOut.of(data, self.correction_(probs), rows, weights)

    def _fit_epoch(self, data: TrainingData) -> None:
        """Train on all rows once; a first call builds a network of one bag."""
        data, seed = self._with_columns(data), self._seed()
        everything = _all_rows(data)
        if not hasattr(self, "network_"):
            self.network_ = self._new_network(_runs(data, [everything], seed))
            self.correction_, self.n_iter_ = identity, 0
        network, settings = self.network_, self._trainer()
        splits, device = [everything] * network.n_runs, device_of(self.device)
        with threads(self.n_jobs), on_device(network, device):
            # The rows come in another order each time, whatever the random state.
            runs = _runs(data.to(device), splits, child_seed(seed, self.n_iter_))
            loss: Any = training_loss(self.loss)
            train_epochs(network, runs, [1] * len(runs), loss, settings)
        self.n_iter_ += 1

    def _with_columns(self, data: TrainingData) -> TrainingData:
        return replace(data, column_of=torch.from_numpy(self.encoder_.column_of_))

    def _n_bags(self, data: TrainingData) -> int:
        return 1 if self.module is not None else super()._n_bags(data)

    def _trainer(self) -> TrainerSettings:
        return TrainerSettings(
            learning_rate_init=self.learning_rate_init,
            batch_size=self.batch_size,
            max_iter=self.max_iter,
            n_iter_no_change=self.n_iter_no_change,
            max_time=self.max_time,
        )

    def _new_network(self, runs: list[Run]) -> NetworkBatch:
        usual = N_MEMBERS_OF_BAGS if len(runs) > 1 else N_MEMBERS
        return build_network(
            runs,
            module=self.module,
            n_members=usual if self.n_members == "auto" else self.n_members,
            hidden_layer_sizes=self.hidden_layer_sizes,
        )

    def _probabilities(self, X) -> np.ndarray:
        check_is_fitted(self)
        X = check_new_rows(self, self.encoder_, X)
        device = device_of(self.device)
        network = copy.deepcopy(self.network_).to(device)

        def forecast(rows: slice) -> np.ndarray:
            inputs = torch.from_numpy(self.encoder_.transform(rows_of(X, rows)))
            probs = mean_probabilities(network, inputs.to(device))
            return self.correction_(probs.cpu().numpy())

        size = rows_at_once(len(self.encoder_.column_of_))
        # Whether the code of others may run in several threads, only they know.
        alone = self.module is not None or device.type != "cpu"
        n_threads = 1 if alone else effective_n_jobs(self.n_jobs or 1)
        with threads(self.n_jobs if alone else None):
            return forecast_in_parts(forecast, len(X), size, n_threads)


def _runs(data: TrainingData, splits: Sequence[Split], seed: int) -> list[Run]:
    """A run for each bag."""
    return [
        Run(data, training, validation, child_seed(seed, bag))
        for bag, (training, validation) in enumerate(splits)
    ]


def _all_rows(data: TrainingData) -> Split:
    everything = torch.arange(len(data.index))
    return everything, everything


def _weights(data: TrainingData, rows: np.ndarray) -> np.ndarray:
    assert data.sample_weight is not None
    return data.sample_weight.numpy()[rows]


@torch.no_grad()
def _validation_forecasts(
    network: NetworkBatch, runs: list[Run]
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of each validation row under the bag that did not train on it."""
    probs, tensors = [], network.run_tensors()
    for bag, run in enumerate(runs):
        own = {name: part.detach()[[bag]] for name, part in tensors.items()}
        inputs = run.data.inputs
        parts = [
            mean_forecast(network.logits_of(own, inputs[part][None]))[0]
            for part in run.validation.split(rows_at_once(inputs.shape[1]))
        ]
        probs.append(torch.cat(parts).double().exp().cpu().numpy())
    rows = torch.cat([run.validation for run in runs]).numpy()
    return _normalized(np.concatenate(probs)), rows


def _normalized(probs: np.ndarray) -> np.ndarray:
    return probs / probs.sum(-1, keepdims=True)
