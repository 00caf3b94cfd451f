"""scikit-learn estimators: they hold settings, say what to learn, and answer."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from offby.bins import Bins, Strategy, Tails
from offby.distribution import BinnedDistribution
from offby.grounds import Line
from offby.losses.registry import parse
from offby.tabular import _base as fitting
from offby.tabular import archive
from offby.tabular import target_scales as scales
from offby.tabular.data import TrainingData, balanced_line
from offby.tabular.target_scales import Transform, check_numbers

Module = torch.nn.Module | Callable[[int, int], torch.nn.Module]
Calibration = Literal["temperature", "isotonic"]


class OrdinalClassifier(ClassifierMixin, BaseEstimator):
    """Classifier for ordered classes: a network that knows how far off it is.

    Args:
        loss: Short name of a loss or a sum of them; `offby losses` lists them.
        categories: The classes in their order; "auto" takes the order of an ordered
            categorical column (polars' Enum), else that of numbers. Text in
            alphabetical order is rarely right: "auto" then warns. A class without a
            training row keeps a small probability.
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
        refit: Train again from the start, on all rows and for as many passes as were
            best: a single bag otherwise never learns from the rows it held out. Takes
            as long again, whatever `max_time`.
        warm_start: Let `fit` go on from the network of the last `fit`.
        n_jobs: Threads; None is one, and gives the same bits on every CPU.
        device: Where networks are trained and asked, as "cpu" or "cuda"; "auto" is the
            GPU if CUDA finds one, else the CPU.
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
        refit: bool = False,
        warm_start: bool = False,
        n_jobs: int | None = None,
        device: str = "auto",
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
        self.refit = refit
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None) -> "OrdinalClassifier":
        """Train on rows `X` and their classes `y`."""
        order = fitting.order_of(y)
        X, y = fitting.checked(self, X, y, y_numeric=False)
        self._check_settings()
        check_classification_targets(y)
        fresh = not fitting.goes_on(self)
        if fresh:
            self.classes_ = self._classes(y, order)
        inputs = fitting.inputs_of(self, X, fresh=fresh)
        fitting.fit(self, self._task(inputs, y, sample_weight))
        return self

    def partial_fit(
        self, X, y, classes=None, sample_weight=None
    ) -> "OrdinalClassifier":
        """Train on these rows for one more pass.

        The first call must name all `classes`, here or in `categories`.
        """
        first = not hasattr(self, "network_")
        X, y = fitting.checked(self, X, y, y_numeric=False, reset=first)
        self._check_settings()
        if first:
            given = self.categories if classes is None else classes
            if isinstance(given, str):
                raise ValueError(
                    "the first call of partial_fit must know all classes, got none; "
                    "pass classes=[...] in their order, or set categories"
                )
            self.classes_ = np.asarray(given)
        inputs = fitting.inputs_of(self, X, fresh=first)
        fitting.one_more_pass(self, self._task(inputs, y, sample_weight))
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

    def _classes(self, y: np.ndarray, order: list | None) -> np.ndarray:
        if not isinstance(self.categories, str):
            return np.asarray(self.categories)
        if order is not None:
            return np.asarray(order)
        present = np.unique(y)
        if present.dtype.kind in "OUS" and len(present) > 2:
            warnings.warn(
                f"the classes are text, in alphabetical order: {list(present)}; "
                "give their order with categories=[...]",
                stacklevel=3,
            )
        return present

    def _task(self, inputs: torch.Tensor, y: np.ndarray, sample_weight) -> TrainingData:
        place = {label: i for i, label in enumerate(self.classes_.tolist())}
        unknown = [label for label in np.unique(y).tolist() if label not in place]
        if unknown:
            raise ValueError(
                f"categories must name every class of y, but {unknown[0]!r} is not "
                f"among {self.classes_.tolist()}"
            )
        index = torch.tensor([place[label] for label in y.tolist()])
        weight = fitting.weights_of(inputs, sample_weight)
        if self.class_weight is not None:
            weight = weight * compute_sample_weight(self.class_weight, y)
        line = Line.regular(len(self.classes_))
        return TrainingData(inputs, index, None, line, None, torch.tensor(weight))

    def predict_proba(self, X) -> np.ndarray:
        """Probability of each class: rows x classes, in the order of `classes_`."""
        return fitting.probabilities(self, X)

    def predict(self, X) -> np.ndarray:
        """One class per row, by the rule of `decision`."""
        probs = self.predict_proba(X)
        if self.decision == "mode":
            return self.classes_[probs.argmax(-1)]
        return self.classes_[(probs.cumsum(-1) >= 0.5 - 1e-12).argmax(-1)]

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to one file, without pickle, for `load`."""
        archive.save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> "OrdinalClassifier":
        """The fitted estimator that `save` wrote; no code of the file is run."""
        return archive.load(path, cls)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class BinnedRegressor(RegressorMixin, BaseEstimator):
    """Regression by a whole distribution over bins of the target.

    Args:
        loss: Short name of a loss or a sum of them; `offby losses` lists them.
        n_bins: How many bins, at most; tails are two more. Or a grid of your own.
        strategy: Bins of equal counts ("quantile"), of equal widths ("uniform"), each
            wider by the same factor ("log"), or of the numbers nearest to a mean
            ("kmeans"); as `Bins.around` makes them.
        tails: "half-normal" adds a bin on either side that reaches to infinity, so that
            no number has density zero; "none" ends the forecasts at the last edges.
        target_transform: Scale on which bins and distances are measured: "log" for
            positive targets whose ratios matter, "yeo-johnson" for skewed ones,
            "quantile" (normal scores of the ranks) for any. Forecasts are on the scale
            of the target all the same.
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
        refit: Train again from the start, on all rows and for as many passes as were
            best: a single bag otherwise never learns from the rows it held out. Takes
            as long again, whatever `max_time`.
        warm_start: Let `fit` go on from the network of the last `fit`.
        n_jobs: Threads; None is one, and gives the same bits on every CPU.
        device: Where networks are trained and asked, as "cpu" or "cuda"; "auto" is the
            GPU if CUDA finds one, else the CPU.
        verbose: Whether to show a progress bar.
        random_state: Seed of everything random.

    Attributes:
        bins_: The grid in use, in the units of the target.
        scale_: The fitted transform of the target.
        held_out_pit_: How far from 1/2 the PIT of each held-out row lies, in order.
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
        tails: Tails = "half-normal",
        target_transform: Transform | None = None,
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
        refit: bool = False,
        warm_start: bool = False,
        n_jobs: int | None = None,
        device: str = "auto",
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.loss = loss
        self.n_bins = n_bins
        self.strategy: Strategy = strategy
        self.tails: Tails = tails
        self.target_transform: Transform | None = target_transform
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
        self.refit = refit
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None) -> "BinnedRegressor":
        """Train on rows `X` and their numbers `y`."""
        check_numbers(y)
        X, y = fitting.checked(self, X, y, y_numeric=True)
        fresh = not fitting.goes_on(self)
        if fresh:
            self._make_grid(y.astype(np.float64))
        inputs = fitting.inputs_of(self, X, fresh=fresh)
        task = self._task(inputs, y, sample_weight)
        probs, rows = fitting.fit(self, task)
        assert task.value is not None
        assert task.bins is not None
        held_out = BinnedDistribution(probs, task.bins)
        # How far from its median each held-out number lies, for conformal intervals.
        pit = held_out.pit(task.value.numpy()[rows])
        self.held_out_pit_ = np.sort(np.abs(pit - 0.5))
        return self

    def partial_fit(self, X, y, sample_weight=None) -> "BinnedRegressor":
        """Train on these rows for one more pass; the first call makes the bins."""
        check_numbers(y)
        first = not hasattr(self, "network_")
        X, y = fitting.checked(self, X, y, y_numeric=True, reset=first)
        if first:
            self._make_grid(y.astype(np.float64))
        inputs = fitting.inputs_of(self, X, fresh=first)
        fitting.one_more_pass(self, self._task(inputs, y, sample_weight))
        vars(self).pop("held_out_pit_", None)  # these rows are learned from now
        return self

    def _make_grid(self, y: np.ndarray) -> None:
        """The bins, in the units of the target."""
        self.scale_ = scales.fitted(self.target_transform, y)
        if isinstance(self.n_bins, Bins):
            self.bins_ = self.n_bins
        else:
            self.bins_ = scales.grid(
                self.scale_, y, self.n_bins, self.strategy, self.tails
            )

    def _task(self, inputs: torch.Tensor, y: np.ndarray, sample_weight) -> TrainingData:
        value = torch.tensor(scales.scaled(self.scale_, y.astype(np.float64)))
        edges = scales.scaled(self.scale_, self.bins_.edges.numpy())
        bins = Bins(edges, tails=self.bins_.tails)
        index = bins.index(value)
        line = balanced_line(bins, index)
        weight = torch.tensor(fitting.weights_of(inputs, sample_weight))
        return TrainingData(inputs, index, value, line, bins, weight)

    def predict_dist(self, X) -> BinnedDistribution:
        """The predicted distribution of each row."""
        probs = fitting.probabilities(self, X)
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
        if not 0 <= coverage <= 1:
            raise ValueError(f"coverage must lie between 0 and 1, got {coverage}")
        if conformal:
            check_is_fitted(self)
            if not hasattr(self, "held_out_pit_"):
                raise ValueError(
                    "conformal intervals need rows that training held out, and "
                    "partial_fit holds out none; use fit"
                )
            distance = np.concatenate([[0.0], self.held_out_pit_, [0.5]])
            rank = np.ceil(coverage * (len(distance) - 1))
            coverage = float(2 * distance[int(rank)])
        return np.stack(self.predict_dist(X).interval(coverage), -1)

    def predict_var(self, X) -> np.ndarray:
        """Variance of the predicted distribution."""
        return self.predict_dist(X).var()

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to one file, without pickle, for `load`."""
        archive.save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> "BinnedRegressor":
        """The fitted estimator that `save` wrote; no code of the file is run."""
        return archive.load(path, cls)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
