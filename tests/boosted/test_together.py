"""The mean of a network and trees, weighted on rows that both held out."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from offby import BinnedEnsemble, OrdinalEnsemble
from offby.grounds import Line
from offby.losses.registry import Labels
from offby.tabular import (
    BinnedRegressor,
    BoostedBinnedRegressor,
    BoostedOrdinalClassifier,
    OrdinalClassifier,
)
from offby.tabular._estimator import HeldOut
from offby.tabular.together.weights import common_rows, fit_weights, mean_of

NETWORK: dict[str, Any] = {"max_iter": 2, "n_members": 2, "hidden_layer_sizes": (8,)}
TREES: dict[str, Any] = {"max_iter": 8, "min_samples_leaf": 5}
CHECKED: dict[str, Any] = {
    "max_iter": 20,
    "n_members": 2,
    "n_bags": 1,
    "hidden_layer_sizes": (16,),
    "learning_rate_init": 0.01,
}
RNG = np.random.default_rng(0)
X = RNG.uniform(-2, 2, (80, 2))
Y = X[:, 0] ** 2 + 0.2 * RNG.normal(size=80)
CLASSES = np.array(["low", "mid", "top"])[np.digitize(Y, [0.5, 1.5])]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the classes are text")
@parametrize_with_checks(
    [
        OrdinalEnsemble(
            [
                OrdinalClassifier(**CHECKED, random_state=0),
                BoostedOrdinalClassifier(**TREES, n_bags=1, random_state=0),
            ],
            decision="mode",
        ),
        BinnedEnsemble(
            [
                BinnedRegressor(**CHECKED, random_state=0),
                BoostedBinnedRegressor(**TREES, n_bags=1, random_state=0),
            ],
            n_bins=10,
        ),
    ],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": "the network's is random"
    },
)
def test_keeps_the_scikit_learn_contract(estimator, check):
    check(estimator)


def held_out(probs, rows, weights=None, index=None) -> HeldOut:
    rows = np.asarray(rows)
    weights = np.ones(len(rows)) if weights is None else np.asarray(weights, float)
    true = torch.tensor(rows % 3 if index is None else index)
    return HeldOut(np.asarray(probs), rows, weights, Labels(true, Line.regular(3)))


def test_rows_are_matched_by_their_number():
    probs = RNG.dirichlet(np.ones(3), 5)
    first = held_out(probs, [4, 0, 2, 3, 1], [1, 2, 3, 4, 5])
    second = held_out(probs[:3], [2, 7, 4], [1.0, 1.0, 9.0])
    one, two = common_rows([first, second])
    assert one.rows.tolist() == two.rows.tolist() == [2, 4]
    np.testing.assert_array_equal(one.probs, probs[[2, 0]])
    np.testing.assert_array_equal(two.probs, probs[[0, 2]])
    assert one.weights.tolist() == [1, 1]
    assert one.labels.index.tolist() == [2, 1]


def test_the_weights_have_the_least_score_of_all():
    index = RNG.integers(0, 3, 300)
    noise = RNG.dirichlet(np.ones(3), (3, 300))
    truth = np.eye(3)[index]
    # Two models that err apart, and one that knows nothing.
    parts = [
        held_out(0.4 * truth + 0.6 * noise[0], range(300), index=index),
        held_out(0.3 * truth + 0.7 * noise[1], range(300), index=index),
        held_out(noise[2], range(300), index=index),
    ]
    weights = fit_weights(parts)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()

    def rps(shares):
        below = mean_of(parts, shares).probs.cumsum(1)[:, :2]
        return ((below - (index[:, None] <= [0, 1])) ** 2).sum(1).mean()

    best = min(
        rps(np.array([a, b, 1 - a - b]))
        for a in np.linspace(0, 1, 41)
        for b in np.linspace(0, 1 - a, 41)
    )
    assert rps(weights) <= best * (1 + 1e-6)
    assert weights[0] > weights[1] > weights[2]


def test_without_a_common_row_all_weigh_the_same():
    parts = [held_out(np.ones((1, 3)) / 3, [row]) for row in (0, 1)]
    assert fit_weights(common_rows(parts)).tolist() == [0.5, 0.5]


def test_a_classifier_is_the_mean_of_its_parts_and_comes_back(tmp_path):
    parts = [OrdinalClassifier(**NETWORK), BoostedOrdinalClassifier(**TREES)]
    order = ["low", "mid", "top"]
    model: Any = OrdinalEnsemble(parts, categories=order).fit(X, CLASSES)
    each = [part.predict_proba(X) for part in model.estimators_]
    mean = np.tensordot(model.weights_, each, 1)
    np.testing.assert_allclose(model.predict_proba(X), mean)
    assert model.categories_.tolist() == order
    assert set(model.predict(X)) <= set(order)
    assert not hasattr(parts[0], "network_")
    model.save(tmp_path / "model.offby")
    loaded = OrdinalEnsemble.load(tmp_path / "model.offby")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_a_regressor_has_one_grid_and_conformal_intervals(tmp_path):
    parts = [BinnedRegressor(**NETWORK), BoostedBinnedRegressor(**TREES)]
    settings: dict[str, Any] = {"n_bins": 8, "target_transform": "quantile"}
    weights = RNG.integers(0, 3, len(Y))
    model: Any = BinnedEnsemble(parts, **settings).fit(X, Y, weights)
    network, trees = model.estimators_
    assert network.bins_ is model.bins_
    assert torch.equal(trees.bins_.edges, model.bins_.edges)
    assert model.held_out_weights_.sum() == weights.sum()
    low, high = model.predict_interval(X, 0.8, conformal=True).T
    assert (low < high).all()
    model.save(tmp_path / "model.offby")
    loaded = BinnedEnsemble.load(tmp_path / "model.offby")
    np.testing.assert_array_equal(
        loaded.predict_interval(X, conformal=True),
        model.predict_interval(X, conformal=True),
    )


@pytest.mark.parametrize("parts", [[], [BinnedRegressor()], ["trees"]])
def test_parts_for_another_target_are_refused(parts):
    with pytest.raises(ValueError, match="estimators must hold"):
        OrdinalEnsemble(parts).fit(X, CLASSES)
