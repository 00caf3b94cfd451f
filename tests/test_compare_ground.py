"""Comparisons of classes on a circle, a tree, or at any costs."""

from typing import Any

import numpy as np
import pytest
import torch

from offby import Circle, Costs, Line, Tree, explain, report
from offby.comparison import Comparison, compare
from offby.comparison.config import CompareConfig
from offby.comparison.fits import Fit
from offby.comparison.ground_scores import ground_rows, kappa_rows, spread_on
from offby.comparison.grounds import places_on
from offby.comparison.networks import Settings
from offby.comparison.noise.perturb import moved_to_neighbor
from offby.comparison.problem import Fold, Rows
from offby.comparison.scoring import row_scores
from offby.grounds import neighbors
from offby.models import fit_best

TINY = Settings(max_iter=2, hidden_layer_sizes=(8,))
TREE = Tree.from_paths(["a/b/c", "a/b/d", "a/e", "f/g", "f/h"])
COSTS = Costs.from_features([[0, 0], [1, 0], [5, 0], [5, 2], [9, 9]])
CIRCLE = Circle.regular(5)


def table(n: int = 120, k: int = 5):
    rng = np.random.default_rng(0)
    y = rng.integers(0, k, n)
    angle = 2 * np.pi * (y + rng.normal(0, 0.5, n)) / k
    return np.stack([np.sin(angle), np.cos(angle)], 1), y


def run(ground, **rules) -> Comparison:
    X, y = table()
    usual: Any = {
        "folds": 2,
        "seeds": 1,
        "settings": TINY,
        "references": False,
        "network": "perceptron",
    }
    return compare(X, y, ground=ground, **usual | rules)


def fold_on(ground, y: np.ndarray, k: int) -> Fold:
    rows = Rows(np.arange(len(y)), np.zeros((len(y), 1)), y, None)
    places = tuple(map(float, range(k)))
    return Fold(0, 0, rows, rows, places, None, 0.0, None, ground=ground)


def test_on_a_line_the_scores_of_a_ground_are_those_of_the_line():
    rng = np.random.default_rng(1)
    y, p = rng.integers(0, 5, 300), rng.dirichlet(np.ones(5), 300)
    usual = row_scores(fold_on(None, y, 5), Fit(0, 0, "probs", p, 0.0))
    found = ground_rows(fold_on(Line.regular(5), y, 5), p)
    assert found.keys() == usual.keys()
    for key, rows in usual.items():
        np.testing.assert_allclose(found[key], rows, atol=1e-12, err_msg=key)


def test_the_parts_of_kappa_are_its_slope_by_the_weights_of_the_rows():
    rng = np.random.default_rng(2)
    cost = TREE.cost.numpy()
    y, guess = rng.integers(0, 5, 40), rng.integers(0, 5, 40)
    weight = rng.uniform(0.5, 2, 40)
    rows = kappa_rows(cost, y, guess, weight)
    kappa = np.average(rows, weights=weight)
    more = weight.copy()
    more[7] += 1e-6 * weight.sum()
    moved = np.average(kappa_rows(cost, y, guess, more), weights=more)
    assert (moved - kappa) / 1e-6 == pytest.approx(rows[7] - kappa, rel=1e-3)


def test_a_spread_on_a_line_is_the_standard_deviation():
    p = np.random.default_rng(3).dirichlet(np.ones(5), 20)
    x = np.array([0.0, 1, 4, 5, 9])
    std = np.sqrt(p @ x**2 - (p @ x) ** 2)
    np.testing.assert_allclose(spread_on(Line(x), p), std)


@pytest.mark.parametrize(
    ("ground", "of_first"),
    [
        (Line([0.0, 9, 10]), [1]),
        (Circle([0.0, 6, 12, 23], 24), [1, 3]),
        (TREE, [1]),
        (COSTS, [1]),
        (Costs.equal(4), [1, 2, 3]),
        (Costs([[0, 0, 1], [0, 0, 1], [1, 1, 0]]), [1]),
    ],
    ids=lambda g: type(g).__name__,
)
def test_a_neighbor_is_what_the_ground_says(ground, of_first):
    near = neighbors(ground)
    assert near[0].nonzero().flatten().tolist() == of_first
    assert not near.diagonal().any()
    assert near.any(-1).all()


def test_labels_move_to_neighbors_of_the_ground():
    y = np.repeat(np.arange(5), 200)
    moved = moved_to_neighbor(fold_on(CIRCLE, y, 5), 0.3).train.y
    changed = moved != y
    assert 0.2 < changed.mean() < 0.4
    assert neighbors(CIRCLE).numpy()[y, moved][changed].all()
    assert {0, 3} == set(moved[changed & (y == 4)])


@pytest.mark.parametrize(
    ("ground", "rules"),
    [
        (CIRCLE, {}),
        (TREE, {"noise": True, "losses": ["ce", "cce"]}),
        (COSTS, {"losses": ["ce", "emd1"]}),
    ],
    ids=["circle", "tree", "costs"],
)
def test_losses_scores_and_pages_are_of_the_ground(ground, rules):
    found = run(ground, **rules)
    assert found.data.ground == ground.to_dict()
    assert ("cce" in found.losses) == isinstance(ground, Tree)
    titles = [metric.title for metric in found.metrics]
    assert titles[:3] == ["energy score", "log score", "mean distance"]
    left_out = (found.calibration, found.reliability, found.coverage, found.why)
    assert not any(left_out)
    assert bool(found.pushes) == isinstance(ground, Circle)
    assert all(region.bias is None for region in found.regions)
    assert Comparison.from_json(found.to_json()) == found
    page = report.render(found)
    assert "The classes lie on no line" in page
    assert "RPS" not in page
    assert "could not" not in page
    assert "<html" in explain.render(found)


def test_far_is_beyond_a_neighbor_and_never_around_the_circle():
    y, p = np.array([0, 0, 0]), np.eye(5)[[4, 1, 2]]
    assert ground_rows(fold_on(CIRCLE, y, 5), p)["far"].tolist() == [0, 0, 1]


def test_the_unit_of_the_distances_changes_no_fit():
    one, other = run(CIRCLE), run(Circle(CIRCLE.positions * 7, 35))
    for a, b in zip(one.scores, other.scores, strict=True):
        factor = 7 if a.metric in ("rps", "mae") else 1
        assert b.value == pytest.approx(factor * (a.value or 0), rel=1e-4)


def test_the_best_loss_is_fitted_on_the_ground():
    X, y = table()
    found = run(COSTS, losses=["ce", "emd2"])
    model = fit_best(found, X, y, n_members=1, n_bags=1, max_iter=2, random_state=0)
    assert model.ground == COSTS
    uneven = compare(
        X, y, positions=[0, 1, 5, 6, 9], losses=["ce"], folds=2, seeds=1,
        settings=TINY, references=False, network="perceptron",
    )  # fmt: skip
    model = fit_best(uneven, X, y, n_members=1, n_bags=1, max_iter=2, random_state=0)
    assert model.ground == Line([0, 1, 5, 6, 9])


def test_boosting_learns_on_the_ground():
    pytest.importorskip("lightgbm")
    rules = {"references": True, "models": ["network", "boosting"], "losses": ["emd2"]}
    keys = [method.key for method in run(COSTS, **rules).methods]
    assert {"boosted emd2", "mean emd2"} < set(keys)


@pytest.mark.parametrize(
    ("ground", "rules", "says"),
    [
        (Circle.regular(4), {}, "must have 5 classes, .* got 4"),
        (Circle.regular(6), {"labels": list("abcde")}, "must have 5 classes, .* got 6"),
        ([0, 1, 2, 3, 4], {}, "got list; positions="),
        (CIRCLE, {"losses": ["ce", "ce+cce"]}, "ce.cce needs a line or a tree"),
        (CIRCLE, {"positions": [0, 1, 2, 3, 4]}, "give one of them"),
        (CIRCLE, {"kind": "number"}, "for classes, got kind="),
        (
            Costs(
                torch.ones(5, 5).triu(1) + 2 * torch.ones(5, 5).tril(-1),
                asymmetric=True,
            ),
            {},
            "asymmetric costs; train on symmetric",
        ),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_with_a_sentence(ground, rules, says):
    with pytest.raises((ValueError, TypeError), match=says):
        run(ground, **rules)


def test_a_tree_that_names_the_classes_in_another_order_is_refused():
    with pytest.raises(
        ValueError, match=r"class 0 is 'd' of labels and 'a/b/c'.*order"
    ):
        run(TREE, labels=["d", "c", "e", "g", "h"])
    places = places_on(TREE, np.arange(5), ["c", "d", "e", "g", "h"], CompareConfig())
    assert places == (0, 1, 2, 3, 4)


def test_costs_of_no_points_are_said_to_mislead():
    odd = np.ones((5, 5)) - np.eye(5)
    odd[0, 1] = odd[1, 0] = 9.0
    notes = run(Costs(odd), losses=["ce"]).data.notes
    assert any("not of negative type" in note for note in notes)
