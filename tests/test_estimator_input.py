"""What people hand to the estimators: odd tables, odd targets, frames of every kind."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV

from offby.tabular import BinnedRegressor, OrdinalClassifier

QUICK: dict[str, Any] = {
    "max_iter": 5,
    "n_members": 2,
    "n_bags": 1,
    "hidden_layer_sizes": (16,),
    "learning_rate_init": 0.01,
    "random_state": 0,
}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = X[:, 0] + 0.1 * RNG.normal(size=60)
CLASSES = np.digitize(Y, [-0.5, 0.5])


def classifier(**settings) -> Any:
    return OrdinalClassifier(**{**QUICK, **settings})


def regressor(**settings) -> Any:
    return BinnedRegressor(**{**QUICK, **settings})


# Classes


@pytest.mark.parametrize("loss", ["ce", "emd1", "emd2", "cce", "ce+emd2"])
def test_a_class_that_no_row_shows_has_a_probability(loss):
    model = classifier(loss=loss, categories=[0, 1, 2, 3, 4]).fit(X, CLASSES)
    probs = model.predict_proba(X)
    assert probs.shape == (60, 5)
    assert (probs > 0).all()
    np.testing.assert_allclose(probs.sum(1), 1)


def test_a_class_beyond_the_categories_is_refused():
    with pytest.raises(ValueError, match=r"but 2 is not among \[0, 1\]"):
        classifier(categories=[0, 1]).fit(X, CLASSES)


def test_two_classes():
    model = classifier(max_iter=40).fit(X, CLASSES > 0)
    assert model.predict_proba(X).shape == (60, 2)
    assert model.predict(X).dtype == bool
    assert model.score(X, CLASSES > 0) > 0.8


@pytest.mark.filterwarnings("ignore:The number of unique classes is greater")
def test_as_many_classes_as_rows():
    model = classifier().fit(X, np.arange(60))
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1)


def test_a_single_class_is_refused_or_certain():
    assert (classifier().fit(X, np.ones(60, int)).predict(X) == 1).all()


def test_classes_of_text_keep_the_order_given():
    words = np.array(["poor", "fair", "good"])
    model = classifier(categories=list(words), max_iter=40).fit(X, words[CLASSES])
    assert model.categories_.tolist() == words.tolist()
    assert model.classes_.tolist() == sorted(words)
    assert model.score(X, words[CLASSES]) > 0.8


def test_an_ordered_column_says_the_order():
    words = ["poor", "fair", "good", "great"]
    y = np.array(words)[CLASSES]
    ordered = pd.Series(pd.Categorical(y, categories=words, ordered=True))
    for column in (ordered, pl.Series(y, dtype=pl.Enum(words))):
        model = classifier(max_iter=40).fit(X, column)
        assert model.categories_.tolist() == words
        assert model.classes_.tolist() == sorted(words)
        assert model.score(X, y) > 0.8
    with pytest.warns(UserWarning, match="alphabetical order"):
        classifier().fit(X, ordered.cat.as_unordered())


def test_numbers_that_are_no_classes_are_refused():
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier().fit(X, Y)


# Tables


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize(
    "table",
    [
        pytest.param(X[:, :1], id="one feature"),
        pytest.param(RNG.normal(size=(30, 10_000)), id="10,000 features"),
        pytest.param(np.ones((60, 2)), id="constant columns"),
        pytest.param(np.full((60, 2), np.nan), id="columns of gaps"),
        pytest.param(1e300 * X, id="huge"),
        pytest.param(1e-300 * X, id="tiny"),
    ],
)
def test_odd_tables_are_learned_from(make, table):
    model = make(max_iter=2).fit(table, CLASSES[: len(table)])
    assert np.isfinite(model.predict(table)).all()


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize("n", [2, 3])
def test_three_rows_are_enough(make, n):
    assert len(make().fit(X[:n], np.arange(n)).predict(X)) == 60


def test_a_constant_table_gives_the_frequencies():
    model = classifier(max_iter=60, n_bags="auto").fit(np.ones((60, 1)), CLASSES)
    share = np.bincount(CLASSES) / 60
    np.testing.assert_allclose(model.predict_proba([[1.0]])[0], share, atol=0.1)


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize("words", [False, True])
def test_infinity_is_refused_in_training_and_after(make, words):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    if words:
        frame["word"] = "same"
    bad = frame.assign(b=frame["b"].where(frame["b"] < 1, np.inf))
    model = make().fit(frame, CLASSES)
    for call in (lambda: make().fit(bad, CLASSES), lambda: model.predict(bad)):
        with pytest.raises(ValueError, match="contains infinity"):
            call()


def test_frames_with_words_are_checked_as_arrays_are():
    frame = pl.DataFrame({"a": X[:, 0], "word": ["same"] * 60})
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        regressor().fit(frame, Y[:50])
    with pytest.raises(ValueError, match="Input y contains NaN"):
        regressor().fit(frame, np.where(Y > 0, np.nan, Y))


@pytest.mark.parametrize("words", [False, True])
def test_names_of_columns_are_those_of_training(words):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    if words:
        frame["word"] = "same"
    model = regressor().fit(frame, Y)
    assert model.feature_names_in_.tolist() == list(frame.columns)
    with pytest.raises(ValueError, match="same order as they were in fit"):
        model.predict(frame[list(frame.columns)[::-1]])
    with pytest.raises(ValueError, match="unseen at fit time"):
        model.predict(frame.rename(columns={"a": "z"}))


# Targets


@pytest.mark.parametrize("transform", [None, "log", "yeo-johnson", "quantile"])
@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_targets_of_any_unit(transform, unit):
    y = unit * np.exp(Y)
    model = regressor(target_transform=transform, max_iter=60).fit(X, y)
    assert model.score(X, y) > 0.6
    low, high = model.predict_interval(X, 0.9).T
    assert 0.7 < ((low <= y) & (y <= high)).mean() <= 1
    assert np.isfinite(model.predict_dist(X).crps(y)).all()


def test_targets_far_from_zero():
    model = regressor(max_iter=60).fit(X, 1e9 + Y)
    assert model.score(X, 1e9 + Y) > 0.7


def test_whole_numbers_are_numbers_too():
    y = np.clip(np.round(2 * Y), -2, 2).astype(int)
    model = regressor(max_iter=40).fit(X, y)
    # Between the tails.
    assert model.bins_.edges[1:-1].tolist() == [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]
    assert model.score(X, y) > 0.7


@pytest.mark.parametrize("wrap", [np.asarray, pd.Series, pl.Series, list])
@pytest.mark.parametrize(
    ("y", "says"),
    [
        (np.array(["a", "b"] * 30), "got text"),
        (np.arange(60).astype("datetime64[ms]"), "got dates or times"),
    ],
)
def test_dates_and_text_are_no_numbers(wrap, y, says):
    target = y.tolist() if wrap is list else wrap(y)
    with pytest.raises(ValueError, match=says):
        regressor().fit(X, target)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_targets_are_finite(bad):
    with pytest.raises(ValueError, match=r"Input y contains (NaN|infinity)"):
        regressor().fit(X, np.where(Y > 1, bad, Y))


# Frames and settings of scikit-learn


def frames():
    columns = {"a": X[:, 0], "b": X[:, 1], "word": ["red", "blue", None] * 20}
    yield "pandas", pd.DataFrame(columns)
    yield "polars", pl.DataFrame(columns)


def test_frames_of_every_kind_give_one_forecast():
    found = {kind: regressor().fit(frame, Y).predict(frame) for kind, frame in frames()}
    np.testing.assert_array_equal(found["pandas"], found["polars"])


def test_arrow_tables_give_the_same_forecast():
    arrow = pytest.importorskip("pyarrow")
    frame = dict(frames())["polars"]
    table = arrow.table({name: frame[name].to_list() for name in frame.columns})
    found = regressor().fit(table, arrow.chunked_array([Y])).predict(table)
    np.testing.assert_array_equal(found, regressor().fit(frame, Y).predict(frame))


def test_a_new_category_is_forecast():
    for _, frame in frames():
        model = classifier().fit(frame, CLASSES)
        new = type(frame)({"a": [0.0], "b": [None], "word": ["green"]})
        assert model.predict_proba(new).sum() == pytest.approx(1)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_set_output_is_for_transformers_and_changes_nothing_here(output):
    frame = dict(frames())["polars"]
    plain = classifier().fit(frame, CLASSES).predict_proba(frame)
    with sklearn.config_context(transform_output=output):
        found = classifier().fit(frame, CLASSES).predict_proba(frame)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_weights_are_routed_through_a_search(make):
    weight = np.where(X[:, 1] > 0, 1.0, 0.0)
    lies = np.where(X[:, 1] > 0, CLASSES, 2 - CLASSES)
    with sklearn.config_context(enable_metadata_routing=True):
        model = make(max_iter=40).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"loss": ["ce", "emd2"]}, cv=2)
        search.fit(X, lies, sample_weight=weight)
    assert search.best_score_ > 0.4
    right = X[:, 1] > 0
    assert search.best_estimator_.score(X[right], lies[right]) > 0.7


@pytest.mark.parametrize("make", [classifier, regressor])
def test_notebooks_show_the_settings(make):
    model = make(loss="emd2")
    before = model._repr_html_()
    after = model.fit(X, CLASSES)._repr_html_()
    assert "emd2" in before
    assert "not fitted" in before.lower()
    assert "fitted" in after.lower()
    assert "not fitted" not in after.lower()


# Other people's wrappers: not among the locked packages, so whatever they warn of is
# theirs; run where they are installed.


@pytest.mark.filterwarnings("ignore")
def test_skpro_makes_a_regressor_of_the_classifier():
    binned = pytest.importorskip("skpro.regression.binned")
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    # skpro names the bins and takes the sorted names for their order: of ten or more,
    # "class10" would come before "class2".
    names = [f"class{k}" for k in range(9)]
    model = classifier(max_iter=40, categories=names)
    wrapped = binned.HistBinnedProbaRegressor(model, bins=9)
    found = wrapped.fit(frame, pd.DataFrame({"y": Y})).predict_proba(frame)
    assert np.corrcoef(found.mean()["y"], Y)[0, 1] > 0.7


@pytest.mark.filterwarnings("ignore")
def test_skore_evaluates_the_estimators():
    skore = pytest.importorskip("skore")
    losses = {"ce": classifier(loss="ce"), "emd2": classifier(loss="emd2")}
    report = skore.evaluate(losses, X, CLASSES, splitter=3)
    assert report.metrics.summarize().frame().loc["log_loss"].notna().all()
    report = skore.evaluate(regressor(), X, Y, splitter=3)
    assert report.metrics.summarize().frame().loc["rmse"].notna().all()
