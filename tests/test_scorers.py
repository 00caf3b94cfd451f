"""Scorers by name: the metrics of offby in scikit-learn's searches."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from offby import BinnedRegressor, OrdinalClassifier, metrics
from offby.metrics import scorers

SMALL = {"max_iter": 2, "n_members": 2, "hidden_layer_sizes": (8,), "random_state": 0}
OF_CLASSES = [name for name, each in scorers.items() if each.of == "classes"]
OF_NUMBERS = [name for name, each in scorers.items() if each.of == "numbers"]


@pytest.fixture(scope="module")
def data():
    X = np.random.default_rng(0).normal(size=(90, 3))
    return X, np.digitize(X[:, 0], [-0.5, 0.5])


@pytest.fixture(scope="module")
def words(data):
    X, y = data
    order = ["low", "mid", "high"]
    labels = np.array(order)[y]
    return OrdinalClassifier(categories=order, **SMALL).fit(X, labels), X, labels, y


def test_scores_are_those_of_the_metrics_in_the_order_of_the_classes(words):
    model, X, labels, y = words
    probs = model.predict_dist(X).probs
    guess = metrics.median_class(probs)
    w = np.linspace(0, 2, len(y))
    wanted = {
        "neg_rps": -metrics.ranked_probability_score(y, probs, sample_weight=w),
        "neg_log_score": -metrics.log_score(y, probs, sample_weight=w),
        "neg_brier_score": -metrics.brier_score(y, probs, sample_weight=w),
        "neg_class_mae": -metrics.mean_absolute_error(y, guess, sample_weight=w),
        "qwk": metrics.quadratic_weighted_kappa(y, guess, sample_weight=w),
        "accuracy_within_1": metrics.accuracy_within(y, guess, sample_weight=w),
    }
    assert set(wanted) == set(OF_CLASSES)
    for name, value in wanted.items():
        assert scorers[name](model, X, labels, w) == pytest.approx(value), name


def test_numbers_are_scored_by_their_distribution(data):
    X, _ = data
    y = X[:, 0]
    model = BinnedRegressor(**SMALL).fit(X, y)
    forecast = model.predict_dist(X)
    low, high = forecast.interval(0.9)
    wanted = {
        "neg_crps": -forecast.crps(y).mean(),
        "neg_log_density": forecast.log_pdf(y).mean(),
        "neg_median_mae": -np.abs(forecast.median() - y).mean(),
        "neg_interval_score_90": -metrics.interval_score(y, low, high, coverage=0.9),
    }
    assert set(wanted) == set(OF_NUMBERS)
    for name, value in wanted.items():
        assert scorers[name](model, X, y) == pytest.approx(value), name


def test_two_classes_are_scored_as_more_are(data):
    X, y = data
    two = (y > 0).astype(int)
    model = LogisticRegression().fit(X, two)
    probs = model.predict_proba(X)
    wanted = metrics.ranked_probability_score(two, probs)
    assert scorers["neg_rps"](model, X, two) == pytest.approx(-wanted)
    for name in OF_CLASSES:
        assert np.isfinite(scorers[name](model, X, two)), name


def test_a_search_takes_them_by_name(data):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), OrdinalClassifier(**SMALL))
    grid = {"ordinalclassifier__loss": ["ce", "emd2"]}
    search = GridSearchCV(
        pipeline,
        grid,
        scoring={name: scorers[name] for name in ("neg_rps", "qwk")},
        refit="neg_rps",  # pyright: ignore[reportArgumentType]
        cv=2,
    ).fit(X, y)
    assert (search.cv_results_["mean_test_neg_rps"] < 0).all()
    assert scorers["neg_rps"](search, X, y) == scorers["neg_rps"](
        search.best_estimator_, X, y
    )
    found = cross_validate(DummyClassifier(), X, y, scoring=scorers["qwk"], cv=2)
    assert found["test_score"] == pytest.approx([0, 0])


def test_other_estimators_are_refused_in_a_sentence(data):
    X, y = data
    with pytest.raises(TypeError, match="needs an estimator with predict_dist"):
        scorers["neg_rps"](LinearRegression().fit(X, y), X, y)
    with pytest.raises(ValueError, match="is for forecasts of numbers"):
        scorers["neg_crps"](DummyClassifier().fit(X, y), X, y)
