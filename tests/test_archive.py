"""What `save` wrote, `load` gives back to the last bit; nothing else is read."""

import io
import json
import zipfile
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from offby import Bins
from offby.tabular import BinnedRegressor, OrdinalClassifier

QUICK: dict[str, Any] = {
    "max_iter": 3,
    "n_members": 2,
    "hidden_layer_sizes": (8,),
    "random_state": 0,
}
WORDS = ["poor", "fair", "good"]


def table(kind, n=120):
    rng = np.random.default_rng(0)
    columns = {
        "size": np.where(rng.uniform(size=n) < 0.1, np.nan, rng.normal(size=n)),
        "color": rng.choice(["red", "blue", None], n),  # pyright: ignore
    }
    if kind is pl:
        frame = pl.DataFrame(columns).with_columns(pl.col("size").fill_nan(None))
        return frame.with_columns(pl.col("color").cast(pl.Categorical))
    return pd.DataFrame(columns).astype({"color": "category"})


def again(model: Any, path) -> Any:
    model.save(path)
    loaded = type(model).load(path)
    assert type(loaded) is type(model)
    assert vars(loaded).keys() == vars(model).keys()
    return loaded


@pytest.mark.parametrize("kind", [pl, pd])
def test_a_classifier_comes_back_to_the_last_bit(kind, tmp_path):
    X, y = table(kind), np.array(WORDS * 40)
    settings = {"categories": WORDS, "class_weight": {"poor": 2.0}, **QUICK}
    model = OrdinalClassifier(**settings, calibration="isotonic").fit(X, y)
    loaded = again(model, tmp_path / "model.offby")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.predict(X).tolist() == model.predict(X).tolist()
    assert loaded.get_params() == model.get_params()
    assert loaded.feature_names_in_.tolist() == ["size", "color"]


@pytest.mark.parametrize(
    "settings",
    [
        {"n_bags": 3},
        {"calibration": "temperature", "tails": "half-normal", "n_bins": 9},
        {"target_transform": "log", "random_state": np.random.RandomState(3)},
        {"target_transform": "yeo-johnson", "max_iter": np.int64(2)},
        {"target_transform": "quantile", "strategy": "kmeans"},
        {"n_bins": Bins([0, 1, 2, 40], tails="half-normal")},
    ],
    ids=lambda settings: ",".join(settings),
)
def test_a_regressor_comes_back_to_the_last_bit(settings, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = np.exp(X[:, 0])
    model = BinnedRegressor(**{**QUICK, **settings}).fit(X, y)
    loaded = again(model, tmp_path / "model.offby")
    np.testing.assert_array_equal(
        loaded.predict_dist(X).probs, model.predict_dist(X).probs
    )
    np.testing.assert_array_equal(
        loaded.predict_interval(X, conformal=True),
        model.predict_interval(X, conformal=True),
    )
    # And learns on as if it had never been away.
    np.testing.assert_array_equal(
        loaded.partial_fit(X, y).predict(X), model.partial_fit(X, y).predict(X)
    )


def saved(tmp_path, **settings):
    X = np.arange(40.0)[:, None]
    path = tmp_path / "model.offby"
    BinnedRegressor(**{**QUICK, **settings}).fit(X, X[:, 0]).save(path)
    return path


def test_the_same_model_gives_the_same_bytes(tmp_path):
    assert saved(tmp_path).read_bytes() == saved(tmp_path).read_bytes()


def test_nothing_in_the_file_is_a_pickle(tmp_path):
    with zipfile.ZipFile(saved(tmp_path)) as file:
        names = file.namelist()
        assert {name.rpartition(".")[2] for name in names} == {"json", "npy"}
        for name in names[1:]:
            with file.open(name) as member:
                np.lib.format.read_array(member, allow_pickle=False)


def test_an_unfitted_estimator_is_not_saved(tmp_path):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        BinnedRegressor().save(tmp_path / "model.offby")


def test_a_module_of_ones_own_is_not_saved(tmp_path):
    with pytest.raises(TypeError, match=r"torch.save\(model.network_.state_dict"):
        saved(tmp_path, module=lambda n, k: torch.nn.Linear(n, k))


def test_what_is_no_file_of_ours_is_refused(tmp_path):
    path = tmp_path / "model.offby"
    path.write_bytes(b"no zip")
    with pytest.raises(ValueError, match="that save wrote, and is not"):
        BinnedRegressor.load(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("other.json", "{}")
    with pytest.raises(ValueError, match="that save wrote, and is not"):
        BinnedRegressor.load(path)
    with pytest.raises(FileNotFoundError):
        BinnedRegressor.load(tmp_path / "nowhere")


def changed(path, change, member="model.json"):
    """The file with one member changed."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    members[member] = change(members[member])
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_a_newer_format_is_refused(tmp_path):
    path = changed(
        saved(tmp_path), lambda text: json.dumps({**json.loads(text), "format": 3})
    )
    with pytest.raises(ValueError, match=r"got format 3 of offby .*; update offby"):
        BinnedRegressor.load(path)


def test_an_older_format_is_refused(tmp_path):
    path = changed(
        saved(tmp_path),
        lambda text: json.dumps({**json.loads(text), "format": 1, "offby": "0.0.9"}),
    )
    with pytest.raises(ValueError, match=r"load it with offby 0\.0\.9, or train and"):
        BinnedRegressor.load(path)


def test_the_other_estimator_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"use BinnedRegressor\.load"):
        OrdinalClassifier.load(saved(tmp_path))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"class": "PiecewiseLinear"', '"class": "Popen"'),
        ('"class": "Ensemble"', '"class": "Sequential"'),
        ('"function": "identity"', '"function": "system"'),
        ('"0.npy"', '"missing.npy"'),
        ('"tensor":', '"reduce":'),
    ],
)
def test_what_save_never_writes_is_refused(old, new, tmp_path):
    def change(content):
        assert old.encode() in content
        return content.replace(old.encode(), new.encode())

    with pytest.raises(ValueError, match="is damaged"):
        BinnedRegressor.load(changed(saved(tmp_path), change))


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("code of the file was run",)


def test_a_pickle_inside_an_array_is_not_run(tmp_path):
    def change(content):
        buffer = io.BytesIO()
        np.save(buffer, np.array([Bomb()]), allow_pickle=True)
        return buffer.getvalue()

    with pytest.raises(ValueError, match="is damaged"):
        BinnedRegressor.load(changed(saved(tmp_path), change, "0.npy"))
