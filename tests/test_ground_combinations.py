"""Every ground with every loss, correction and way to keep a model: what goes together.

Networks of one member and four hidden values, three epochs: what is tested is that the
parts meet, not how well they learn.
"""

from typing import Any

import numpy as np
import pytest

import offby
from offby import Circle, Costs, Line, OrdinalClassifier, Tree
from offby.tabular import BoostedOrdinalClassifier
from offby.tabular.class_ground import class_ground, expected_distances

CLASSES = ["ash", "bee", "cat", "dog", "elm"]
GROUNDS: dict[str, Any] = {
    "positions": [0.0, 1, 2, 7, 9],
    "line": Line([0.0, 1, 5, 6, 9]),
    "arcs": Circle([0.0, 1, 2, 3, 6], 8),
    "chords": Circle([0.0, 1, 2, 3, 6], 8, "chord"),
    "tree": Tree.from_paths(
        ["plant/ash", "bee", "pet/cat", "pet/dog", "plant/elm"],
        lengths={"plant": 3, "bee": 2},
    ),
    "costs": Costs.from_features([[0, 0], [1, 0], [5, 0], [5, 2], [9, 9]]),
}
LOSSES = ["ce", "emd1", "emd2", "ce+0.5*emd2", "cce"]
CUT = ("positions", "line", "tree")
"""Those with cuts, which `cce` sums over."""
ORDERED = ("positions", "line")
SMALL: dict[str, Any] = {
    "n_members": 1,
    "n_bags": 1,
    "hidden_layer_sizes": (4,),
    "max_iter": 2,
    "random_state": 0,
}


def table(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    code = np.arange(n) % 5
    X = rng.normal(size=(n, 3)) + code[:, None] * [1, -1, 0]
    return np.repeat(X, 2, axis=0), np.array(CLASSES)[np.repeat(code, 2)]


def check_no_class_is_nearer_than_the_guess(model, X, ground: str) -> None:
    probs = model.predict_dist(X).probs
    expected = probs @ class_ground(GROUNDS[ground], 5).cost.numpy()
    guess = np.searchsorted(CLASSES, model.predict(X))
    least = expected[np.arange(len(X)), guess] - expected.min(-1)
    assert (least <= 1e-9).all()


@pytest.mark.parametrize(
    ("loss", "calibration"),
    [
        *((loss, None) for loss in LOSSES),
        ("ce", "temperature"),
        ("ce+0.5*emd2", "isotonic"),
    ],
)
@pytest.mark.parametrize("ground", GROUNDS)
def test_a_network(ground, loss, calibration, tmp_path):
    X, y = table()
    model = OrdinalClassifier(
        loss,
        ground=GROUNDS[ground],
        calibration=calibration,
        categories=CLASSES,
        **SMALL,
    )
    if loss == "cce" and ground not in CUT:
        with pytest.raises(NotImplementedError, match="squared_emd"):
            model.fit(X, y)
        return
    if calibration == "isotonic" and ground not in ORDERED:
        with pytest.raises(ValueError, match="no class is the lowest; use temperature"):
            model.fit(X, y)
        return
    found = model.fit(X, y).predict_dist(X).probs
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-6)
    check_no_class_is_nearer_than_the_guess(model, X, ground)
    model.save(tmp_path / "model")
    again = OrdinalClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize("ground", GROUNDS)
def test_a_graph_says_what_the_network_says(ground, tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    X, y = table()
    correction = "isotonic" if ground in ORDERED else "temperature"
    model = OrdinalClassifier(
        "ce+emd2",
        ground=GROUNDS[ground],
        calibration=correction,
        categories=CLASSES,
        **SMALL,
    ).fit(X, y)
    model.export(tmp_path / "model.onnx")
    session = runtime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    label, probs = session.run(["label", "probabilities"], {"X": X})
    np.testing.assert_array_equal(label, model.predict(X))
    np.testing.assert_allclose(probs, model.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("loss", ["ce", "emd2", "ce+emd2", "cce"])
@pytest.mark.parametrize("ground", GROUNDS)
def test_trees(ground, loss, tmp_path):
    pytest.importorskip("lightgbm")
    X, y = table()
    model = BoostedOrdinalClassifier(
        loss,
        ground=GROUNDS[ground],
        categories=CLASSES,
        max_iter=2,
        n_bags=1,
        min_samples_leaf=5,
        random_state=0,
    )
    if loss == "cce" and ground not in CUT:
        with pytest.raises((ValueError, NotImplementedError), match="cce"):
            model.fit(X, y)
        return
    model.fit(X, y)
    check_no_class_is_nearer_than_the_guess(model, X, ground)
    model.save(tmp_path / "model")
    again = offby.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_expected_distances_in_a_tree_are_those_of_its_matrix():
    rng = np.random.default_rng(0)
    paths = [f"{i % 7}/{i % 3}/{i}" for i in range(60)]
    lengths = dict(zip(paths, rng.uniform(0, 2, 60), strict=True))
    tree = Tree.from_paths(paths, lengths=lengths)
    for trees in (tree, GROUNDS["tree"]):
        probs = rng.dirichlet(np.full(trees.n_classes, 0.3), 20)
        wanted = probs @ trees.cost.numpy()
        np.testing.assert_allclose(expected_distances(probs, trees), wanted, rtol=1e-10)
