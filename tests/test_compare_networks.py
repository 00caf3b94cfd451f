"""`compare` trains the network of the estimators, a plain perceptron, or one's own."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from offby import OrdinalClassifier
from offby.comparison import Comparison, compare
from offby.comparison.methods import jobs as making
from offby.comparison.networks import Design, Settings, title_of
from offby.comparison.problem import Problem
from offby.losses.registry import parse
from offby.report.sections import method
from offby.tabular.splits import child_seed

SHORT = Settings(max_iter=3, hidden_layer_sizes=(8,))


def table(rows=120):
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(rows, 3)), 2)
    y = (X[:, 0] > -0.5).astype(int) + (X[:, 0] > 0.5)
    frame = pl.DataFrame(X, schema=["a", "b", "c"])
    return frame.with_columns(d=pl.Series(rng.choice(["u", "v", "w"], rows))), y


def problem(**rules: Any):
    X, y = table()
    return Problem(X, y, "classes", (0.0, 1.0, 2.0), 0, "quantile", 2, 0, **rules)


def run(**rules: Any) -> Comparison:
    X, y = table()
    usual = {"losses": ["ce", "emd2"], "folds": 2, "seeds": 1, "references": False}
    return compare(X, y, settings=SHORT, **usual | rules)


def test_a_fit_is_one_bag_of_the_estimator_to_the_last_bit():
    fold = problem().folds[0]
    model = OrdinalClassifier(loss="ce+emd2", n_bags=1, max_iter=4, random_state=0)
    model.fit(fold.train.X, fold.train.y)
    seed = int(np.random.RandomState(0).randint(2**31))
    design = Design(settings=Settings(max_iter=4))
    one = replace(design.run(fold.data, seed), seed=child_seed(seed, 0))
    (trained,) = design.fit([one], parse("ce+emd2"))
    own = trained.network.run_tensors()
    for name, part in model.network_.run_tensors().items():
        assert torch.equal(part, own[name]), name
    assert trained.history.scores == model.validation_scores_


def test_rules_of_the_training_are_those_of_the_estimators():
    assert Design().trainer == OrdinalClassifier()._trainer()
    assert Design("perceptron").trainer != Design().trainer
    changed = Design("perceptron", Settings(n_iter_no_change=3))
    assert changed.trainer == replace(Design("perceptron").trainer, n_iter_no_change=3)


def linear(n_features, n_classes):
    return torch.nn.Linear(n_features, n_classes)


@pytest.fixture(scope="module")
def of_each():
    networks: list[Any] = ["ensemble", "perceptron", linear]
    return {title_of(each): run(network=each, noise=True) for each in networks}


def test_every_network_has_scores_pushes_rows_and_noise(of_each):
    assert list(of_each) == ["ensemble", "perceptron", "module linear"]
    for name, found in of_each.items():
        assert found.run.network == name
        assert Comparison.from_json(found.to_json()) == found
        assert {each.stage for each in found.pushes} == {"start", "middle", "end"}
        assert found.rows
        assert found.noise
        assert found.noise_share is not None
        assert not [note for note in found.data.notes if "could not" in note]
        for loss in ("ce", "emd2"):
            assert 0 < (found.mean(loss, "rps") or 0) < 1
    scores = {found.mean("ce", "rps") for found in of_each.values()}
    assert len(scores) == 3


def test_the_report_names_the_network(of_each):
    says = [method._network(found) for found in of_each.values()]
    assert "ensemble of OrdinalClassifier" in says[0]
    assert "perceptron" in says[1]
    assert "module linear" in says[2]


def test_a_training_starts_at_the_frequencies_and_pushes_away_from_them(of_each):
    """The push of cross-entropy at the start is known: one-hot minus frequencies."""
    start = next(
        each
        for each in of_each["ensemble"].pushes
        if each.method == "ce" and each.stage == "start"
    )
    fold = problem().folds[0]
    share = np.bincount(fold.train.y) + 1 / 3
    share = share / share.sum()
    push = np.eye(3)[fold.test.y] - share
    offset = np.arange(3) - fold.test.y[:, None]
    for place, mean in zip(start.offsets, start.mean_push, strict=True):
        # First weights of the last layer are small, not zero.
        assert mean == pytest.approx(push[offset == place].mean(), abs=0.05)


@pytest.mark.parametrize("network", ["ensemble", linear, "instance"])
def test_a_stored_fit_is_the_fit(tmp_path, monkeypatch, network):
    if network == "instance":
        width = problem().folds[0].data.inputs.shape[1]
        network = torch.nn.Sequential(torch.nn.Linear(width, 3))
        # A module of fixed width needs folds that are encoded alike.
        monkeypatch.setattr(Problem, "folds", [problem().folds[0]])
    first = run(network=network, run_dir=tmp_path)

    def trained_again(places, **rules):
        raise AssertionError("it was there")

    monkeypatch.setattr(making, "fit_loss", trained_again)
    again = run(network=network, run_dir=tmp_path)
    assert again.scores == first.scores
    assert again.pushes == first.pushes


@pytest.mark.parametrize(
    ("network", "error", "says"),
    [
        ("forest", ValueError, 'network must be "ensemble" or "perceptron"'),
        (3, TypeError, "network must be a name, a torch.nn.Module or a function"),
        (lambda n, k: torch.nn.Linear(n, k + 1), ValueError, "logits of shape"),
    ],
)
def test_what_is_no_network_is_refused(network, error, says):
    with pytest.raises(error, match=says):
        run(network=network)


def test_networks_of_other_columns_are_no_batch():
    """Inputs as many, but of other columns: knots of a column may coincide."""
    one = problem().folds[0].data
    assert one.column_of is not None
    other = replace(one, column_of=one.column_of.clone())
    assert other.column_of is not None
    other.column_of[0] = 1
    design = Design(settings=SHORT)
    runs = [design.run(data, 5) for data in (one, other)]
    together = design.fit(runs, parse("ce"))
    for each, found in zip(runs, together, strict=True):
        (alone,) = design.fit([each], parse("ce"))
        assert alone.history.scores == found.history.scores
    assert together[0].history.scores != together[1].history.scores
