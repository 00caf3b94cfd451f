"""Estimators take a criterion or a function where they take a name."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import offby
from offby import BinnedRegressor, Bins, Costs, Line, OrdinalClassifier, nn

SMALL: dict[str, Any] = {
    "max_iter": 3,
    "n_members": 2,
    "n_bags": 2,
    "hidden_layer_sizes": (8,),
    "random_state": 0,
}
X = np.random.default_rng(0).normal(size=(80, 3))
Y = np.digitize(X[:, 0], [-0.5, 0.5])
GRID = Bins.uniform(-4, 4, 9)


def summed_cross_entropy(logits, target):
    return torch.nn.functional.cross_entropy(logits, target, reduction="none")


def mixed(**settings):
    terms = [(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss())]
    return nn.MixedLoss(terms, **settings)


def classifier(loss):
    return OrdinalClassifier(loss=loss, **SMALL).fit(X, Y)


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (nn.CrossEntropyLoss(), "ce"),
        (nn.SquaredEMDLoss(), "emd2"),
        (nn.CumulativeCrossEntropyLoss(reduction="sum", dim=-1), "cce"),
        (
            nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss())]),
            "ce+emd2",
        ),
        (summed_cross_entropy, "ce"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_criterion_trains_as_its_name_does(loss, name):
    np.testing.assert_allclose(
        classifier(loss).predict_proba(X), classifier(name).predict_proba(X), atol=1e-4
    )


@pytest.mark.parametrize(
    ("loss", "name"),
    [(nn.HistogramCRPSLoss(GRID), "crps"), (nn.HistogramNLLLoss(GRID), "nll")],
)
def test_a_criterion_of_numbers_trains_a_regressor(loss, name):
    settings = {"n_bins": GRID, **SMALL, "max_iter": 12}
    y = X[:, 0]
    by_criterion = BinnedRegressor(loss=loss, **settings).fit(X, y).predict_dist(X)
    by_name = BinnedRegressor(loss=name, **settings).fit(X, y).predict_dist(X)
    # The named crps is in the unit of its line: steps of another size.
    assert by_criterion.crps(y).mean() == pytest.approx(by_name.crps(y).mean(), rel=0.2)
    if name == "nll":
        np.testing.assert_allclose(by_criterion.probs, by_name.probs, atol=1e-4)


def test_a_criterion_is_copied_and_searched():
    mix = nn.MixedLoss(
        [(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss(Line([0, 1, 5])))],
        balance="ratio",
        head_start=2,
    )
    model = OrdinalClassifier(loss=mix, **SMALL)
    assert model.get_params()["loss"] is mix
    copied: Any = clone(model)
    assert type(copied.loss) is nn.MixedLoss
    first = model.fit(X, Y).predict_proba(X)
    assert mix.means is not None
    assert not mix.means.any()  # what a mix remembers belongs to one training
    np.testing.assert_array_equal(model.fit(X, Y).predict_proba(X), first)
    losses = ["ce", nn.SquaredEMDLoss()]
    search = GridSearchCV(
        OrdinalClassifier(**SMALL),
        {"loss": losses},
        scoring=offby.metrics.scorers["neg_rps"],
        cv=2,
    ).fit(X, Y)
    assert len(search.cv_results_["params"]) == 2


@pytest.mark.parametrize(
    "loss",
    [
        nn.SquaredEMDLoss(Costs([[0, 1, 4], [1, 0, 4], [4, 4, 0]])),
        nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]), label_smoothing=0.1),
        nn.WassersteinLoss(Line([0, 1, 5]), p=2),
        nn.MixedLoss(
            [(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss())], balance="ratio"
        ),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_a_criterion_is_saved_with_its_settings(loss, tmp_path):
    model = classifier(loss)
    model.save(tmp_path / "m.offby")
    again = offby.load(tmp_path / "m.offby")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert repr(again.loss) == repr(loss)
    logits, target = (
        torch.randn(4, 3, generator=torch.Generator()),
        torch.tensor([0, 1, 2, 1]),
    )
    assert torch.equal(again.loss(logits, target), loss(logits, target))
    np.testing.assert_array_equal(
        again.partial_fit(X, Y).predict_proba(X),
        model.partial_fit(X, Y).predict_proba(X),
    )


def test_a_function_is_not_saved(tmp_path):
    model = classifier(summed_cross_entropy)
    with pytest.raises(TypeError, match="a function of your own"):
        model.save(tmp_path / "m.offby")
    model.loss = "ce"
    model.save(tmp_path / "m.offby")


@pytest.mark.parametrize(
    ("loss", "error", "says"),
    [
        (torch.nn.CrossEntropyLoss(), TypeError, "a criterion of offby.nn"),
        (nn.HistogramCRPSLoss(GRID), ValueError, "'HistogramCRPSLoss' needs numbers"),
        (
            lambda z, y: summed_cross_entropy(z, y).mean(),
            ValueError,
            "one value for each",
        ),
        (3, ValueError, "'loss' parameter"),
        (nn.SquaredEMDLoss(Line([0, 1])), ValueError, "classes"),
    ],
)
def test_what_is_no_loss_is_refused(loss, error, says):
    with pytest.raises(error, match=says):
        classifier(loss)


def test_the_grid_of_a_criterion_is_that_of_the_estimator():
    model = BinnedRegressor(loss=nn.HistogramCRPSLoss(GRID), n_bins=5, **SMALL)
    with pytest.raises(ValueError, match="must be those of the estimator"):
        model.fit(X, X[:, 0])
