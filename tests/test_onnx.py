"""A file of `export` forecasts in onnxruntime what the estimator does."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from offby.tabular import BinnedRegressor, BoostedOrdinalClassifier, OrdinalClassifier

ORDER = ["low", "mid", "high", "top"]  # not in alphabetical order
SMALL = {"max_iter": 3, "hidden_layer_sizes": (16, 8), "n_members": 3}


def table(n: int = 120) -> pd.DataFrame:
    """Numbers with gaps, words with gaps and a rare one, whole numbers, and dates."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "flag": rng.random(n) < 0.5,
            "color": rng.choice(["red", "green", "blue"], n).astype(object),
            "shape": rng.choice(["round", "square"], n).astype(object),
            "shop": pd.Categorical(rng.integers(0, 4, n)),
            "day": pd.Timestamp("2024-03-01")
            + pd.to_timedelta(rng.integers(0, 9000, n), unit="h"),
        }
    )
    frame.loc[::7, "size"] = np.nan
    frame.loc[::9, "color"] = None
    frame.loc[5, "color"] = "mauve"
    return frame


def new_rows(n: int) -> pd.DataFrame:
    """Rows with gaps, words that training did not have, and numbers far away."""
    frame = table(200).tail(120).reset_index(drop=True)
    frame.loc[0, ["color", "shape"]] = "new"
    frame.loc[0, "size"] = -1e9
    frame.loc[1, "size"] = 1e9
    frame.loc[2, "size"] = np.nan
    shops = np.array(frame["shop"], dtype=int)
    shops[3] = 99
    frame["shop"] = pd.Categorical(shops)
    return frame.head(n)


def targets(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    size, red = frame["size"].fillna(1).to_numpy(), frame["color"].to_numpy() == "red"
    y = np.exp((2 * size + 3 * red + rng.normal(size=len(frame))) / 4)
    return y, np.array(ORDER)[np.digitize(y, np.quantile(y, [0.25, 0.5, 0.75]))]


def served(path: Path, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """What onnxruntime says of these rows: each output by its name."""
    rt = pytest.importorskip("onnxruntime")
    session = rt.InferenceSession(path, providers=["CPUExecutionProvider"])
    day = frame["day"].dt
    parts = {
        "day: days since 1970": (frame["day"] - pd.Timestamp(0)) / pd.Timedelta("1D"),
        "day: day of the year": day.strftime("%j").astype(float),
        "day: day of the week": day.strftime("%u").astype(float),
        "day: hour": day.hour + day.minute / 60,
    }
    wanted = {each.name: each.type for each in session.get_inputs()}
    assert set(wanted) == {*frame.columns, *parts} - {"day"}
    kinds = {"string": str, "double": float, "int64": np.int64}
    feed = {}
    for name, given in wanted.items():
        column = parts[name] if name in parts else frame[name]
        kind = kinds[given.removeprefix("tensor(").removesuffix(")")]
        column = column.astype(object).fillna("") if kind is str else column
        feed[name] = column.to_numpy(object if kind is str else kind)
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, feed), strict=True))


@pytest.mark.parametrize("n_bags", [1, 3])
@pytest.mark.parametrize("calibration", [None, "temperature", "isotonic"])
@pytest.mark.parametrize("kind", [OrdinalClassifier, BinnedRegressor])
def test_the_file_forecasts_what_the_estimator_does(
    kind, calibration, n_bags, tmp_path
) -> None:
    pytest.importorskip("onnx")
    frame, path = table(), tmp_path / "model.onnx"
    settings = {**SMALL, "calibration": calibration, "n_bags": n_bags}
    if kind is OrdinalClassifier:
        settings["categories"] = ORDER
    else:
        settings["target_transform"] = "log"
    y = targets(frame)[kind is OrdinalClassifier]
    model = kind(**settings, random_state=0).fit(frame, y)
    model.export(path)
    for n in (1, 120):
        rows = new_rows(n)
        found = served(path, rows)
        if isinstance(model, OrdinalClassifier):
            wanted = model.predict_proba(rows)
            np.testing.assert_array_equal(found["label"], model.predict(rows))
        else:
            wanted = model.predict_dist(rows).probs
            np.testing.assert_allclose(found["mean"], model.predict(rows), rtol=1e-5)
        assert found["probabilities"].shape == wanted.shape
        np.testing.assert_allclose(found["probabilities"], wanted, rtol=0, atol=1e-5)


def of_array(path: Path, X: np.ndarray) -> dict[str, np.ndarray]:
    rt = pytest.importorskip("onnxruntime")
    session = rt.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


@pytest.mark.parametrize(
    "settings",
    [
        {"decision": "mode"},
        {"ground": [0.0, 1.0, 5.0, 6.0]},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (8, 8, 8), "n_members": 1},
    ],
    ids=["mode", "ground", "linear", "deep"],
)
@pytest.mark.parametrize("labels", [[3, 1, 0, 2], [2.0, 1.0, 0.0, 7.0]])
def test_settings_and_labels_of_other_kinds(settings, labels, tmp_path) -> None:
    pytest.importorskip("onnx")
    X = np.random.default_rng(0).normal(size=(80, 3))
    X[::5, 0] = np.nan
    y = np.array(labels)[np.digitize(X[:, 1], [-0.5, 0, 0.5])]
    settings = {**SMALL, "n_bags": 1, "categories": labels, **settings}
    model = OrdinalClassifier(**settings, random_state=0).fit(X, y)
    model.export(tmp_path / "model.onnx")
    found = of_array(tmp_path / "model.onnx", X)
    np.testing.assert_array_equal(found["label"], model.predict(X))
    wanted = model.predict_proba(X)
    np.testing.assert_allclose(found["probabilities"], wanted, rtol=0, atol=1e-5)


def test_the_file_of_a_loaded_model_names_its_classes_and_bins(tmp_path) -> None:
    onnx = pytest.importorskip("onnx")
    X = np.random.default_rng(0).normal(size=(60, 2))
    path = tmp_path / "model.onnx"
    classifier = OrdinalClassifier(**SMALL, n_bags=1, categories=ORDER)
    classifier.fit(X, np.array(ORDER)[np.digitize(X[:, 0], [-1, 0, 1])])
    classifier.save(tmp_path / "model.offby")
    OrdinalClassifier.load(tmp_path / "model.offby").export(path)
    about = {each.key: each.value for each in onnx.load(path).metadata_props}
    assert json.loads(about["classes"]) == sorted(ORDER)
    assert json.loads(about["categories"]) == ORDER
    regressor = BinnedRegressor(**SMALL, n_bags=1, period=24).fit(X, X[:, 0])
    regressor.export(path)
    about = {each.key: each.value for each in onnx.load(path).metadata_props}
    assert json.loads(about["edges"]) == regressor.bins_.edges.tolist()
    found = of_array(path, X)
    assert set(found) == {"probabilities"}
    wanted = regressor.predict_dist(X).probs
    np.testing.assert_allclose(found["probabilities"], wanted, rtol=0, atol=1e-5)


def fitted(X, **settings) -> OrdinalClassifier:
    y = np.arange(len(X)) % 3
    return OrdinalClassifier(**{**SMALL, "n_bags": 1, "max_iter": 0, **settings}).fit(
        X, y
    )


def test_what_cannot_be_written_is_refused_with_what_to_do(tmp_path) -> None:
    pytest.importorskip("onnx")
    path = tmp_path / "model.onnx"
    numbers = np.arange(60.0)[:, None]
    own = fitted(numbers, module=lambda n_in, n_out: torch.nn.Linear(n_in, n_out))
    with pytest.raises(ValueError, match=r"module of your own; export it with torch"):
        own.export(path)
    taken = fitted(pd.DataFrame(numbers, columns=["label"]))
    with pytest.raises(ValueError, match="'label' has no name of its own; rename"):
        taken.export(path)
    words = pd.Series(["a", "", None] * 20, dtype=object)
    with pytest.raises(ValueError, match="'word' has both gaps and empty strings"):
        fitted(pd.DataFrame({"word": words})).export(path)
    unnamed = fitted(pd.DataFrame({1: ["a", "b"] * 30}))
    with pytest.raises(ValueError, match="names must be text"):
        unnamed.export(path)
    codes = pd.Categorical([1, 2, None] * 20)
    with pytest.raises(ValueError, match="'code' holds 1"):
        fitted(pd.DataFrame({"code": codes})).export(path)
    assert not path.exists()


def test_free_text_is_refused(tmp_path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("skrub")
    notes = pd.DataFrame({"note": [f"number {at} of many" for at in range(90)]})
    with pytest.raises(ValueError, match="'note' holds text whose pieces"):
        fitted(notes).export(tmp_path / "model.onnx")


def test_trees_are_refused(tmp_path) -> None:
    pytest.importorskip("lightgbm")
    X = np.arange(60.0)[:, None]
    model = BoostedOrdinalClassifier(max_iter=1, n_bags=1).fit(X, np.arange(60) // 20)
    with pytest.raises(TypeError, match="holds trees or several models; fit a network"):
        model.export(tmp_path / "model.onnx")


def test_without_onnx_it_says_what_to_install(monkeypatch, tmp_path) -> None:
    model = fitted(np.arange(60.0)[:, None])
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(RuntimeError, match=r"pip install offby\[onnx\]"):
        model.export(tmp_path / "model.onnx")
