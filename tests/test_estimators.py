import copy
import pickle
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    estimator_checks_generator,
    parametrize_with_checks,
)

from offby.bins import Bins
from offby.tabular import BinnedRegressor, OrdinalClassifier, _base
from offby.tabular.calibration import Isotonic, Temperature

QUICK: dict[str, Any] = {
    "max_iter": 30,
    "n_members": 2,
    "n_bags": 1,
    "hidden_layer_sizes": (32,),
    "learning_rate_init": 0.01,
    "random_state": 0,
}


WEIGHTS_ARE_NOT_COPIES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a copy of a row shifts the draws of batches and of rows held out; as with "
        "scikit-learn's own stochastic fits, such as MLPClassifier's"
    ),
}
# scikit-learn wants predict to be the likeliest class; the median, our default because
# it errs least far, is another class in rows where the mass is split.
MEDIAN_IS_NOT_MODE = {
    "check_classifiers_train": "predict is the median, the check wants the mode",
}


def expected_failures(estimator):
    median = getattr(estimator, "decision", "") == "median"
    return WEIGHTS_ARE_NOT_COPIES | (MEDIAN_IS_NOT_MODE if median else {})


@pytest.mark.filterwarnings("ignore:the classes are text")
@parametrize_with_checks(
    [OrdinalClassifier(**QUICK), BinnedRegressor(**QUICK)],
    expected_failed_checks=expected_failures,
)
def test_keeps_the_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:the classes are text")
def test_the_mode_keeps_the_contract_of_classifiers():
    """What is decided is all that differs from the median, whose checks run above."""
    model = OrdinalClassifier(decision="mode", **QUICK)
    done = set()
    checks: Any = estimator_checks_generator(model)
    for estimator, check in checks:
        name = getattr(check, "func", check).__name__
        if "classifiers" in name:
            check(estimator)
            done.add(name)
    assert done >= {"check_classifiers_train", "check_classifiers_classes"}


def test_learns_an_order_given_in_words():
    rng = np.random.default_rng(0)
    size = rng.uniform(0, 3, 600)
    y = np.array(["low", "medium", "high"])[size.astype(int)]
    model = OrdinalClassifier(categories=["low", "medium", "high"], **QUICK)
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
    model = BinnedRegressor(**QUICK).fit(X[:1500], y[:1500])
    for conformal in (False, True):
        ends = model.predict_interval(X[1500:], coverage=0.9, conformal=conformal)
        assert (
            0.82 < np.mean((ends[:, 0] <= y[1500:]) & (y[1500:] <= ends[:, 1])) < 0.97
        )
    assert model.score(X[1500:], y[1500:]) > 0.9


def test_takes_frames_with_categories_and_gaps():
    import polars as pl

    frame = pl.DataFrame(
        {"size": [1.0, None, 3.0, 4.0] * 20, "color": ["red", "blue", None, "red"] * 20}
    )
    model = OrdinalClassifier(**QUICK).fit(frame, [0, 1, 2, 3] * 20)
    new = pl.DataFrame({"size": [1.0], "color": ["green"]})
    assert model.predict_proba(new).sum() == pytest.approx(1)


def fitted(estimator: type, X, y, **settings) -> Any:
    """Typed so that a checker lets the tests look at what `fit` leaves behind."""
    return estimator(**{**QUICK, **settings}).fit(X, y)


def linear(n_features, n_classes):
    return torch.nn.Linear(n_features, n_classes)


def rows(n=200, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 3))
    return X, 3 * X[:, 0] + X[:, 1] ** 2 + 0.2 * rng.normal(size=n)


@pytest.mark.parametrize("module", [linear, torch.nn.Linear(99, 10)])
def test_a_network_of_ones_own_is_trained_and_stays_as_it_was(module):
    X, y = rows()
    before = torch.random.get_rng_state()
    grid = Bins.around(y, 10)
    model = fitted(BinnedRegressor, X, y, n_bins=grid, module=module)
    assert isinstance(model.network_.module, torch.nn.Linear)
    assert model.predict_dist(X).crps(y).mean() < 0.9
    assert torch.equal(before, torch.random.get_rng_state())
    if isinstance(module, torch.nn.Linear):
        assert not torch.equal(module.weight, model.network_.module.weight)


class Counts(torch.nn.Module):
    """Constant logits, and a running number as batch normalization has them."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros(n_classes))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, inputs):
        if self.training:
            self.batches += 1
        return self.logits.expand(len(inputs), -1)


def test_buffers_go_back_to_the_best_epoch_as_the_weights_do():
    X, y = rows()
    model = fitted(
        BinnedRegressor,
        X,
        y,
        module=Counts,
        learning_rate_init=0.0,
        n_iter_no_change=10,
    )
    assert len(model.validation_scores_) > 10
    assert float(model.network_.module.batches) == 0


def test_refuses_a_network_of_the_wrong_shape():
    X, y = rows()
    with pytest.raises(
        ValueError, match=r"logits of shape \(2, \d+\), got shape \(2, 5\)"
    ):
        BinnedRegressor(module=torch.nn.Linear(99, 5)).fit(X, y)
    with pytest.raises(TypeError, match="a function of the numbers of features"):
        fitted(BinnedRegressor, X, y, module=lambda n, k: "net")


def test_weightless_rows_teach_nothing():
    X, y = rows(300)
    lies = np.r_[y, np.full(300, 3.0)]
    weight = np.repeat([1.0, 0.0], 300)
    model = BinnedRegressor(**QUICK)
    model.fit(np.r_[X, X], lies, sample_weight=weight)
    assert model.score(X, y) > 0.8


def test_balanced_classes_are_forecast_more_often():
    rng = np.random.default_rng(0)
    y = (rng.uniform(size=400) < 0.1).astype(int)
    X = rng.normal(size=(400, 2)) + y[:, None]
    plain = OrdinalClassifier(**QUICK).fit(X, y).predict_proba(X)
    even = OrdinalClassifier(class_weight="balanced", **QUICK).fit(X, y)
    assert even.predict_proba(X)[:, 1].mean() > 2 * plain[:, 1].mean()


def test_a_class_without_a_row_has_a_small_probability():
    X, y = np.linspace(0, 1, 60)[:, None], np.repeat([1, 3], 30)
    model = OrdinalClassifier(categories=[1, 2, 3, 4], **QUICK).fit(X, y)
    unseen = model.predict_proba(X)[:, [1, 3]]
    assert (unseen > 0).all()
    assert (unseen < 0.5).all()


@pytest.mark.parametrize("calibration", ["temperature", "isotonic"])
def test_correction_keeps_forecasts_whole_and_scores_no_worse(calibration):
    X, y = rows(400)
    plain = BinnedRegressor(**QUICK).fit(X, y)
    model = BinnedRegressor(calibration=calibration, **QUICK).fit(X, y)
    new, truth = rows(400, seed=1)
    crps = model.predict_dist(new).crps(truth).mean()
    assert crps < 1.1 * plain.predict_dist(new).crps(truth).mean()


def test_temperature_undoes_overconfidence():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 5))
    right = softmax(logits, -1)
    index = (right.cumsum(-1) > rng.uniform(size=(4000, 1))).argmax(-1)
    assert Temperature.fit(softmax(2 * logits, -1), index).temperature == (
        pytest.approx(2, rel=0.05)
    )


def test_isotonic_map_undoes_a_bent_distribution_function():
    rng = np.random.default_rng(0)
    right = np.full((20_000, 10), 0.1)
    index = rng.integers(10, size=20_000)
    bent = np.diff(right.cumsum(-1) ** 2, axis=-1, prepend=0)
    found = Isotonic.fit(bent, index)(bent)
    np.testing.assert_allclose(found, right, atol=0.02)


@pytest.mark.parametrize("scale", ["log", "yeo-johnson", "quantile"])
def test_a_transformed_target_is_forecast_in_its_own_units(scale):
    X, y = rows(300)
    model = fitted(BinnedRegressor, X, np.exp(y), target_transform=scale)
    assert model.score(X, np.exp(y)) > 0.6
    ends = model.bins_.edges
    assert ends[0] < np.exp(y).min()
    assert ends[-1] > np.exp(y).max()


@pytest.mark.parametrize("factor", [1e12, 1e-12])
def test_the_unit_of_the_target_does_not_matter(factor):
    X, y = rows()
    plain = BinnedRegressor(**QUICK).fit(X, y).predict(X)
    scaled = BinnedRegressor(**QUICK).fit(X, factor * y).predict(X)
    np.testing.assert_allclose(scaled / factor, plain, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (np.array(["a"] * 30), "got text"),
        (np.arange(30).astype("datetime64[D]"), "dates or times"),
        (np.r_[np.inf, np.arange(29.0)], "infinity"),
    ],
)
def test_a_target_that_is_no_number_is_refused(y, says):
    with pytest.raises(ValueError, match=says):
        BinnedRegressor(**QUICK).fit(np.arange(30.0)[:, None], y)


def test_odd_tables_train():
    rng = np.random.default_rng(0)
    for X, y in [
        (rng.normal(size=(3, 1)), np.arange(3.0)),  # three rows
        (np.ones((40, 2)), rng.normal(size=40)),  # constant columns
        (rng.normal(size=(30, 3000)), rng.normal(size=30)),  # wide
        (rng.normal(size=(40, 2)), np.arange(40)),  # as many classes as rows
        (np.full((40, 1), np.nan), rng.normal(size=40)),  # a column of gaps
        (rng.normal(size=(40, 2)) * 1e300, rng.normal(size=40)),  # huge
    ]:
        model = BinnedRegressor(**QUICK).fit(X, y)
        assert np.isfinite(model.predict(X)).all()


def test_goes_on_where_it_stopped():
    X, y = rows()
    model = fitted(BinnedRegressor, X, y, max_iter=3, warm_start=True)
    first = model.validation_scores_
    assert model.fit(X, y).validation_scores_[0] < first[0]


def test_learns_in_passes():
    X, y = rows()
    classes = np.digitize(y, [-1, 1])
    model = OrdinalClassifier(**QUICK)
    with pytest.raises(ValueError, match="must know all classes"):
        model.partial_fit(X, classes)
    for _ in range(30):
        model.partial_fit(X, classes, classes=[0, 1, 2])
    assert model.score(X, classes) > 0.8
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, :2], classes)
    regressor = BinnedRegressor(**QUICK)
    for _ in range(30):
        regressor.partial_fit(X, y)
    assert regressor.score(X, y) > 0.7


def test_stops_when_the_time_is_over():
    X, y = rows()
    model = fitted(BinnedRegressor, X, y, max_iter=10**6, max_time=1e-3)
    assert len(model.validation_scores_) <= 3


@pytest.mark.parametrize("estimator", [OrdinalClassifier, BinnedRegressor])
def test_survives_pickle_joblib_and_clone(estimator, tmp_path):
    X, y = rows()
    y = np.digitize(y, [-1, 1])
    unfitted: Any = clone(estimator(**QUICK))
    model = unfitted.fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    joblib.dump(copy.deepcopy(model), tmp_path / "model")
    for twin in (again, joblib.load(tmp_path / "model")):
        np.testing.assert_array_equal(twin.predict(X), model.predict(X))


def test_same_seed_same_bits_in_threads_and_processes():
    X, y = rows()
    y = np.digitize(y, [-1, 1])
    model = OrdinalClassifier(**QUICK)
    runs = [cross_val_predict(model, X, y, cv=3, method="predict_proba")]
    for backend in ("threading", "loky"):
        with joblib.parallel_config(backend, n_jobs=2):
            runs.append(cross_val_predict(model, X, y, cv=3, method="predict_proba"))
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])


def test_works_inside_scikit_learns_own_tools():
    X, y = rows()
    classes = np.digitize(y, [-1, 1])
    few = {**QUICK, "max_iter": 5}
    grid = GridSearchCV(OrdinalClassifier(**few), {"loss": ["ce", "cce"]}, cv=2)
    assert grid.fit(X, classes).best_params_["loss"] in ("ce", "cce")
    pipe = make_pipeline(StandardScaler(), BinnedRegressor(**few)).fit(X, y)
    found: Any = permutation_importance(pipe, X, y, n_repeats=2)
    assert found.importances_mean.shape == (3,)
    calibrated = CalibratedClassifierCV(OrdinalClassifier(**few), cv=2)
    assert calibrated.fit(X, classes).predict_proba(X).shape == (200, 3)


def test_verbose_shows_a_bar(capsys):
    X, y = rows(40)
    BinnedRegressor(**{**QUICK, "max_iter": 2}, verbose=1).fit(X, y)
    assert "BinnedRegressor" in capsys.readouterr().err


def test_going_on_keeps_bins_classes_and_bags():
    X, y = rows()
    model = fitted(BinnedRegressor, X, y, warm_start=True, n_bags="auto", max_iter=2)
    edges = model.bins_.edges
    with pytest.warns(UserWarning, match="20% of the targets lie outside of the bins"):
        model.fit(X[:20], 2 * y[:20])
    assert torch.equal(model.bins_.edges, edges)
    assert model.network_.n_runs == 5
    two = fitted(OrdinalClassifier, X, (y > 0).astype(int), warm_start=True, max_iter=2)
    with pytest.raises(ValueError, match=r"but 2 is not among \[0, 1\]"):
        two.fit(X, np.digitize(y, [-1, 1]))


def test_one_more_pass_moves_every_bag():
    X, y = rows()
    model = fitted(BinnedRegressor, X, y, n_bags=3, max_iter=2)
    before = model.network_.head.weight.detach().clone()
    model.partial_fit(X, y)
    moved = (model.network_.head.weight != before).flatten(1).any(1)
    assert moved.tolist() == [True] * 3


def test_every_further_pass_has_another_order_of_rows(monkeypatch):
    X, y = rows(40)
    seeds = []
    monkeypatch.setattr(
        _base, "train_epochs", lambda network, runs, *_: seeds.append(runs[0].seed)
    )
    model = BinnedRegressor(**QUICK)
    for _ in range(3):
        model.partial_fit(X, y)
    assert len(set(seeds)) == 3


def test_conformal_intervals_know_their_limits():
    X, y = rows()
    model = fitted(BinnedRegressor, X, y)
    low, high = model.predict_interval(X, 0.0, conformal=True).T
    np.testing.assert_allclose(low, high)
    with pytest.raises(ValueError, match="coverage must lie between 0 and 1"):
        model.predict_interval(X, 2.0, conformal=True)
    model.partial_fit(X, y)
    with pytest.raises(ValueError, match="holds out none"):
        model.predict_interval(X, conformal=True)


@pytest.mark.parametrize("seed", range(3))
def test_a_transform_with_an_end_gives_finite_bins(seed):
    # Yeo-Johnson of very skewed numbers is bounded: a margin may lie beyond its bound.
    X, y = rows()
    skewed = np.exp(3 * np.random.default_rng(seed).normal(size=len(y)))
    model = fitted(
        BinnedRegressor, X, skewed, target_transform="yeo-johnson", n_bins=10
    )
    assert model.bins_.edges.isfinite().all()
    assert model.bins_.edges[-1] > skewed.max()


def test_a_refit_learns_from_the_rows_held_out_too():
    X, y = rows()
    half = {"validation_fraction": 0.5, "max_iter": 40}
    plain = fitted(BinnedRegressor, X, y, **half)
    again = fitted(BinnedRegressor, X, y, refit=True, **half)
    # What was held out is judged, and stops the training, as without.
    assert again.validation_scores_ == plain.validation_scores_
    assert again.n_iter_ == plain.n_iter_
    np.testing.assert_array_equal(again.held_out_pit_, plain.held_out_pit_)
    assert again.score(X, y) > plain.score(X, y)
    new, truth = rows(400, seed=1)
    assert (
        again.predict_dist(new).crps(truth).mean()
        < plain.predict_dist(new).crps(truth).mean()
    )


def test_a_refit_of_no_passes_is_the_network_it_began_with():
    X, y = rows()
    plain = fitted(BinnedRegressor, X, y, max_iter=0)
    again = fitted(BinnedRegressor, X, y, max_iter=0, refit=True)
    np.testing.assert_array_equal(again.predict(X), plain.predict(X))


def test_every_bag_is_refitted_for_its_own_passes():
    X, y = rows()
    model = fitted(BinnedRegressor, X, y, n_bags=3, refit=True)
    plain = fitted(BinnedRegressor, X, y, n_bags=3)
    moved = (model.network_.head.weight != plain.network_.head.weight).flatten(1).any(1)
    assert moved.tolist() == [True] * 3
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize(("n", "bags"), [(24, 1), (25, 5), (4999, 5), (5000, 1)])
def test_five_bags_are_for_tables_of_25_to_4999_rows(n, bags):
    X = np.linspace(0, 1, n)[:, None]
    model: Any = BinnedRegressor(
        **{**QUICK, "n_bags": "auto", "max_iter": 0, "n_bins": 3}
    )
    assert model.fit(X, X[:, 0]).network_.n_runs == bags


def test_bags_count_rows_by_their_weight():
    X, y = rows(20)
    few = {**QUICK, "n_bags": "auto", "max_iter": 0}
    model: Any = BinnedRegressor(**few).fit(X, y, np.full(20, 2.0))
    assert model.network_.n_runs == 5


def test_a_refit_begins_with_the_first_weights(monkeypatch):
    X, y = rows()
    started, train_epochs = [], _base.train_epochs

    def noted(network, *rest):
        started.append(copy.deepcopy(network.state_dict()))
        train_epochs(network, *rest)

    monkeypatch.setattr(_base, "train_epochs", noted)
    fitted(BinnedRegressor, X, y, refit=True)
    untrained = fitted(BinnedRegressor, X, y, max_iter=0)
    assert len(started) == 1
    for name, value in untrained.network_.state_dict().items():
        assert torch.equal(started[0][name], value)


def test_no_number_has_density_zero():
    X, y = rows()
    for target in (y, np.round(y), np.exp(y), np.minimum(y, 1.0)):
        for transform in (None, "yeo-johnson", "quantile"):
            settings = {"target_transform": transform, "n_bins": 10, "max_iter": 3}
            model = fitted(BinnedRegressor, X, target, bounds=None, **settings)
            away = target.std() * np.array([-4.0, 4.0]) + [target.min(), target.max()]
            density = model.predict_dist(X).log_pdf(away[:, None])
            # Rank scales are steep at their ends: there a tail may be a narrow one.
            least = -40 if transform is None else -np.inf
            assert (density > least).all(), (target, transform)
            # Beyond all numbers there is next to no mass.
            assert model.predict_dist(X).probs[:, [0, -1]].max() < 0.01


def test_quantiles_and_variance_are_those_of_the_distribution():
    X, y = rows()
    model = fitted(BinnedRegressor, X, y)
    predicted = model.predict_dist(X)
    levels = [0.05, 0.5, 0.95]
    found = model.predict_quantiles(X, alpha=levels)
    assert found.shape == (len(X), 3)
    for column, level in zip(found.T, levels, strict=True):
        np.testing.assert_allclose(column, predicted.ppf(level))
    np.testing.assert_allclose(model.predict_var(X), predicted.var())
