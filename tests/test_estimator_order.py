"""Classes in their order and in scikit-learn's: scorers, meta-estimators, recipes."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier

from offby.metrics import log_score, ranked_probability_score
from offby.tabular import OrdinalClassifier

QUICK: dict[str, Any] = {
    "max_iter": 20,
    "n_members": 2,
    "n_bags": 1,
    "hidden_layer_sizes": (16,),
    "learning_rate_init": 0.01,
    "random_state": 0,
}
ORDER = ["low", "mid", "high"]  # alphabetically: high, low, mid
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2))
CODES = np.digitize(X[:, 0], [-0.5, 0.5])
LABELS = np.array(ORDER)[CODES]


def classifier(**settings) -> Any:
    return OrdinalClassifier(**{**QUICK, **settings})


@pytest.fixture(scope="module")
def model() -> Any:
    return classifier(categories=ORDER).fit(X, LABELS)


def test_classes_are_sorted_and_columns_follow(model):
    assert model.classes_.tolist() == sorted(ORDER)
    assert model.categories_.tolist() == ORDER
    dist, probs = model.predict_dist(X), model.predict_proba(X)
    assert dist.classes.tolist() == ORDER
    for column, label in enumerate(model.classes_):
        np.testing.assert_array_equal(
            probs[:, column], dist.probs[:, ORDER.index(label)]
        )
    assert (model.predict(X) == LABELS).mean() > 0.7


@pytest.mark.parametrize("scorer", ["neg_log_loss", "roc_auc_ovr", "roc_auc_ovo"])
def test_scikit_learns_scorers_are_right(model, scorer):
    found = get_scorer(scorer)(model, X, LABELS)
    # The same forecasts of the same classes under names that are in order.
    names = np.array(["a", "b", "c"])
    same = classifier(categories=list(names)).fit(X, names[CODES])
    assert found == pytest.approx(get_scorer(scorer)(same, X, names[CODES]))
    if scorer == "neg_log_loss":
        dist = model.predict_dist(X)
        assert -found == pytest.approx(log_score(LABELS, dist.probs, labels=ORDER))
        assert -found == pytest.approx(dist.log_score(LABELS).mean())


def test_metrics_take_the_labels_in_the_order_of_the_columns(model):
    dist = model.predict_dist(X)
    found = ranked_probability_score(LABELS, dist.probs, labels=dist.classes)
    assert found == pytest.approx(dist.rps(LABELS).mean())
    by_codes = ranked_probability_score(CODES, dist.probs)
    assert found == pytest.approx(by_codes)


def test_a_search_by_log_loss_sees_the_right_columns():
    search = GridSearchCV(
        classifier(categories=ORDER), {"loss": ["ce"]}, scoring="neg_log_loss", cv=2
    )
    search.fit(X, LABELS)
    assert -search.best_score_ < np.log(3)
    best: Any = search.best_estimator_
    assert log_loss(LABELS, best.predict_proba(X), labels=best.classes_) < np.log(3)


NO_ENSEMBLE: Any = False  # scikit-learn's hint names only the text "auto".
META = {
    "calibrated": lambda e: CalibratedClassifierCV(e, cv=2, ensemble=NO_ENSEMBLE),
    "voting": lambda e: VotingClassifier([("one", e)], voting="soft"),
    "stacking": lambda e: StackingClassifier([("one", e)], cv=2),
    "bagging": lambda e: BaggingClassifier(e, n_estimators=2, random_state=0),
    "one against rest": lambda e: OneVsRestClassifier(e),
}


@pytest.mark.parametrize("meta", META)
def test_meta_estimators_that_hide_the_classes_are_refused_with_a_recipe(meta):
    with pytest.raises(ValueError, match=r"in alphabetical order: give it whole numbe"):
        META[meta](classifier(categories=ORDER, max_iter=1)).fit(X, LABELS)


@pytest.mark.parametrize("meta", META)
def test_the_recipe_works(meta):
    fitted = META[meta](classifier()).fit(X, CODES)
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert ranked_probability_score(CODES, fitted.predict_proba(X)) < 0.2


def test_cross_val_predict_hides_the_classes_too():
    with pytest.raises(ValueError, match=r"cross_val_predict seems to have replaced"):
        cross_val_predict(
            classifier(categories=ORDER, max_iter=1),
            X,
            LABELS,
            cv=2,
            method="predict_proba",
        )
    ordered = pd.Series(pd.Categorical(LABELS, ORDER, ordered=True))
    probs: Any = cross_val_predict(
        classifier(), X, ordered.cat.codes, cv=2, method="predict_proba"
    )
    assert ranked_probability_score(CODES, probs) < 0.3


def test_calibrated_classes_of_text_keep_their_columns():
    fitted: Any = CalibratedClassifierCV(classifier(categories=ORDER), cv=2)
    fitted.fit(X, LABELS)
    places = [fitted.classes_.tolist().index(label) for label in ORDER]
    probs = fitted.predict_proba(X)[:, places]
    assert ranked_probability_score(LABELS, probs, labels=ORDER) < 0.2


@pytest.mark.parametrize("decision", ["median", "mode"])
def test_predictions_are_classes_as_they_were_given(decision):
    for categories in ([3, 1, 2], [True, False], ["b", "a"]):
        names = np.array(categories)
        y = names[CODES % len(names)]
        fitted = classifier(categories=categories, decision=decision, max_iter=1)
        found = fitted.fit(X, y).predict(X)
        assert found.dtype.kind == names.dtype.kind
        assert set(found.tolist()) <= set(categories)


def test_predict_forgives_rounding_at_one_half(model, monkeypatch):
    # Ten shares of .05 add up to a little less than one half.
    even = classifier(categories=list(range(20)), max_iter=0).fit(
        X[:40], [*range(20)] * 2
    )
    monkeypatch.setattr(even, "_probabilities", lambda X: np.full((1, 20), 0.05))
    assert even.predict(X[:1]).tolist() == [9]


def test_partial_fit_takes_the_order_of_its_classes():
    model = classifier().partial_fit(X, LABELS, classes=ORDER)
    assert model.categories_.tolist() == ORDER
    assert model.classes_.tolist() == sorted(ORDER)
    with pytest.raises(ValueError, match="must be different, got 'low' twice"):
        classifier().partial_fit(X, LABELS, classes=["low", "low", "mid"])
