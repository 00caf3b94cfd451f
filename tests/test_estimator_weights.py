"""A weight means repetition: in everything the estimators look at."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
)

from offby.distribution import BinnedDistribution
from offby.tabular import BinnedRegressor, OrdinalClassifier
from offby.tabular.encoders.table import TableEncoder

QUICK: dict[str, Any] = {
    "max_iter": 3,
    "n_members": 2,
    "n_bags": 1,
    "hidden_layer_sizes": (8,),
    "random_state": 0,
}
RNG = np.random.default_rng(0)
N = 60
X = RNG.uniform(-2, 2, (N, 2))
Y = X[:, 0] ** 2 + 0.2 * RNG.normal(size=N)
CLASSES = np.digitize(Y, [0.5, 1.5])
WEIGHTS = RNG.integers(1, 5, N)
ESTIMATORS = [(OrdinalClassifier, CLASSES, 9), (BinnedRegressor, Y, 1e6)]


def forecasts(model, table=X) -> np.ndarray:
    return model.predict_dist(table).probs


def spoiled(y, junk):
    """Rows of weight 0 among the others: other inputs, other targets."""
    places = np.arange(0, N, 3)
    table = np.insert(X, places, 1e3 * X[places], 0)
    target = np.insert(y, places, junk)
    return table, target, np.insert(np.ones(N), places, 0)


@pytest.mark.parametrize(("estimator", "y", "junk"), ESTIMATORS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"n_bags": "auto"},
        {"calibration": "temperature"},
        {"calibration": "isotonic", "refit": True},
    ],
    ids=str,
)
def test_rows_of_weight_zero_change_nothing(estimator, y, junk, settings):
    plain: Any = estimator(**{**QUICK, **settings}).fit(X, y)
    table, target, weights = spoiled(y, junk)
    again: Any = estimator(**{**QUICK, **settings}).fit(table, target, weights)
    np.testing.assert_array_equal(forecasts(again), forecasts(plain))
    np.testing.assert_array_equal(again.predict(X), plain.predict(X))
    assert again.validation_scores_ == plain.validation_scores_
    if estimator is BinnedRegressor:
        np.testing.assert_array_equal(
            again.predict_interval(X, conformal=True),
            plain.predict_interval(X, conformal=True),
        )
    else:
        assert again.classes_.tolist() == plain.classes_.tolist()


@pytest.mark.parametrize("library", [pd, pl])
def test_rows_of_weight_zero_change_nothing_in_frames(library):
    columns = {"x": X[:, 0], "word": np.where(X[:, 1] > 0, "up", "down")}
    junk = {"x": [1e9] * 5, "word": ["new"] * 5}
    both = {name: [*columns[name].tolist(), *junk[name]] for name in columns}
    plain = BinnedRegressor(**QUICK).fit(library.DataFrame(columns), Y)
    again = BinnedRegressor(**QUICK).fit(
        library.DataFrame(both), np.r_[Y, [1e6] * 5], np.r_[np.ones(N), np.zeros(5)]
    )
    frame = library.DataFrame(columns)
    np.testing.assert_array_equal(forecasts(again, frame), forecasts(plain, frame))


@pytest.mark.parametrize("estimator", [OrdinalClassifier, BinnedRegressor])
@pytest.mark.filterwarnings("ignore")
def test_what_is_not_random_passes_scikit_learns_check(estimator):
    # With no epoch of training: classes, grid, encoder and prior.
    name = estimator.__name__
    untrained = estimator(**{**QUICK, "max_iter": 0})
    check_sample_weight_equivalence_on_dense_data(name, untrained)


@pytest.mark.parametrize("transform", [None, "yeo-johnson", "quantile"])
@pytest.mark.parametrize("strategy", ["quantile", "uniform", "kmeans"])
def test_grid_and_scale_take_weights_as_repetitions(strategy, transform):
    settings = {**QUICK, "max_iter": 0, "strategy": strategy, "n_bins": 12}
    model = BinnedRegressor(**settings, target_transform=transform)
    weighted: Any = model.fit(X, Y, WEIGHTS)
    edges = weighted.bins_.edges
    copies: Any = model.fit(X.repeat(WEIGHTS, 0), Y.repeat(WEIGHTS))
    assert torch.equal(edges, copies.bins_.edges)


def test_the_unit_of_the_line_takes_weights_as_repetitions():
    model: Any = BinnedRegressor(**{**QUICK, "max_iter": 0, "n_bins": 12}).fit(X, Y)
    same = {"reset": False, "fresh": False}
    lines = [
        model._training_data(*rows, **same).line.positions
        for rows in ((X, Y, WEIGHTS), (X.repeat(WEIGHTS, 0), Y.repeat(WEIGHTS), None))
    ]
    assert torch.equal(*lines)
    assert not torch.equal(
        lines[0], model._training_data(X, Y, None, **same).line.positions
    )


@pytest.mark.parametrize("kind", [pd, pl])
def test_encoders_take_weights_as_repetitions_to_the_last_bit(kind):
    frame = kind.DataFrame(
        {
            "x": X[:, 0],
            "gap": np.where(X[:, 1] > 0, X[:, 1], np.nan),
            "word": RNG.choice(
                ["a", "b", "c", "d", "e"], N, p=[0.5, 0.4, 0.05, 0.03, 0.02]
            ),
            "when": pd.date_range("2024-01-01", periods=N).to_numpy(),
        }
    )
    rows = np.arange(N).repeat(WEIGHTS)
    copies = frame.iloc[rows] if kind is pd else frame[rows]
    weighted = TableEncoder().fit(frame, sample_weight=WEIGHTS.astype(float))
    found = weighted.transform(frame)
    np.testing.assert_array_equal(found, TableEncoder().fit(copies).transform(frame))


def test_the_prior_is_the_weighted_share_of_the_classes():
    weights = np.where(CLASSES == 0, 30.0, 1.0)
    model: Any = OrdinalClassifier(**{**QUICK, "max_iter": 0}).fit(X, CLASSES, weights)
    counts = np.bincount(CLASSES, weights)
    expected = (counts + 1 / 3) / (counts.sum() + 1)
    prior = model.network_.prior.flatten().softmax(-1)
    np.testing.assert_allclose(prior, expected, rtol=1e-5)


def test_balanced_class_weights_count_repetitions():
    model = OrdinalClassifier(**{**QUICK, "max_iter": 0}, class_weight="balanced")
    weights = np.where(CLASSES == 0, 30.0, 1.0)
    fitted: Any = model.fit(X, CLASSES, weights)
    np.testing.assert_allclose(fitted.network_.prior.flatten().softmax(-1), 1 / 3, 0.01)


@pytest.mark.parametrize(("estimator", "y", "_"), ESTIMATORS)
@pytest.mark.parametrize("factor", [1e-12, 1e-3])
def test_dividing_all_weights_changes_nothing(estimator, y, _, factor):
    plain: Any = estimator(**QUICK, calibration="isotonic").fit(X, y)
    light: Any = estimator(**QUICK, calibration="isotonic")
    light.fit(X, y, np.full(N, factor))
    np.testing.assert_allclose(forecasts(light), forecasts(plain), rtol=1e-4, atol=1e-7)


def test_whole_weights_train_as_repetitions_do():
    # Within the noise of training: half of the rows, each twice, or with weight 2.
    rng = np.random.default_rng(1)
    table = rng.uniform(-2, 2, (400, 2))
    y = table[:, 0] ** 2 + 0.2 * rng.normal(size=400)
    twice = np.where(table[:, 1] > 0, 3, 1)
    settings = {**QUICK, "max_iter": 40, "n_bins": 20, "learning_rate_init": 0.01}
    weighted = BinnedRegressor(**settings).fit(table, y, twice)
    copies = BinnedRegressor(**settings).fit(table.repeat(twice, 0), y.repeat(twice))
    new = rng.uniform(-2, 2, (300, 2))
    truth = new[:, 0] ** 2 + 0.2 * rng.normal(size=300)
    weighted_crps, copies_crps = (
        model.predict_dist(new).crps(truth).mean() for model in (weighted, copies)
    )
    assert weighted_crps == pytest.approx(copies_crps, rel=0.25)


@pytest.mark.parametrize("calibration", ["temperature", "isotonic"])
def test_noise_of_next_to_no_weight_stays_out_of_calibration(calibration):
    noise = np.random.default_rng(2)
    table = np.r_[X, noise.uniform(-2, 2, (150, 2))]
    y = np.r_[CLASSES, noise.integers(0, 3, 150)]
    weights = np.r_[np.ones(N), np.full(150, 1e-9)]
    settings = {**QUICK, "max_iter": 20, "calibration": calibration}
    weighted = OrdinalClassifier(**settings).fit(table, y, weights)
    loud = OrdinalClassifier(**settings).fit(table, y)
    rps = [model.predict_dist(X).rps(CLASSES).mean() for model in (weighted, loud)]
    assert rps[0] < rps[1]


def test_validation_rows_keep_their_weights(monkeypatch):
    model: Any = BinnedRegressor(**QUICK)
    train = model._learn
    kept = []

    def noted(data):
        kept.append(train(data))
        return kept[0]

    monkeypatch.setattr(model, "_learn", noted)
    model.fit(X, Y, WEIGHTS)
    probs, rows = kept[0].probs, kept[0].rows
    pit = np.abs(BinnedDistribution(probs, model.bins_).pit(Y[rows]) - 0.5)
    order = np.argsort(pit)
    np.testing.assert_allclose(model.held_out_pit_, pit[order])
    np.testing.assert_array_equal(model.held_out_weights_, WEIGHTS[rows][order])


def test_conformal_intervals_count_weights():
    model: Any = BinnedRegressor(**QUICK).fit(X, Y, WEIGHTS)
    rows = model.held_out_pit_.repeat(model.held_out_weights_.astype(int))
    rank = int(np.ceil((len(rows) + 1) * 0.8))
    assert rank <= len(rows)
    reach = 2 * rows[rank - 1]
    np.testing.assert_array_equal(
        model.predict_interval(X, 0.8, conformal=True), model.predict_interval(X, reach)
    )


@pytest.mark.parametrize(("estimator", "y", "_"), ESTIMATORS)
@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (np.zeros(N), "at least one non-zero"),
        (-np.ones(N), "Negative values"),
        (np.full(N, np.nan), "contains NaN"),
        (np.ones(N - 1), r"expected \(60,\)"),
        (np.full(N, 1e308), "must have a sum below 1e30"),
    ],
    ids=["zero", "negative", "NaN", "short", "huge"],
)
def test_weights_that_cannot_be_are_refused(estimator, y, _, weights, says):
    with pytest.raises(ValueError, match=says):
        estimator(**QUICK).fit(X, y, weights)
