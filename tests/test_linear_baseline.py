"""The linear model that a comparison of few rows has for a baseline."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from offby import Circle
from offby.comparison.methods.inputs import columns
from offby.comparison.methods.linear import proportional_odds
from offby.comparison.methods.references import BASELINES
from offby.comparison.problem import Problem

(LINEAR,) = (each for each in BASELINES if each.name == "linear")


def problem(n: int = 120, n_classes: int = 2, **settings) -> Problem:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    latent = X @ [1.0, -0.5, 0.2] + rng.logistic(size=n)
    cuts = np.quantile(latent, np.arange(1, n_classes) / n_classes)
    places = tuple(map(float, range(n_classes)))
    y = np.digitize(latent, cuts)
    return Problem(X, y, "classes", places, 0, "quantile", 3, 0, **settings)


@pytest.mark.parametrize("weighted", [False, True])
def test_of_two_classes_it_is_the_logistic_regression_of_scikit_learn(weighted):
    weight = np.random.default_rng(1).uniform(0.2, 3, 120) if weighted else None
    fold = problem(weight=weight).folds[0]
    form, probs = proportional_odds(fold)
    learned, tested = columns(fold)
    model = LogisticRegression(tol=1e-10, max_iter=1000)
    model.fit(learned, fold.train.y, sample_weight=fold.train.row_weights())
    assert form == "probs"
    np.testing.assert_allclose(probs, model.predict_proba(tested), atol=2e-4)


def test_more_classes_have_one_score():
    fold = problem(n_classes=4).folds[0]
    _, probs = proportional_odds(fold)
    above = 1 - probs.cumsum(1)[:, :-1]
    odds = np.log(above / (1 - above))
    # Thresholds are the same for all rows.
    np.testing.assert_allclose(np.ptp(np.diff(odds, axis=1), axis=0), 0, atol=1e-6)
    assert (np.diff(odds, axis=1) < 0).all()


def test_it_is_there_for_few_rows_of_ordered_classes():
    assert LINEAR.suits(problem())
    assert not LINEAR.suits(problem(1001))
    assert not LINEAR.suits(problem(n_classes=4, ground=Circle.regular(4)))
    assert LINEAR.numbers is None
