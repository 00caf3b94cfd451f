"""scikit-learn estimators: they hold settings, call `learning.learn`, and predict."""

import copy
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

import click
import narwhals as nw
import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.preprocessing import FunctionTransformer, PowerTransformer
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from offby.bins import Bins, Strategy, Tails
from offby.calibration import Isotonic, Temperature
from offby.catalog import parse
from offby.distribution import BinnedDistribution
from offby.features import piecewise_encoder
from offby.grounds import Line
from offby.learning import Plan, advance, learn, pooled, splits, threads
from offby.networks import Ensemble, own_module
from offby.training import Task, balanced_line

Module = torch.nn.Module | Callable[[int, int], torch.nn.Module]
Calibration = Literal["temperature", "isotonic"]

_FEW = 5000
"""Below so many rows, five bags: each row is held out once and still learned from."""
_CHUNK = 4096
"""Rows encoded and forecast at once: what they need of memory stays small."""


class OrdinalClassifier(ClassifierMixin, BaseEstimator):
    """Classifier for ordered classes: a network that knows how far off it is.

    Args:
        loss: Short name of a loss or a sum of them; `offby losses` lists them.
        categories: The classes in their order; "auto" takes the order of numbers.
            Text in alphabetical order is rarely right: "auto" then warns. A class
            without a training row keeps a small probability.
        decision: What `predict` answers: the "median" of the predicted distribution
            (least expected distance) or its "mode" (the likeliest class, as other
            scikit-learn classifiers answer).
        class_weight: As in scikit-learn: a weight for each class, or "balanced".
        hidden_layer_sizes: Widths of the hidden layers.
        n_members: Networks that share their matrices and forecast together.
        n_bags: Independent such ensembles, each holding out other rows; "auto" is 5
            below 5,000 rows, else 1.
        module: A network of your own instead: a `torch.nn.Module` from encoded features
            to logits, or a function `(n_features, n_classes)` that builds one.
        calibration: Correct the probabilities on the rows that were held out: by a
            "temperature", or by an "isotonic" map of the cumulative probabilities.
        learning_rate_init: Step size of AdamW.
        batch_size: Rows in a step; "auto" makes about 24 steps a pass.
        max_iter: Passes over the training rows, at most.
        max_time: Seconds after which no further pass begins.
        validation_fraction: Share of rows that a single bag holds out to stop early.
        n_iter_no_change: Passes without progress there before training stops.
        warm_start: Let `fit` go on from the network of the last `fit`.
        n_jobs: Threads; None is one, and gives the same bits everywhere.
        verbose: Whether to show a progress bar.
        random_state: Seed of everything random.

    Attributes:
        classes_: The classes in their order.
        network_: The trained network.
        n_iter_: Passes after which its weights were taken, at most over the bags.
        validation_scores_: RPS on held-out rows, before training and after each pass.

    >>> X, y = np.arange(40.0)[:, None], np.repeat([1, 2, 3, 4], 10)
    >>> model = OrdinalClassifier(max_iter=5, random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape
    (40, 4)
    """

    def __init__(
        self,
        loss: str = "ce+emd2",
        *,
        categories: Literal["auto"] | list = "auto",
        decision: Literal["median", "mode"] = "median",
        class_weight: dict | Literal["balanced"] | None = None,
        hidden_layer_sizes: tuple[int, ...] = (128, 128),
        n_members: int = 8,
        n_bags: int | Literal["auto"] = "auto",
        module: Module | None = None,
        calibration: Calibration | None = None,
        learning_rate_init: float = 1e-3,
        batch_size: int | Literal["auto"] = "auto",
        max_iter: int = 200,
        max_time: float | None = None,
        validation_fraction: float = 0.15,
        n_iter_no_change: int = 16,
        warm_start: bool = False,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.loss = loss
        self.categories = categories
        self.decision = decision
        self.class_weight = class_weight
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_members = n_members
        self.n_bags: int | Literal["auto"] = n_bags
        self.module = module
        self.calibration: Calibration | None = calibration
        self.learning_rate_init = learning_rate_init
        self.batch_size: int | Literal["auto"] = batch_size
        self.max_iter = max_iter
        self.max_time = max_time
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None) -> "OrdinalClassifier":
        """Train on rows `X` and their classes `y`."""
        X, y = _checked(self, X, y, y_numeric=False)
        self._check_settings()
        check_classification_targets(y)
        self.classes_ = self._classes(y)
        _fit(self, X, self._task(X, y, sample_weight))
        return self

    def partial_fit(
        self, X, y, classes=None, sample_weight=None
    ) -> "OrdinalClassifier":
        """Train on these rows for one more pass.

        The first call must name all `classes`, here or in `categories`.
        """
        first = not hasattr(self, "network_")
        X, y = _checked(self, X, y, y_numeric=False, reset=first)
        self._check_settings()
        if first:
            given = self.categories if classes is None else classes
            if isinstance(given, str):
                raise ValueError(
                    "the first call of partial_fit must know all classes, got none; "
                    "pass classes=[...] in their order, or set categories"
                )
            self.classes_ = np.asarray(given)
            self.encoder_ = piecewise_encoder(X).fit(X)
        _one_more_pass(self, X, self._task(X, y, sample_weight))
        return self

    def _check_settings(self) -> None:
        if parse(self.loss).needs_bins:
            raise ValueError(
                f"the loss {self.loss!r} needs numbers, and y holds classes; "
                "use ce, emd2, cce or a sum of them, or a BinnedRegressor"
            )
        if self.decision not in ("median", "mode"):
            raise ValueError(
                f'decision must be "median" or "mode", got {self.decision!r}'
            )

    def _classes(self, y: np.ndarray) -> np.ndarray:
        present = np.unique(y)
        if not isinstance(self.categories, str):
            return np.asarray(self.categories)
        if present.dtype.kind in "OUS" and len(present) > 2:
            warnings.warn(
                f"the classes are text, in alphabetical order: {list(present)}; "
                "give their order with categories=[...]",
                stacklevel=3,
            )
        return present

    def _task(self, X, y: np.ndarray, sample_weight) -> Task:
        place = {label: i for i, label in enumerate(self.classes_.tolist())}
        unknown = [label for label in np.unique(y).tolist() if label not in place]
        if unknown:
            raise ValueError(
                f"categories must name every class of y, but {unknown[0]!r} is not "
                f"among {self.classes_.tolist()}"
            )
        index = torch.tensor([place[label] for label in y.tolist()])
        weight = _weight(X, sample_weight)
        if self.class_weight is not None:
            weight = weight * compute_sample_weight(self.class_weight, y)
        line = Line.regular(len(self.classes_))
        return Task(torch.empty(0), index, None, line, None, 0, torch.tensor(weight))

    def predict_proba(self, X) -> np.ndarray:
        """Probability of each class: rows x classes, in the order of `classes_`."""
        return _probabilities(self, X)

    def predict(self, X) -> np.ndarray:
        """One class per row, by the rule of `decision`."""
        probs = self.predict_proba(X)
        if self.decision == "mode":
            return self.classes_[probs.argmax(-1)]
        return self.classes_[(probs.cumsum(-1) >= 0.5 - 1e-12).argmax(-1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class BinnedRegressor(RegressorMixin, BaseEstimator):
    """Regression by a whole distribution over bins of the target.

    Args:
        loss: Short name of a loss or a sum of them; `offby losses` lists them.
        n_bins: How many bins, at most. Or a grid of your own, a `Bins`.
        strategy: Bins of equal counts ("quantile"), of equal widths ("uniform"), or
            each wider by the same factor ("log"); as `Bins.around` makes them.
        tails: "half-normal" lets the end bins reach to infinity, so that no number has
            density zero.
        target_transform: Scale on which bins and distances are measured: "log" for
            positive targets whose ratios matter, "yeo-johnson" for skewed ones.
            Forecasts are on the scale of the target all the same.
        hidden_layer_sizes: Widths of the hidden layers.
        n_members: Networks that share their matrices and forecast together.
        n_bags: Independent such ensembles, each holding out other rows; "auto" is 5
            below 5,000 rows, else 1.
        module: A network of your own instead: a `torch.nn.Module` from encoded features
            to logits, or a function `(n_features, n_bins)` that builds one.
        calibration: Correct the probabilities on the rows that were held out: by a
            "temperature", or by an "isotonic" map of the distribution functions.
        learning_rate_init: Step size of AdamW.
        batch_size: Rows in a step; "auto" makes about 24 steps a pass.
        max_iter: Passes over the training rows, at most.
        max_time: Seconds after which no further pass begins.
        validation_fraction: Share of rows that a single bag holds out to stop early.
        n_iter_no_change: Passes without progress there before training stops.
        warm_start: Let `fit` go on from the network of the last `fit`.
        n_jobs: Threads; None is one, and gives the same bits everywhere.
        verbose: Whether to show a progress bar.
        random_state: Seed of everything random.

    Attributes:
        bins_: The grid in use, in the units of the target.
        network_: The trained network.
        n_iter_: Passes after which its weights were taken, at most over the bags.
        validation_scores_: CRPS on held-out rows, before training and after each pass.

    >>> X = np.linspace(0, 1, 60)[:, None]
    >>> model = BinnedRegressor(n_bins=5, max_iter=5, random_state=0).fit(X, X[:, 0])
    >>> model.predict_dist(X[:2]).median().shape
    (2,)
    """

    def __init__(
        self,
        loss: str = "ce+emd2",
        *,
        n_bins: int | Bins = 100,
        strategy: Strategy = "quantile",
        tails: Tails = "none",
        target_transform: Literal["log", "yeo-johnson"] | None = None,
        hidden_layer_sizes: tuple[int, ...] = (128, 128),
        n_members: int = 8,
        n_bags: int | Literal["auto"] = "auto",
        module: Module | None = None,
        calibration: Calibration | None = None,
        learning_rate_init: float = 1e-3,
        batch_size: int | Literal["auto"] = "auto",
        max_iter: int = 200,
        max_time: float | None = None,
        validation_fraction: float = 0.15,
        n_iter_no_change: int = 16,
        warm_start: bool = False,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.loss = loss
        self.n_bins = n_bins
        self.strategy: Strategy = strategy
        self.tails: Tails = tails
        self.target_transform: Literal["log", "yeo-johnson"] | None = target_transform
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_members = n_members
        self.n_bags: int | Literal["auto"] = n_bags
        self.module = module
        self.calibration: Calibration | None = calibration
        self.learning_rate_init = learning_rate_init
        self.batch_size: int | Literal["auto"] = batch_size
        self.max_iter = max_iter
        self.max_time = max_time
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None) -> "BinnedRegressor":
        """Train on rows `X` and their numbers `y`."""
        _check_numbers(y)
        X, y = _checked(self, X, y, y_numeric=True)
        self._make_grid(y.astype(np.float64))
        task = self._task(X, y, sample_weight)
        probs, rows = _fit(self, X, task)
        assert task.value is not None
        held_out = BinnedDistribution(probs, self.scaled_bins_)
        # How far from its median each held-out number lies, for conformal intervals.
        pit = held_out.pit(task.value.numpy()[rows])
        self.held_out_pit_ = np.sort(np.abs(pit - 0.5))
        return self

    def partial_fit(self, X, y, sample_weight=None) -> "BinnedRegressor":
        """Train on these rows for one more pass; the first call makes the bins."""
        _check_numbers(y)
        first = not hasattr(self, "network_")
        X, y = _checked(self, X, y, y_numeric=True, reset=first)
        if first:
            self._make_grid(y.astype(np.float64))
            self.encoder_ = piecewise_encoder(X).fit(X)
        _one_more_pass(self, X, self._task(X, y, sample_weight))
        return self

    def _make_grid(self, y: np.ndarray) -> None:
        """The bins, as they are and on the scale of the training."""
        self.scale_ = _scale(self.target_transform, y)
        if isinstance(self.n_bins, Bins):
            self.bins_ = self.n_bins
            edges = self._scaled(self.bins_.edges.numpy())
            self.scaled_bins_ = Bins(edges, tails=self.bins_.tails)
            return
        y = self._scaled(y)
        if y.min() == y.max():
            room = max(abs(float(y[0])), 1.0) * 1e-3
            self.scaled_bins_ = Bins([y[0] - room, y[0] + room])
        else:
            self.scaled_bins_ = Bins.around(
                y, self.n_bins, self.strategy, tails=self.tails
            )
        edges = self.scaled_bins_.edges.numpy()[:, None]
        tails = self.scaled_bins_.tails
        self.bins_ = Bins(self.scale_.inverse_transform(edges)[:, 0], tails=tails)

    def _scaled(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(self.scale_.transform(y[:, None]))[:, 0]

    def _task(self, X, y: np.ndarray, sample_weight) -> Task:
        value = torch.tensor(self._scaled(y.astype(np.float64)))
        index = self.scaled_bins_.index(value)
        line = balanced_line(self.scaled_bins_, index)
        weight = torch.tensor(_weight(X, sample_weight))
        return Task(torch.empty(0), index, value, line, self.scaled_bins_, 0, weight)

    def predict_dist(self, X) -> BinnedDistribution:
        """The predicted distribution of each row."""
        probs = _probabilities(self, X)
        return BinnedDistribution(probs, self.bins_)

    def predict(self, X) -> np.ndarray:
        """Mean of the predicted distribution, in the units of the target."""
        return self.predict_dist(X).mean()

    def predict_quantiles(self, X, alpha: list[float]) -> np.ndarray:
        """Quantiles at the levels `alpha`: rows x levels."""
        predicted = self.predict_dist(X)
        return np.stack([predicted.ppf(level) for level in alpha], -1)

    def predict_interval(
        self, X, coverage: float = 0.9, *, conformal: bool = False
    ) -> np.ndarray:
        """Central interval that holds the number with this probability: rows x 2.

        Args:
            X: The rows.
            coverage: Probability inside, between 0 and 1.
            conformal: Widen or narrow the interval so that it would have held this
                share of the rows held out in training. With one bag, new rows like
                those lie inside at least that often, whatever the network.

        References:
            Chernozhukov, Wüthrich, Zhu (2021), Distributional conformal prediction,
            PNAS 118, doi:10.1073/pnas.2107794118.
        """
        if conformal:
            check_is_fitted(self, "held_out_pit_")
            n = len(self.held_out_pit_)
            rank = int(np.ceil(coverage * (n + 1))) - 1
            inside = self.held_out_pit_[rank] if rank < n else 0.5
            coverage = float(2 * inside)
        return np.stack(self.predict_dist(X).interval(coverage), -1)

    def predict_var(self, X) -> np.ndarray:
        """Variance of the predicted distribution."""
        return self.predict_dist(X).var()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _check_numbers(y) -> None:
    kind = getattr(np.asarray(y), "dtype", np.dtype(float)).kind
    if kind in "mM":
        raise ValueError(
            "y must hold numbers, got dates or times; turn them into a number first, "
            "such as days since a start"
        )
    if kind in "US":
        raise ValueError(
            "y must hold numbers, got text; for ordered classes use an "
            "OrdinalClassifier"
        )


def _scale(transform: str | None, y: np.ndarray):
    """A fitted, increasing map of the target."""
    match transform:
        case None:
            scale = FunctionTransformer()
        case "log":
            if y.min() <= 0:
                raise ValueError(
                    'target_transform="log" needs positive targets, got '
                    f'{y.min():g}; use "yeo-johnson"'
                )
            scale = FunctionTransformer(np.log, np.exp)
        case "yeo-johnson":
            scale = PowerTransformer("yeo-johnson")
        case _:
            raise ValueError(
                'target_transform must be None, "log" or "yeo-johnson", got '
                f"{transform!r}"
            )
    return scale.fit(y[:, None])


def _checked(
    model, X, y, *, y_numeric: bool, reset: bool = True
) -> tuple[Any, np.ndarray]:
    """Rows and targets: frames stay frames, for their categories; else an array."""
    if _has_words(X):
        validate_data(model, X, y, skip_check_array=True, reset=reset)
        return X, column_or_1d(y, warn=True)
    rules: dict[str, Any] = {"ensure_all_finite": "allow-nan", "y_numeric": y_numeric}
    X, y = validate_data(model, X, y, dtype=np.float64, reset=reset, **rules)
    return X, np.asarray(y)


def _has_words(X) -> bool:
    if not nw.dependencies.is_into_dataframe(X):
        return False
    schema = nw.from_native(X, eager_only=True).schema
    return not all(t.is_numeric() or t == nw.Boolean for t in schema.values())


def _weight(X, sample_weight) -> np.ndarray:
    if sample_weight is None:
        return np.ones(len(X))
    return _check_sample_weight(sample_weight, X, ensure_non_negative=True)


def _fit(model: Any, X, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Train the network: its probabilities for the rows held out, and these rows."""
    go_on = model.warm_start and hasattr(model, "network_")
    if not go_on:
        model.encoder_ = piecewise_encoder(X).fit(X)
    task = replace(task, inputs=_encoded(model, X))
    generator = _generator(model)
    n_bags = _n_bags(model, len(task.index))
    fraction = model.validation_fraction
    cuts = splits(len(task.index), n_bags, fraction, generator)
    if not go_on:
        model.network_ = _network(model, task, n_bags, generator)
    plan, loss = _plan(model), parse(model.loss)
    with threads(model.n_jobs), _bar(model) as note, _drawing(model, generator):
        course = learn(
            model.network_, task, cuts, loss, plan, generator=generator, note=note
        )
        probs, rows = _held_out(model.network_, task, cuts)
    model.n_iter_ = max(*course.best_epochs, 1)
    model.validation_scores_ = list(course.curve)
    model.correction_ = _correction(model.calibration, probs, task.index[rows].numpy())
    return model.correction_(probs), rows


def _one_more_pass(model: Any, X, task: Task) -> None:
    task = replace(task, inputs=_encoded(model, X))
    generator = _generator(model)
    if not hasattr(model, "network_"):
        model.network_ = _network(model, task, 1, generator)
        model.correction_, model.n_iter_ = _as_it_is, 0
    with threads(model.n_jobs), _drawing(model, generator):
        advance(
            model.network_,
            task,
            parse(model.loss),
            _plan(model),
            epochs=1,
            generator=generator,
        )
    model.n_iter_ += 1


def _generator(model: Any) -> torch.Generator:
    seed = int(check_random_state(model.random_state).randint(2**31))
    return torch.Generator().manual_seed(seed)


def _n_bags(model: Any, n_rows: int) -> int:
    if model.module is not None:
        return 1
    if model.n_bags == "auto":
        return 5 if 25 <= n_rows < _FEW else 1
    if not 1 <= model.n_bags <= n_rows:
        raise ValueError(
            f"n_bags must lie between 1 and the {n_rows} rows, got {model.n_bags}"
        )
    return model.n_bags


def _network(
    model: Any, task: Task, n_bags: int, generator: torch.Generator
) -> torch.nn.Module:
    n_classes = task.line.n_classes
    if model.module is not None:
        seed = int(torch.randint(2**31, (), generator=generator))
        return own_module(model.module, task.inputs.shape[1], n_classes, seed)
    counts = torch.bincount(task.index, task.sample_weight, minlength=n_classes)
    # One more row, spread evenly: a class that never came is unlikely, not impossible.
    share = (counts + 1 / n_classes) / (counts.sum() + 1)
    return Ensemble(
        task.inputs.shape[1],
        share.log(),
        n_bags=n_bags,
        n_members=model.n_members,
        hidden_layer_sizes=model.hidden_layer_sizes,
        dropout=0.1,
        generator=generator,
    )


def _plan(model: Any) -> Plan:
    return Plan(
        learning_rate_init=model.learning_rate_init,
        batch_size=model.batch_size,
        max_iter=model.max_iter,
        n_iter_no_change=model.n_iter_no_change,
        max_time=model.max_time,
    )


@contextmanager
def _drawing(model: Any, generator: torch.Generator) -> Iterator[None]:
    """Lend the network a generator: it could not be pickled with one."""
    model.network_.generator = generator
    try:
        yield
    finally:
        model.network_.generator = None


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
def _held_out(network, task: Task, cuts) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of each held-out row under the bag that held it out."""
    probs = []
    for bag, (_, rows) in enumerate(cuts):
        parts = [
            pooled(_logits(network, task.inputs[part]))[bag]
            for part in rows.split(_CHUNK)
        ]
        probs.append(torch.cat(parts).double().exp().numpy())
    rows = torch.cat([rows for _, rows in cuts]).numpy()
    return _normalized(np.concatenate(probs)), rows


def _logits(network, inputs: torch.Tensor) -> torch.Tensor:
    """Logits of each row under each member: bags x members x rows x classes."""
    return network(inputs.expand(network.n_bags, -1, -1))


def _correction(kind: str | None, probs: np.ndarray, index: np.ndarray):
    match kind:
        case None:
            return _as_it_is
        case "temperature":
            return Temperature.fit(probs, index)
        case "isotonic":
            return Isotonic.fit(probs, index)
        case _:
            raise ValueError(
                f'calibration must be None, "temperature" or "isotonic", got {kind!r}'
            )


def _as_it_is(probs: np.ndarray) -> np.ndarray:
    return probs


def _encoded(model: Any, X) -> torch.Tensor:
    return torch.from_numpy(np.asarray(model.encoder_.transform(X), dtype=np.float32))


def _part(X, start: int):
    """The rows of a chunk."""
    if isinstance(X, np.ndarray):
        return X[start : start + _CHUNK]
    return nw.from_native(X, eager_only=True)[start : start + _CHUNK].to_native()


def _normalized(probs: np.ndarray) -> np.ndarray:
    return probs / probs.sum(-1, keepdims=True)


@torch.inference_mode()
def _probabilities(model: Any, X) -> np.ndarray:
    check_is_fitted(model)
    if _has_words(X):
        validate_data(model, X, reset=False, skip_check_array=True)
    else:
        X = validate_data(
            model, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan"
        )
    parts = []
    # A matrix product rounds a row by its place among the others. In float64 that is
    # too little to see: a row's forecast does not depend on its company.
    network = copy.deepcopy(model.network_).double()
    with threads(model.n_jobs):
        for start in range(0, len(X), _CHUNK):
            inputs = _encoded(model, _part(X, start)).double()
            parts.append(_logits(network, inputs).softmax(-1).mean((0, 1)).numpy())
    return model.correction_(_normalized(np.concatenate(parts)))
