"""The boosted estimators: scikit-learn's contract, weights, tables, files."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import offby
from offby.tabular import BoostedBinnedRegressor, BoostedOrdinalClassifier, BoostedTrees

QUICK: dict[str, Any] = {
    "max_iter": 12,
    "n_bags": 2,
    "min_samples_leaf": 5,
    "random_state": 0,
}
RNG = np.random.default_rng(0)
N = 80
X = RNG.uniform(-2, 2, (N, 2))
Y = X[:, 0] ** 2 + 0.2 * RNG.normal(size=N)
CLASSES = np.digitize(Y, [0.5, 1.5])
WEIGHTS = RNG.integers(1, 4, N)
ESTIMATORS = [(BoostedOrdinalClassifier, CLASSES, 9), (BoostedBinnedRegressor, Y, 1e6)]
# scikit-learn wants predict to be the likeliest class; the median is another one in
# rows where the mass is split.
MEDIAN_IS_NOT_MODE = {
    "check_classifiers_train": "predict is the median, the check wants the mode",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the classes are text")
@parametrize_with_checks(
    [
        BoostedOrdinalClassifier(**{**QUICK, "n_bags": 1}, decision="mode"),
        BoostedBinnedRegressor(**{**QUICK, "n_bags": 1}, n_bins=10),
    ],
)
def test_keeps_the_scikit_learn_contract(estimator, check):
    # Its check that a weight is as good as copies included: here nothing is random.
    check(estimator)


def forecasts(model, table: Any = X) -> np.ndarray:
    return model.predict_dist(table).probs


@pytest.mark.parametrize(("estimator", "y", "junk"), ESTIMATORS)
@pytest.mark.parametrize("calibration", [None, "isotonic"])
def test_weights_are_repetitions_to_the_last_bit(estimator, y, junk, calibration):
    settings = {**QUICK, "calibration": calibration}
    weighted: Any = estimator(**settings).fit(X, y, WEIGHTS)
    copies = np.arange(N).repeat(WEIGHTS)[::-1]
    again: Any = estimator(**settings).fit(X[copies], y[copies])
    np.testing.assert_array_equal(forecasts(again), forecasts(weighted))
    assert again.validation_scores_ == weighted.validation_scores_
    table, target = np.r_[X, 1e3 * X[:5]], np.r_[y, np.full(5, junk)]
    again.fit(table, target, np.r_[WEIGHTS, np.zeros(5)])
    np.testing.assert_array_equal(forecasts(again), forecasts(weighted))
    if estimator is BoostedBinnedRegressor:
        np.testing.assert_array_equal(
            again.predict_interval(X, conformal=True),
            weighted.predict_interval(X, conformal=True),
        )


def frame(kind) -> Any:
    columns = {
        "x": X[:, 0],
        "gap": np.where(X[:, 1] > 0, X[:, 1], np.nan),
        "word": np.where(X[:, 1] > 1, "up", np.where(X[:, 1] > 0, "flat", "down")),
        "when": pd.date_range("2024-01-01", periods=N).to_numpy(),
        "nothing": np.full(N, np.nan),
    }
    return kind.DataFrame(columns)


@pytest.mark.parametrize("kind", [pd, pl])
@pytest.mark.parametrize(("estimator", "y", "_"), ESTIMATORS)
def test_a_saved_model_forecasts_the_same_to_the_last_bit(
    kind, estimator, y, _, tmp_path
):
    table = frame(kind)
    model = estimator(**QUICK, calibration="temperature").fit(table, y)
    model.save(tmp_path / "model.offby")
    loaded = estimator.load(tmp_path / "model.offby")
    assert vars(loaded).keys() == vars(model).keys()
    np.testing.assert_array_equal(forecasts(loaded, table), forecasts(model, table))
    assert loaded.get_params() == model.get_params()


def test_the_file_holds_trees_as_lightgbm_reads_them(tmp_path):
    import zipfile

    import lightgbm

    model: Any = BoostedBinnedRegressor(**QUICK).fit(X, Y)
    model.save(tmp_path / "model.offby")
    with zipfile.ZipFile(tmp_path / "model.offby") as file:
        kinds = {name.rpartition(".")[2] for name in file.namelist()}
        assert kinds == {"json", "npy", "txt"}
        booster = lightgbm.Booster(model_str=file.read("0.txt").decode())
    raw = model.forests_[0].raw(X, model.outputs_.n_outputs, 1)
    np.testing.assert_array_equal(booster.predict(X, raw_score=True), raw)


@pytest.mark.parametrize("kind", [pd, pl])
def test_words_are_split_as_sets(kind):
    # The classes depend on the word alone, in no order of its letters.
    words = np.array(["b", "d", "a", "e", "c", "f"])[np.arange(300) % 6]
    y = np.isin(words, ["a", "c", "f"]).astype(int)
    table = kind.DataFrame({"word": words})
    model: Any = BoostedOrdinalClassifier(random_state=0).fit(table, y)
    assert (model.predict(table) == y).all()
    assert "cat_threshold" in model.forests_[0].text
    new = kind.DataFrame({"word": ["z", None]})
    np.testing.assert_allclose(model.predict_proba(new).sum(1), 1)


def test_every_row_is_forecast_by_a_bag_that_held_it_out():
    model: Any = BoostedBinnedRegressor(**QUICK).fit(X, Y, WEIGHTS)
    assert model.held_out_weights_.sum() == WEIGHTS.sum()
    assert len(model.held_out_pit_) == N


def test_early_stopping_keeps_the_best_round():
    settings = {**QUICK, "n_bags": 1, "max_iter": 300, "n_iter_no_change": 10}
    model: Any = BoostedOrdinalClassifier(**settings).fit(X, RNG.integers(0, 3, N))
    scores = model.validation_scores_
    assert np.argmin(scores) + 11 == len(scores)
    best = int(np.argmin(scores))
    assert model.n_iter_ == max(1, best)
    assert model.forests_[0].text.count("Tree=") == best * model.outputs_.n_outputs


@pytest.mark.parametrize(("estimator", "y", "_"), ESTIMATORS)
def test_threads_and_copies_change_nothing(estimator, y, _):
    model = estimator(**QUICK).fit(X, y)
    again: Any = clone(model)
    again.fit(X, y)
    np.testing.assert_array_equal(forecasts(again), forecasts(model))
    two = estimator(**QUICK, n_jobs=2).fit(X, y)
    np.testing.assert_allclose(forecasts(two), forecasts(model), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("learning_rate", [0, -1, "small", None]),
        ("max_leaf_nodes", [1, 2.5, None]),
        ("min_samples_leaf", [-1, None]),
        ("max_iter", [-1, 2.5]),
        ("n_bags", [0, "many", N + 1]),
        ("loss", ["mse", None]),
    ],
)
@pytest.mark.parametrize(("estimator", "y", "_"), ESTIMATORS)
def test_a_wrong_setting_is_refused_by_name(name, values, estimator, y, _):
    for value in values:
        with pytest.raises((TypeError, ValueError), match=name):
            estimator(**{**QUICK, name: value}).fit(X, y)


@pytest.mark.parametrize("estimator", [each for each, *_ in ESTIMATORS])
def test_every_setting_is_documented(estimator):
    names = list(estimator().get_params())
    assert set(estimator._parameter_constraints) == set(names)
    documented = estimator.__doc__ + BoostedTrees.__doc__
    for name in names:
        assert f"        {name}: " in documented or f"`{name}`" in documented


def test_public_names():
    assert offby.BoostedOrdinalClassifier is BoostedOrdinalClassifier
    assert offby.BoostedBinnedRegressor is BoostedBinnedRegressor


def test_three_classes_around_a_circle_are_all_as_far_apart():
    """So they are learned as well as at equal costs: nothing is lost on the way."""
    grounds = (offby.Circle([0.0, 1.0, 2.0], 3.0), offby.Costs.equal(3))
    around, apart = (
        BoostedOrdinalClassifier(ground=ground, **QUICK).fit(X, CLASSES)
        for ground in grounds
    )
    assert around.score(X, CLASSES) > 0.75
    # Two ways through the kernel, both in float32.
    np.testing.assert_allclose(around.predict_proba(X), apart.predict_proba(X), 1e-5)
