"""Each library trains on the objective, stops on the score and cuts off the rest."""

import numpy as np
import pytest

from offby import Bins
from offby.boosting import (
    catboost_metric,
    catboost_objective,
    catboost_target,
    lightgbm_metric,
    lightgbm_objective,
    objective,
    score_of,
    xgboost_objective,
)
from offby.metrics import histogram_crps, log_score, ranked_probability_score


def rows(n: int, seed: int):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, np.digitize(2 * X[:, 0] + rng.logistic(size=n), [-2, -0.5, 0.5, 2])


def test_lightgbm_stops_on_the_rps_and_predicts_its_best_round():
    lightgbm = pytest.importorskip("lightgbm")
    (X, y), (X_stop, y_stop) = rows(300, 0), rows(200, 1)
    made = objective("ce+emd2", 5).starting_at(y)
    data = lightgbm.Dataset(X, y)
    settings = {"num_class": made.n_outputs, "metric": "None", "verbose": -1}
    settings |= {"objective": lightgbm_objective(made), "num_threads": 1}
    model = lightgbm.train(
        settings,
        data,
        200,
        valid_sets=[lightgbm.Dataset(X_stop, y_stop, reference=data)],
        feval=lightgbm_metric(made),
        callbacks=[lightgbm.early_stopping(5, verbose=False)],
    )
    assert 1 < model.best_iteration < 190
    forecast = made.probabilities(model.predict(X_stop))
    score = ranked_probability_score(y_stop, forecast)
    assert score == pytest.approx(model.best_score["valid_0"]["rps"], rel=1e-5)
    start = made.probabilities(np.zeros((200, made.n_outputs)))
    assert score < 0.7 * ranked_probability_score(y_stop, start)


def test_lightgbm_hands_over_the_weights():
    lightgbm = pytest.importorskip("lightgbm")
    X, y = rows(60, 0)
    made = objective("emd2", 5)
    weight = np.random.default_rng(0).integers(0, 4, 60).astype(float)
    data = lightgbm.Dataset(X, y, weight=weight).construct()
    raw = np.random.default_rng(1).normal(size=(60, made.n_outputs))
    found = lightgbm_objective(made)(raw, data)
    expected = made.gradient_and_curvature(raw, y, weight)
    np.testing.assert_allclose(found, expected, 1e-3, 1e-4)
    _, score, up = lightgbm_metric(made)(raw, data)
    p = made.probabilities(raw)
    weighed = ranked_probability_score(y, p, sample_weight=weight)
    assert score == pytest.approx(weighed, rel=1e-5)
    assert not up


def test_scores_are_those_of_the_metrics():
    rng = np.random.default_rng(0)
    y = rng.gamma(2, size=50)
    bins = Bins.around(y, 12)
    made = objective("emd2", bins).starting_at(y)
    raw = rng.normal(size=(50, made.n_outputs))
    p = made.probabilities(raw)
    assert score_of(made).name == "crps"
    assert score_of(made)(raw, y) == pytest.approx(histogram_crps(y, p, bins))
    classes = objective("cce", 4, class_weight=[1, 2, 3, 4])
    raw, y = rng.normal(size=(9, 5)), rng.integers(0, 4, 9)
    p = classes.probabilities(raw)
    assert score_of(classes)(raw, y) == pytest.approx(ranked_probability_score(y, p))
    assert score_of(classes, "log_score")(raw, y) == pytest.approx(log_score(y, p))
    with pytest.raises(ValueError, match="crps is for numbers"):
        score_of(classes, "crps")


def test_a_missing_library_is_named(monkeypatch):
    for name in ("catboost", "xgboost", "xgboost.objective"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    made = objective("ce", 4)
    for door in (catboost_objective, catboost_metric):
        with pytest.raises(ImportError, match="pip install catboost"):
            door(made)
    with pytest.raises(ImportError, match=r"xgboost>=3\.2"):
        xgboost_objective(made, split_outputs=2)
    with pytest.raises(ValueError, match="split_outputs must be 1 to 5"):
        xgboost_objective(made, split_outputs=6)


def test_catboost_is_told_the_number_of_outputs_by_the_target():
    made = objective("ce+emd2", 5)
    target = catboost_target(made, [3, 0, 4])
    assert target.tolist() == [[y] * made.n_outputs for y in (3.0, 0.0, 4.0)]
