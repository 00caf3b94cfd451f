"""The scale of a target: what it changes in a fold, and how "auto" chooses it."""

from dataclasses import replace

import numpy as np
import pytest

from offby.comparison import compare, target_scale
from offby.comparison.arguments import problem_of
from offby.comparison.config import CompareConfig
from offby.comparison.networks import Settings
from offby.comparison.problem import Problem
from offby.comparison.target_scale import (
    ScaleChoice,
    best_scale,
    chosen_scales,
    sentence,
    skewness,
)
from offby.models import fit_best
from offby.tabular import BinnedRegressor


def problem(y: np.ndarray, X: np.ndarray, **settings) -> Problem:
    settings = {"kind": "number", "bins": 12, "folds": 2} | settings
    return problem_of(X, y, CompareConfig(**settings))


def powers(n_rows: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """Numbers over many powers of ten, with the same relative noise everywhere."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 12, (n_rows, 1))
    return np.exp(X[:, 0] + 0.1 * rng.normal(size=n_rows)), X


def test_bins_are_made_and_trained_on_the_scale_of_the_estimators() -> None:
    y, X = powers()
    found = problem(y, X).with_transforms(["log", "log"])
    fold = found.folds[0]
    model = BinnedRegressor(
        n_bins=12, target_transform="log", max_iter=1, n_bags=1
    ).fit(X[fold.train.numbers], fold.train.y)
    assert fold.bins is not None
    assert fold.training_bins is not None
    assert fold.bins.edges.tolist() == model.bins_.edges.tolist()
    values = fold.labels(fold.train).value
    assert values is not None
    np.testing.assert_allclose(values.numpy(), np.log(fold.train.y))
    # On the scale distances between numbers are ratios.
    np.testing.assert_allclose(
        fold.training_bins.edges[1:].numpy(), np.log(fold.bins.edges[1:].numpy())
    )
    assert fold.digest != problem(y, X).folds[0].digest


def test_zeros_among_the_held_out_rows_have_a_place_on_the_log_scale() -> None:
    y, X = powers()
    fold = problem(y, X).with_transforms(["log", "log"]).folds[0]
    zeros = replace(fold.test, y=np.zeros_like(fold.test.y))
    labels = fold.labels(zeros)
    assert labels.value is not None
    assert labels.value.isfinite().all()
    assert labels.index.eq(0).all()


def test_the_scale_is_chosen_without_a_look_at_the_held_out_rows() -> None:
    y, X = powers()
    whole = problem(y, X)
    fold = whole.folds[0]
    found = best_scale(fold, whole, "log_score")
    assert found.transform == "log"
    assert found.gain > 0
    other = replace(fold.test, y=fold.test.y[::-1] * 7)
    assert best_scale(replace(fold, test=other), whole, "log_score") == found
    said = sentence([found, found], "log score")
    assert "the scale log was chosen" in said
    assert "held-out training rows" in said


@pytest.mark.parametrize("transform", ["none", "log"])
def test_the_best_model_is_trained_on_the_scale_of_the_comparison(transform) -> None:
    y, X = powers(80)
    tiny = Settings(max_iter=1, hidden_layer_sizes=(4,))
    found = compare(X, y, kind="number", losses=["ce"], folds=2, seeds=1, bins=8,
                    transform=transform, references=False, settings=tiny)  # fmt: skip
    model = fit_best(found, X, y, max_iter=1, n_bags=1, n_members=1)
    assert model.target_transform == (None if transform == "none" else transform)


def test_infinite_scores_choose_no_scale(monkeypatch) -> None:
    y, X = powers()
    whole = problem(y, X)

    def beyond(fold, fit):
        rows = np.zeros(len(fold.test.y))
        rows[0] = np.inf
        return {"log_score": rows}

    monkeypatch.setattr(target_scale, "row_scores", beyond)
    assert best_scale(whole.folds[0], whole, "log_score").transform is None


def test_nothing_is_tried_on_a_target_that_is_not_skewed() -> None:
    y, X = np.arange(240.0), np.zeros((240, 1))
    found, choices = chosen_scales(problem(y, X), "auto", "crps", None)
    assert found.transforms == (None, None)
    assert [each.scores for each in choices] == [{}, {}]
    assert sentence(choices, "CRPS") == ""


def test_every_way_in_which_it_may_end_is_a_sentence() -> None:
    none = ScaleChoice(None, 2.0, {"none": 1.0, "log": 1.1})
    log = ScaleChoice("log", 2.0, {"none": 1.0, "log": 0.8})
    assert "none was clearly better" in sentence([none, none], "CRPS")
    assert "log in 2 and none in 1" in sentence([log, none, log], "CRPS")
    assert sentence([ScaleChoice(None, 2.0, {})], "CRPS") == ""


def test_skewness_knows_weights() -> None:
    values, weights = np.array([0.0, 1.0, 5.0]), np.array([3.0, 2.0, 1.0])
    repeated = np.repeat(values, weights.astype(int))
    assert skewness(values, weights) == pytest.approx(skewness(repeated))


def test_a_scale_that_cannot_be_is_refused() -> None:
    y, X = powers()
    with pytest.raises(ValueError, match="needs positive targets"):
        chosen_scales(problem(y - 5, X), "log", "crps", None)
    with pytest.raises(ValueError, match="needs a target of numbers"):
        CompareConfig(kind="classes", transform="log")
