from typing import Any

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from offby.estimators import BinnedRegressor, OrdinalClassifier

QUICK: dict[str, Any] = {"max_iter": 40, "random_state": 0}


# scikit-learn wants predict to be the likeliest class; the median, our default because
# it errs least far, is another class in rows where the mass is split.
MEDIAN_IS_NOT_MODE = {
    "check_classifiers_train": "predict is the median, the check wants the mode",
}


def expected_failures(estimator):
    return MEDIAN_IS_NOT_MODE if getattr(estimator, "decision", "") == "median" else {}


@pytest.mark.filterwarnings("ignore:the classes are text")
@parametrize_with_checks(
    [
        OrdinalClassifier(**QUICK),
        OrdinalClassifier(decision="mode", **QUICK),
        BinnedRegressor(**QUICK),
    ],
    expected_failed_checks=expected_failures,
)
def test_keeps_the_scikit_learn_contract(estimator, check):
    check(estimator)


def test_learns_an_order_given_in_words():
    rng = np.random.default_rng(0)
    size = rng.uniform(0, 3, 600)
    y = np.array(["low", "medium", "high"])[size.astype(int)]
    model = OrdinalClassifier(categories=["low", "medium", "high"], random_state=0)
    assert model.fit(size[:, None], y).score(size[:, None], y) > 0.9
    assert model.predict([[0.2], [1.5], [2.8]]).tolist() == ["low", "medium", "high"]


def test_warns_that_alphabetical_order_is_a_guess():
    X, y = np.arange(30.0)[:, None], np.repeat(["low", "medium", "high"], 10)
    with pytest.warns(UserWarning, match="give their order with categories"):
        OrdinalClassifier(**QUICK).fit(X, y)


def test_interval_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (2000, 1))
    y = 10 * X[:, 0] + rng.normal(0, 1, 2000)
    model = BinnedRegressor(random_state=0).fit(X[:1500], y[:1500])
    low, high = model.predict_interval(X[1500:], coverage=0.9).T
    assert 0.8 < np.mean((low <= y[1500:]) & (y[1500:] <= high)) < 0.97
    assert model.score(X[1500:], y[1500:]) > 0.9


def test_takes_frames_with_categories_and_gaps():
    import polars as pl

    frame = pl.DataFrame(
        {"size": [1.0, None, 3.0, 4.0] * 20, "color": ["red", "blue", None, "red"] * 20}
    )
    model = OrdinalClassifier(**QUICK).fit(frame, [0, 1, 2, 3] * 20)
    new = pl.DataFrame({"size": [1.0], "color": ["green"]})
    assert model.predict_proba(new).sum() == pytest.approx(1)
