"""Classes at any distance from each other: the estimator trains and decides on it."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from offby import Circle, Costs, Line, OrdinalClassifier, Tree
from offby.tabular.class_ground import class_ground, least_expected

QUICK: dict[str, Any] = {
    "n_members": 2,
    "n_bags": 1,
    "hidden_layer_sizes": (16,),
    "max_iter": 60,
    "random_state": 0,
}


def hours(n: int = 240):
    """The hour of the day from its direction, with noise across midnight."""
    rng = np.random.default_rng(0)
    hour = rng.integers(0, 8, n)
    angle = 2 * np.pi * (hour + rng.normal(0, 0.5, n)) / 8
    return np.stack([np.sin(angle), np.cos(angle)], 1), hour


def test_a_circle_knows_that_midnight_has_two_neighbors():
    X, y = hours()
    model = OrdinalClassifier("ce+emd2", ground=Circle.regular(8), **QUICK).fit(X, y)
    off = Circle.regular(8).cost.numpy()[model.predict(X), y]
    assert off.mean() < 0.5  # Guessing without inputs is off by 2.
    # Of a row between the last class and the first, no class on the other side.
    p = model.predict_proba([[np.sin(-np.pi / 8), np.cos(-np.pi / 8)]])[0]
    assert p[[7, 0]].sum() > p[2:6].sum()


def test_decides_by_least_expected_distance():
    p = np.array([[0.0, 0.45, 0.1, 0.45], [0.2, 0.2, 0.2, 0.4]])
    assert least_expected(p, Line.regular(4)).tolist() == [2, 2]
    assert least_expected(p, Circle.regular(4)).tolist() == [2, 3]
    assert least_expected(p, Costs.equal(4)).tolist() == [1, 3]
    # Of equal ones the first, whatever rounding says: on a line the median is so too.
    half = np.array([[0.1, 0.2, 0.2, 0.5]])
    assert least_expected(half, Line.regular(4)).tolist() == [2]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_on_a_line_it_is_the_median(n):
    from offby.metrics import median_class

    p = np.random.default_rng(0).dirichlet(np.ones(n), 200)
    x = np.cumsum(np.random.default_rng(1).random(n) + 0.1)
    np.testing.assert_array_equal(least_expected(p, Line(x)), median_class(p))


@pytest.mark.parametrize(
    "ground",
    [
        [0, 18, 30, 31],
        Line([0.0, 1, 5, 9]),
        Circle([0.0, 1, 2, 5], 8),
        Tree.from_paths(["a/b", "a/c", "d/e", "d/f"]),
        Costs.from_features(np.random.default_rng(0).normal(size=(4, 2))),
    ],
    ids=lambda g: type(g).__name__,
)
def test_any_ground_and_any_unit(ground, tmp_path):
    X = np.arange(40.0)[:, None]
    y = np.repeat(["w", "x", "y", "z"], 10)
    model: Any = OrdinalClassifier(
        "emd1+ce", categories=["z", "y", "x", "w"], ground=ground, **QUICK
    )
    fitted: Any = clone(model)
    fitted.fit(X, y)
    assert set(fitted.predict(X)) <= set(y)
    if not isinstance(ground, list):
        on = class_ground(ground, 4)
        assert on.cost.max().item() == pytest.approx(3)
        stretched: Any = clone(model)
        stretched.set_params(ground=on).fit(X, y)
        np.testing.assert_allclose(
            stretched.predict_proba(X), fitted.predict_proba(X), atol=1e-4
        )
    fitted.save(tmp_path / "model")
    again = OrdinalClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))


def test_neighbors_at_distance_one_change_nothing():
    X, y = hours(80)
    plain = OrdinalClassifier(**QUICK).fit(X, y)
    same = OrdinalClassifier(ground=list(range(8)), **QUICK).fit(X, y)
    np.testing.assert_array_equal(plain.predict_proba(X), same.predict_proba(X))
    np.testing.assert_array_equal(plain.predict(X), same.predict(X))


def test_refuses_a_tree_whose_names_are_in_another_order():
    tree = Tree.from_paths(["pet/dog", "pet/cat", "tree/oak"])
    X, classes = np.arange(30.0)[:, None], ["cat", "dog", "oak"]
    model = OrdinalClassifier("emd2", categories=classes, ground=tree, **QUICK)
    with pytest.raises(ValueError, match=r"class 0 is 'cat' .* and 'pet/dog' of the"):
        model.fit(X, np.repeat(classes, 10))
    for fits in ["dog", "cat", "oak"], ["pet/dog", "pet/cat", "tree/oak"], [5, 6, 7]:
        assert class_ground(tree, 3, fits).n_classes == 3
    with pytest.raises(ValueError, match=r"tree\.ordered"):
        class_ground(tree, 3, ["pet/cat", "pet/dog", "tree/oak"])


def test_refuses_grounds_that_do_not_fit():
    X, y = hours(40)
    with pytest.raises(ValueError, match=r"8 classes, one for each .*got 3"):
        OrdinalClassifier(ground=[0, 1, 2], **QUICK).fit(X, y)
    one_way = torch.ones(8, 8).triu(1) + 2 * torch.ones(8, 8).tril(-1)
    ground = Costs(one_way, asymmetric=True)
    with pytest.raises(ValueError, match="asymmetric costs; train"):
        OrdinalClassifier(ground=ground, **QUICK).fit(X, y)
    with pytest.raises(NotImplementedError, match="squared_emd"):
        OrdinalClassifier("cce", ground=Circle.regular(8), **QUICK).fit(X, y)
