"""scikit-learn estimators: they hold settings, call `training.train`, and predict."""

import warnings
from typing import Any, Literal

import narwhals as nw
import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from offby.bins import Bins
from offby.catalog import parse
from offby.distribution import BinnedDistribution
from offby.features import encoder
from offby.grounds import Line
from offby.training import Settings, Task, balanced_line, train


class OrdinalClassifier(ClassifierMixin, BaseEstimator):
    """Classifier for ordered classes: a network that knows how far off it is.

    Args:
        loss: Short name of a loss or a sum of them; `offby losses` lists them.
        categories: The classes in their order; "auto" takes the order of numbers.
            Text in alphabetical order is rarely right: "auto" then warns.
        decision: What `predict` answers: the "median" of the predicted distribution
            (least expected distance) or its "mode" (the likeliest class, as other
            scikit-learn classifiers answer).
        hidden_layer_sizes: Widths of the hidden layers.
        max_iter: Passes over the training rows, at most.
        validation_fraction: Share of rows held out inside to stop early.
        n_iter_no_change: Passes without progress there before training stops.
        random_state: Seed of everything random.

    Attributes:
        classes_: The classes in their order.
        trained_: The network.
        n_iter_: Passes after which its weights were taken.

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
        hidden_layer_sizes: tuple[int, ...] = (128, 128),
        max_iter: int = 200,
        validation_fraction: float = 0.15,
        n_iter_no_change: int = 16,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.loss = loss
        self.categories = categories
        self.decision = decision
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    def fit(self, X, y) -> "OrdinalClassifier":
        """Train on rows `X` and their classes `y`."""
        loss = parse(self.loss)
        if loss.needs_bins:
            raise ValueError(
                f"the loss {self.loss!r} needs numbers, and y holds classes; "
                "use ce, emd2, cce or a sum of them, or a BinnedRegressor"
            )
        if self.decision not in ("median", "mode"):
            raise ValueError(
                f'decision must be "median" or "mode", got {self.decision!r}'
            )
        X, y = _checked(self, X, y, y_numeric=False)
        check_classification_targets(y)
        self.classes_, index = self._order(y)
        line = Line.regular(len(self.classes_))
        _fit(self, X, torch.from_numpy(index), None, line, None)
        return self

    def _order(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        present, index = np.unique(y, return_inverse=True)
        if isinstance(self.categories, str):
            if present.dtype.kind in "OUS" and len(present) > 2:
                warnings.warn(
                    f"the classes are text, in alphabetical order: {list(present)}; "
                    "give their order with categories=[...]",
                    stacklevel=3,
                )
            return present, index
        classes = np.asarray(self.categories)
        place = {label: i for i, label in enumerate(classes.tolist())}
        unknown = [label for label in present.tolist() if label not in place]
        if unknown:
            raise ValueError(
                f"categories must name every class of y, but {unknown[0]!r} is not "
                f"among {classes.tolist()}"
            )
        return classes, np.array([place[label] for label in y.tolist()])

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
        n_bins: How many bins; equal edges are merged. Or a grid of your own, a `Bins`.
        strategy: Bins of equal count ("quantile") or of equal width ("uniform").
        hidden_layer_sizes: Widths of the hidden layers.
        max_iter: Passes over the training rows, at most.
        validation_fraction: Share of rows held out inside to stop early.
        n_iter_no_change: Passes without progress there before training stops.
        random_state: Seed of everything random.

    Attributes:
        bins_: The grid in use.
        trained_: The network.
        n_iter_: Passes after which its weights were taken.

    >>> X = np.linspace(0, 1, 60)[:, None]
    >>> model = BinnedRegressor(n_bins=5, max_iter=5, random_state=0).fit(X, X[:, 0])
    >>> model.predict_dist(X[:2]).median().shape
    (2,)
    """

    def __init__(
        self,
        loss: str = "ce+emd2",
        *,
        n_bins: int | Bins = 50,
        strategy: Literal["quantile", "uniform"] = "quantile",
        hidden_layer_sizes: tuple[int, ...] = (128, 128),
        max_iter: int = 200,
        validation_fraction: float = 0.15,
        n_iter_no_change: int = 16,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.loss = loss
        self.n_bins = n_bins
        self.strategy: Literal["quantile", "uniform"] = strategy
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    def fit(self, X, y) -> "BinnedRegressor":
        """Train on rows `X` and their numbers `y`."""
        X, y = _checked(self, X, y, y_numeric=True)
        y = y.astype(np.float64)
        self.bins_ = self.n_bins if isinstance(self.n_bins, Bins) else self._grid(y)
        value = torch.from_numpy(y)
        index = self.bins_.index(value)
        _fit(self, X, index, value, balanced_line(self.bins_, index), self.bins_)
        return self

    def _grid(self, y: np.ndarray) -> Bins:
        assert not isinstance(self.n_bins, Bins)
        if y.min() == y.max():
            room = max(abs(float(y[0])), 1.0) * 1e-3
            return Bins([y[0] - room, y[0] + room])
        return Bins.around(y, self.n_bins, self.strategy)

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

    def predict_interval(self, X, coverage: float = 0.9) -> np.ndarray:
        """Central interval that holds the number with this probability: rows x 2."""
        return np.stack(self.predict_dist(X).interval(coverage), -1)

    def predict_var(self, X) -> np.ndarray:
        """Variance of the predicted distribution."""
        return self.predict_dist(X).var()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _checked(model, X, y, *, y_numeric: bool) -> tuple[Any, np.ndarray]:
    """Rows and targets: frames stay frames, for their categories; else an array."""
    if _has_words(X):
        validate_data(model, X, y, skip_check_array=True)
        return X, column_or_1d(y, warn=True)
    rules: dict[str, Any] = {"ensure_all_finite": "allow-nan", "y_numeric": y_numeric}
    X, y = validate_data(model, X, y, dtype=np.float64, **rules)
    return X, np.asarray(y)


def _has_words(X) -> bool:
    if not nw.dependencies.is_into_dataframe(X):
        return False
    schema = nw.from_native(X, eager_only=True).schema
    return not all(t.is_numeric() or t == nw.Boolean for t in schema.values())


def _fit(model, X, index, value, line: Line, bins: Bins | None) -> None:
    model.encoder_ = encoder(X).fit(X)
    task = Task(
        inputs=_encoded(model, X),
        index=index,
        value=value,
        line=line,
        bins=bins,
        seed=int(check_random_state(model.random_state).randint(2**31)),
    )
    settings = Settings(
        hidden_layer_sizes=tuple(model.hidden_layer_sizes),
        max_iter=model.max_iter,
        validation_fraction=model.validation_fraction,
        n_iter_no_change=model.n_iter_no_change,
    )
    model.trained_ = train([task], parse(model.loss), settings)[0]
    model.n_iter_ = max(model.trained_.best_epoch, 1)


def _encoded(model: Any, X) -> torch.Tensor:
    inputs = np.asarray(model.encoder_.transform(X), dtype=np.float32)
    # Numbers beyond float32 become its largest, never infinity or NaN.
    return torch.from_numpy(np.nan_to_num(inputs))


@torch.inference_mode()
def _probabilities(model: Any, X) -> np.ndarray:
    check_is_fitted(model)
    if _has_words(X):
        validate_data(model, X, reset=False, skip_check_array=True)
    else:
        X = validate_data(
            model, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan"
        )
    return model.trained_.logits(_encoded(model, X)).double().softmax(-1).numpy()
