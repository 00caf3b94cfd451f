"""Baselines that every comparison includes, and the estimators of the user."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from threadpoolctl import threadpool_limits
from torch import Tensor

from offby.comparison.fits import Fit, Form, outputs_of
from offby.comparison.methods.inputs import columns
from offby.comparison.methods.linear import proportional_odds
from offby.comparison.networks import Design, Settings
from offby.comparison.problem import Fold, Problem, rows_of, tensor
from offby.distribution import BinnedDistribution
from offby.grounds import Line
from offby.losses.registry import Labels, Loss, NamedLoss
from offby.tabular.building import mean_outputs
from offby.tabular.splits import inner_split
from offby.weighted import WeightedSample

LEVELS = tuple((i + 1) / 20 for i in range(19))
"""Levels of the quantiles of the reference rows."""

Forecast = tuple[Form, np.ndarray]

_FASTER: Any = {"learning_rate": 0.2, "max_leaf_nodes": 15}


def each(
    places: Sequence[tuple[Fold, int]], *, forecast: Callable[[Fold], Forecast]
) -> list[Fit]:
    """A fit of a reference for each fold and seed, one after the other."""
    fits = []
    for fold, seed in places:
        begun = time.perf_counter()
        form, outputs = forecast(fold)
        seconds = time.perf_counter() - begun
        fits.append(Fit(fold.number, seed, form, outputs, seconds))
    return fits


def class_frequencies(fold: Fold) -> Forecast:
    """The same forecast for every row: how often each class or bin came in training.

    Of numbers, one row more is shared by the bins that hold none, tails among them:
    the next number may well lie where none was before.
    """
    index = fold.labels(fold.train).index.numpy()
    weight = fold.train.row_weights()
    count = np.bincount(index, weight, minlength=fold.line.n_classes)
    if fold.bins is not None and not count.all():
        count[count == 0] = weight.mean() / (count == 0).sum()
    return "probs", np.tile(count / count.sum(), (len(fold.test.y), 1))


def boosted_classes(fold: Fold) -> Forecast:
    """Class probabilities of scikit-learn's gradient boosting, stopped early."""
    rows, judged = _inner_split(fold)
    y = fold.train.y[rows]
    seen = np.unique(y)
    probs = np.zeros((len(fold.test.y), fold.line.n_classes))
    if len(seen) == 1:
        probs[:, seen[0]] = 1
        return "probs", probs
    # It knows no other classes.
    judged = judged[np.isin(fold.train.y[judged], seen)]
    # Its own inner split needs two rows of every class, and room for all of them.
    roomy = np.bincount(y)[seen].min() >= 2 and len(y) >= 10 * len(seen)
    stops: Any = bool(len(judged) or roomy)
    model: Any = HistGradientBoostingClassifier(early_stopping=stops, random_state=0)
    # One thread, so that the sums have one order on every machine.
    inputs, tested = columns(fold)
    with threadpool_limits(1):
        model.fit(**_given(fold, inputs, rows), **_given(fold, inputs, judged, "_val"))
        probs[:, model.classes_] = model.predict_proba(tested)
    return "probs", probs


def boosted_quantiles(fold: Fold) -> Forecast:
    """19 quantiles of scikit-learn's gradient boosting, in order: rows x 19.

    Larger steps and smaller trees than by default, because 19 models would take most of
    the time of a comparison.
    """
    stops: Any = True
    rows, judged = _inner_split(fold)
    inputs, tested = columns(fold)
    with threadpool_limits(1):
        quantiles = [
            HistGradientBoostingRegressor(
                loss="quantile",
                quantile=level,
                early_stopping=stops,
                random_state=0,
                **_FASTER,
            )
            .fit(**_given(fold, inputs, rows), **_given(fold, inputs, judged, "_val"))
            .predict(tested)
            for level in LEVELS
        ]
    return "quantiles", np.sort(np.stack(quantiles, -1), -1)


def _inner_split(fold: Fold) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and rows to stop by; none where the model may choose them."""
    learned = fold.train
    if learned.groups is None and learned.time is None:
        return np.arange(len(learned.y)), np.arange(0)
    rows, judged = inner_split(
        len(learned.y),
        Settings().validation_fraction,
        torch.Generator().manual_seed(fold.network_seed(0)),
        groups=tensor(learned.groups),
        time=tensor(learned.time),
    )
    return rows.numpy(), judged.numpy()


def _given(
    fold: Fold, inputs: np.ndarray, rows: np.ndarray, name: str = ""
) -> dict[str, Any]:
    """Arguments of scikit-learn's `fit` for some of the rows learned from."""
    learned = fold.train
    if not len(rows):
        return {}
    weight = None if learned.weight is None else learned.weight[rows]
    return {
        f"X{name}": inputs[rows],
        f"y{name}": learned.y[rows],
        f"sample_weight{name}": weight,
    }


def pinball_rows(outputs: Tensor, labels: Labels) -> Tensor:
    """Mean pinball loss of 19 quantiles, in spreads of the training target."""
    assert labels.value is not None
    levels = outputs.new_tensor(LEVELS)
    short = labels.value[..., None].to(outputs) - outputs
    return torch.maximum(levels * short, (levels - 1) * short).mean(-1)


_PINBALL = NamedLoss(
    ((1.0, Loss("pinball", "pinball", "", True, "", "", pinball_rows)),)
)


def network_quantiles(
    places: Sequence[tuple[Fold, int]], *, design: Design
) -> list[Fit]:
    """The same network with 19 quantiles for outputs: rows x 19.

    Those of all folds and seeds train as one batch, which takes less time.
    """
    begun = time.perf_counter()
    runs, scales, starts = [], [], []
    for fold, seed in places:
        y, whole = fold.train.y, fold.data
        sample = WeightedSample.of(y, fold.train.weight)
        mean, spread = sample.mean(), sample.std()
        data = replace(
            whole,
            index=torch.zeros(len(y), dtype=torch.int64),
            value=torch.tensor((y - mean) / spread),
            line=Line.regular(len(LEVELS)),
            bins=None,
        )
        runs.append(design.run(data, fold.network_seed(seed)))
        scales.append((mean, spread))
        starts.append(torch.tensor((sample.quantile(LEVELS) - mean) / spread))
    trained = design.fit_numbers(runs, _PINBALL, torch.stack(starts))
    outputs = [
        outputs_of(each, fold, mean_outputs).astype(np.float64) * spread + mean
        for each, (fold, _), (mean, spread) in zip(trained, places, scales, strict=True)
    ]
    seconds = (time.perf_counter() - begun) / len(places)
    return [
        Fit(fold.number, seed, "quantiles", np.sort(each, -1), seconds)
        for (fold, seed), each in zip(places, outputs, strict=True)
    ]


def user_estimator(fold: Fold, *, name: str, estimator, X) -> Forecast:
    """An estimator of the user's own, fitted on the rows as they came.

    Its probabilities are taken if it has any, else its distribution over bins, else its
    predictions as points.
    """
    weight = fold.train.weight
    given = {} if weight is None else {"sample_weight": weight}
    try:
        learned = rows_of(X, fold.train.numbers)
        model: Any = clone(estimator)
        model.fit(learned, fold.train.y, **given)
        return _said_by(model, fold, rows_of(X, fold.test.numbers))
    except Exception as error:  # Whatever it is, it is not ours to repair.
        raise RuntimeError(
            f"the estimator {name!r} must fit and predict the rows as they came, got "
            f"{type(error).__name__}: {error}; try it on the table by itself"
        ) from error


def _said_by(model, fold: Fold, X) -> Forecast:
    """Form and content of what a fitted model of the user says."""
    if fold.bins is None and hasattr(model, "predict_proba"):
        probs = np.zeros((len(fold.test.y), fold.line.n_classes))
        probs[:, np.asarray(model.classes_, np.int64)] = model.predict_proba(X)
        return "probs", probs
    if fold.bins is not None and hasattr(model, "predict_dist"):
        predicted: BinnedDistribution = model.predict_dist(X)
        return "quantiles", np.stack([predicted.ppf(level) for level in LEVELS], -1)
    points = np.asarray(model.predict(X), np.float64)
    if points.shape != fold.test.y.shape or not np.isfinite(points).all():
        raise ValueError(f"no finite number per row, but shape {points.shape}")
    return "points", points


@dataclass(frozen=True)
class Baseline:
    """A method that every comparison includes: what it forecasts, by kind of target."""

    name: str
    title: str
    classes: Callable[..., Any] | None
    """From a fold to a forecast; a network: from folds, seeds, design to fits."""
    numbers: Callable[..., Any] | None
    is_network: bool = False
    """Whether it is trained as the losses are: for each seed, with their settings."""
    most_rows: int | None = None
    """Rows of the largest table that it is of use for; any by default."""
    needs_line: bool = False
    """Whether classes must have an order."""

    def suits(self, problem: Problem) -> bool:
        """Whether these data are such that it may be of use."""
        small = self.most_rows is None or len(problem.y) <= self.most_rows
        return small and not (self.needs_line and problem.ground is not None)


BASELINES = (
    Baseline(
        "frequencies",
        "class frequencies, the same for every row",
        class_frequencies,
        class_frequencies,
    ),
    Baseline(
        "linear",
        "linear model, proportional odds",
        proportional_odds,
        None,
        most_rows=1000,
        needs_line=True,
    ),
    Baseline(
        "boosting",
        "gradient boosting (scikit-learn)",
        boosted_classes,
        boosted_quantiles,
    ),
    Baseline(
        "pinball",
        "the same network with 19 quantiles",
        None,
        network_quantiles,
        is_network=True,
    ),
)
"""To add one, write its function above and its line here."""
