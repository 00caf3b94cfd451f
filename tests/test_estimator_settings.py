"""Every setting of a wrong type or range is refused with a sentence that names it."""

import inspect
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from offby import Bins
from offby.tabular import BinnedRegressor, OrdinalClassifier, TabularNetwork

QUICK: dict[str, Any] = {"max_iter": 1, "n_bags": 1, "n_members": 2, "random_state": 0}
X = np.arange(40.0)[:, None]
CLASSES = np.repeat([0, 1], 20)


def no_module(n_inputs, n_outputs):
    return "net"


SHARED = [
    ("loss", [None, 3, "mse"]),
    ("hidden_layer_sizes", [128, (0,), (8.5,), (-3,), "128", None]),
    ("n_members", [0, -1, 2.5, "many", None]),
    ("n_bags", [0, -1, 2.5, "all", None, 41]),
    ("module", [3, "net", torch.nn.Linear(99, 2), no_module]),
    ("calibration", ["platt", True, 1]),
    ("learning_rate_init", [-1e-3, np.nan, np.inf, "small", None]),
    ("batch_size", [0, -5, 2.5, "all", None]),
    ("max_iter", [-3, 2.5, None, "many"]),
    ("max_time", [0, -1, np.nan, "long"]),
    ("validation_fraction", [0, 1, 1.5, 2, -1, np.nan, None, "some"]),
    ("n_iter_no_change", [0, -1, 1.5, None]),
    ("refit", ["yes", 3, None]),
    ("warm_start", ["yes", 3, None]),
    ("n_jobs", [0, 1.5, "all"]),
    ("device", [3, None]),
    ("verbose", ["yes", -1]),
    ("random_state", ["seed", -1, 1.5]),
]
CLASSIFIER = [
    ("categories", ["low", 3, [], [0, 1, 1], ["a", 1], None]),
    ("decision", ["mean", None, 3]),
    ("class_weight", [[1, 2], "even", {0: -1.0, 1: 1.0}, {0: np.inf, 1: 1.0}]),
    ("loss", ["crps"]),
]
REGRESSOR = [
    ("n_bins", [0, 10.0, -1, "auto", None, [1, 2, 3]]),
    ("strategy", ["equal", None]),
    ("tails", ["normal", None]),
    ("target_transform", ["sqrt", 3]),
]


def cases():
    for estimator, own in (
        (OrdinalClassifier, CLASSIFIER),
        (BinnedRegressor, REGRESSOR),
    ):
        for name, values in SHARED + own:
            for value in values:
                said = getattr(value, "__name__", value)
                yield pytest.param(
                    estimator, name, value, id=f"{estimator.__name__}-{name}-{said}"
                )


@pytest.mark.parametrize(("estimator", "name", "value"), list(cases()))
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_wrong_setting_is_refused_by_name(estimator, name, value, method):
    if method == "partial_fit" and value == 41:
        pytest.skip("partial_fit always trains one bag")
    model = estimator(**{**QUICK, name: value})
    y = CLASSES if estimator is OrdinalClassifier else X[:, 0]
    more = {"classes": [0, 1]} if estimator is OrdinalClassifier else {}
    with pytest.raises((TypeError, ValueError), match=name) as caught:
        getattr(model, method)(X, y, **(more if method == "partial_fit" else {}))
    assert "must" in str(caught.value) or "needs" in str(caught.value)
    assert not hasattr(model, "network_")


@pytest.mark.parametrize("estimator", [OrdinalClassifier, BinnedRegressor])
def test_every_setting_has_a_rule_a_default_and_a_line_in_the_documentation(estimator):
    names = list(estimator().get_params())
    assert set(estimator._parameter_constraints) == set(names)
    documented = (estimator.__doc__ or "") + (TabularNetwork.__doc__ or "")
    for name in names:
        assert f"        {name}: " in documented
    parameters = list(inspect.signature(estimator).parameters.values())
    assert [
        each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD
    ] == ["loss"]
    for each in parameters:
        assert each.default is not each.empty
        assert each.kind is not each.VAR_KEYWORD


def test_shared_settings_are_said_once():
    shared = {each.name for each in fields(TabularNetwork)}
    for estimator in (OrdinalClassifier, BinnedRegressor):
        own = set(vars(estimator).get("__annotations__", {}))
        assert not own & shared


@pytest.mark.parametrize("estimator", [OrdinalClassifier, BinnedRegressor])
def test_settings_are_stored_as_given(estimator):
    sizes = [4, np.int64(3)]
    model = estimator(hidden_layer_sizes=sizes, max_iter=np.int64(1), n_bags=1)
    assert model.hidden_layer_sizes is sizes
    copied: Any = clone(model)
    assert copied.get_params() == model.get_params()
    model.fit(X, CLASSES)
    assert model.get_params()["hidden_layer_sizes"] is sizes


def test_a_grid_of_ones_own_is_a_setting_too():
    grid = Bins.uniform(0, 39, 5)
    model: Any = BinnedRegressor(**QUICK, n_bins=grid).fit(X, X[:, 0])
    assert model.bins_ is grid


@pytest.mark.parametrize("max_time", [1e-9])
def test_no_epoch_begins_after_the_time_is_over(max_time):
    settings = {**QUICK, "max_iter": 50}
    model: Any = BinnedRegressor(**settings, max_time=max_time).fit(X, X[:, 0])
    assert len(model.validation_scores_) == 1
