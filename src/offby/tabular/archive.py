"""A fitted estimator as one file: JSON and arrays, no pickle, no code.

The file is a zip. `model.json` spells out the settings and what `fit` found, as a tree
of plain values; arrays lie beside it as `.npy`, trees as the text that LightGBM reads
(`.txt`). Objects are stored as their attributes
under a name of the list `_CLASSES`; nothing outside that list is ever made or called.
"""

import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from offby.tabular.calibration import identity
from offby.tabular.modules import ModuleAdapter

_FORMAT = 2
"""2: the encoders and the layers of the network have other names than in format 1."""

_CLASSES = {
    "OrdinalClassifier": "offby.tabular.classifier",
    "BinnedRegressor": "offby.tabular.regressor",
    "BoostedOrdinalClassifier": "offby.tabular.boosted.classifier",
    "BoostedBinnedRegressor": "offby.tabular.boosted.regressor",
    "OrdinalEnsemble": "offby.tabular.together.classifier",
    "BinnedEnsemble": "offby.tabular.together.regressor",
    "Outputs": "offby.tabular.boosted.outputs",
    "Forest": "offby.tabular.boosted.forest",
    "Bins": "offby.bins",
    "Line": "offby.grounds",
    "Circle": "offby.grounds",
    "Tree": "offby.grounds",
    "Costs": "offby.grounds",
    "Temperature": "offby.tabular.calibration",
    "Isotonic": "offby.tabular.calibration",
    "PiecewiseLinear": "offby.tabular.encoders.numbers",
    "PlainNumbers": "offby.tabular.encoders.numbers",
    "DateEncoder": "offby.tabular.encoders.dates",
    "DateParts": "offby.tabular.encoders.dates",
    "TextEncoder": "offby.tabular.encoders.text",
    "CategoryEncoder": "offby.tabular.encoders.categories",
    "CategoryCodes": "offby.tabular.encoders.categories",
    "TableEncoder": "offby.tabular.encoders.table",
    "TreeTableEncoder": "offby.tabular.encoders.table",
    "NormalScores": "offby.tabular.target_scales",
    "YeoJohnson": "offby.tabular.target_scales",
    "FunctionTransformer": "sklearn.preprocessing",
    "StandardScaler": "sklearn.preprocessing",
    "StringEncoder": "skrub",
    "ToStr": "skrub._to_str",
    "TfidfVectorizer": "sklearn.feature_extraction.text",
    "TfidfTransformer": "sklearn.feature_extraction.text",
    "TruncatedSVD": "sklearn.decomposition",
    "Ensemble": "offby.tabular.networks",
    "ColumnLinear": "offby.tabular.layers",
    "SharedLinear": "offby.tabular.layers",
    "EnsembleLinear": "offby.tabular.layers",
    "ModuleList": "torch.nn",
}
_FUNCTIONS: dict[str, Callable] = {"log": np.log, "exp": np.exp, "identity": identity}

_LONG = 1_000
"""Longer texts are files of their own."""


def save(model: Any, path: str | Path, about: dict[str, Any] | None = None) -> None:
    """Write a fitted estimator to a file, whole or not at all.

    Args:
        model: The estimator.
        path: The file.
        about: What is to be known of it beside, as plain JSON; `about` reads it.

    Raises:
        TypeError: If it holds what only pickle could store, as a network of one's own.
    """
    check_is_fitted(model)
    params = model.get_params(deep=False)
    own = params.get("module") is not None
    if own or isinstance(vars(model).get("network_"), ModuleAdapter):
        raise TypeError(
            "save stores the networks of offby, and this estimator has a module of "
            "your own, whose code no file of ours can hold; save its weights with "
            "torch.save(model.network_.state_dict(), path), or use joblib.dump"
        )
    loss = getattr(model, "loss", None)
    if callable(loss) and not isinstance(loss, nn.Module):
        raise TypeError(
            "save stores losses by their name or as criteria of offby.nn, and this "
            "estimator has a function of your own, whose code no file of ours can "
            "hold; set model.loss to a name before saving (forecasts do not need it), "
            "or use joblib.dump"
        )
    writer = _Writer()
    tree = {
        "format": _FORMAT,
        "offby": version("offby"),
        "holds": type(model).__name__,
        "model": writer.tree(model),
    }
    if about is not None:
        tree["about"] = about
    content = writer.zipped(json.dumps(tree, allow_nan=False))
    draft = Path(path).with_name(f".{Path(path).name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def load(path: str | Path, wanted: type | None = None) -> Any:
    """The estimator that `save` wrote.

    Args:
        path: The file.
        wanted: The class that it must be of; any by default.

    Raises:
        ValueError: If the file is none of `save`, of a newer format, damaged, or holds
            another estimator.
    """
    members = _members(path)
    head = _head(path, members.get("model.json", b""))
    found, holds = head["format"], head["holds"]
    if found != _FORMAT:
        do = (
            "update offby"
            if isinstance(found, int) and found > _FORMAT
            else f"load it with offby {head['offby']}, or train and save it again"
        )
        raise ValueError(
            f"{path} must be of format {_FORMAT}, which offby {version('offby')} "
            f"reads, got format {found} of offby {head['offby']}; {do}"
        )
    if wanted is not None and holds != wanted.__name__:
        raise ValueError(
            f"{path} must hold a fitted {wanted.__name__}, got a fitted {holds}; "
            f"use {holds}.load"
        )
    try:
        return _Reader(members).value(head["model"])
    except ImportError as error:
        raise RuntimeError(
            f"{path} needs {error.name}, which is not here; run pip install "
            f"{str(error.name).partition('.')[0]}"
        ) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged: {type(error).__name__}, {error}; save it again"
        ) from error


def about(path: str | Path) -> dict[str, Any] | None:
    """What was saved beside the estimator; None if nothing was.

    Raises:
        ValueError: If the file is none of `save`.
    """
    return _head(path, _members(path, ["model.json"])["model.json"]).get("about")


def _members(path: str | Path, names: list[str] | None = None) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as file:
            return {name: file.read(name) for name in names or file.namelist()}
    # Bytes that make no sense to it: a damaged archive, or none.
    except (zipfile.BadZipFile, KeyError, ValueError, zlib.error) as error:
        raise _no_model(path) from error


def _head(path: str | Path, text: bytes) -> dict[str, Any]:
    try:
        head = json.loads(text)
        _ = head["format"], head["holds"], head["offby"]
    except (KeyError, TypeError, ValueError) as error:
        raise _no_model(path) from error
    return head


def _no_model(path: str | Path) -> ValueError:
    return ValueError(
        f"{path} must be a whole file that save wrote, and is not; pickles are read by "
        "joblib.load"
    )


class _Writer:
    """Turns values into plain JSON; arrays are put aside."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []
        self.texts: list[str] = []

    def zipped(self, text: str) -> bytes:
        """The file. A fixed date, so that the same model gives the same bytes."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(_member("model.json"), text)
            for number, array in enumerate(self.arrays):
                content = io.BytesIO()
                np.lib.format.write_array(content, array, allow_pickle=False)
                file.writestr(_member(f"{number}.npy"), content.getvalue())
            for number, long in enumerate(self.texts):
                file.writestr(_member(f"{number}.txt"), long)
        return buffer.getvalue()

    def tree(self, value: Any) -> Any:
        """The value in JSON; what JSON lacks is an object of one or two keys."""
        match value:
            case None | bool():
                return value
            case np.generic() if not isinstance(value, str):
                return {"scalar": self._aside(np.asarray(value))}
            case str() if len(value) > _LONG:
                self.texts.append(str(value))
                return {"text": f"{len(self.texts) - 1}.txt"}
            case str():
                return str(value)
            case int():
                return int(value)
            case float():
                return value if math.isfinite(value) else {"float": str(value)}
            case list():
                return [self.tree(item) for item in value]
            case tuple():
                return {"tuple": [self.tree(item) for item in value]}
            case dict():
                pairs = [[self.tree(k), self.tree(v)] for k, v in value.items()]
                return {"dict": pairs}
            case slice():
                ends = value.start, value.stop, value.step
                return {"slice": [self.tree(end) for end in ends]}
            case np.ndarray() if value.dtype.hasobject:
                items = [self.tree(item) for item in value.ravel().tolist()]
                return {"objects": items, "shape": list(value.shape)}
            case np.ndarray():
                return {"array": self._aside(value)}
            case torch.Tensor():
                return {"tensor": self._aside(value.detach().cpu().numpy())}
            case np.random.RandomState():
                return {"random": self.tree(value.get_state(legacy=False))}
            case np.dtype():
                return {"dtype": value.str}
            case type() if issubclass(value, np.generic):
                return {"type": np.dtype(value).str}
        for name, function in _FUNCTIONS.items():
            if value is function:
                return {"function": name}
        return self._object(value)

    def _object(self, value: Any) -> Any:
        name = type(value).__name__
        if isinstance(value, nn.Module):
            # On use: with the criteria comes PyTorch's compiler.
            from offby.nn.criteria import is_criterion, settings_of

            if is_criterion(value):
                name, arguments = settings_of(value)
                return {"criterion": name, "arguments": self.tree(arguments)}
        if name not in _CLASSES or _class(name) is not type(value):
            raise TypeError(
                "save stores numbers, text, arrays and what offby itself makes, got "
                f"a {name}; use joblib.dump"
            )
        if isinstance(value, nn.Module):
            parts = _parts(value)
            return {"class": name, "parts": [self.tree(part) for part in parts]}
        # scikit-learn notes its version there, and says so where it differs.
        estimator = isinstance(value, BaseEstimator)
        state: Any = value.__getstate__() if estimator else vars(value)
        return {"class": name, "state": self.tree(state)}

    def _aside(self, array: np.ndarray) -> str:
        self.arrays.append(array)
        return f"{len(self.arrays) - 1}.npy"


class _Reader:
    """Turns the JSON of a file back into values."""

    def __init__(self, members: dict[str, bytes]) -> None:
        self.members = members

    def value(self, tree: Any) -> Any:
        """What `_Writer.tree` was given."""
        match tree:
            case list():
                return [self.value(item) for item in tree]
            case {"scalar": name}:
                return self._array(name)[()]
            case {"float": text}:
                return float(text)
            case {"text": name}:
                return self.members[name].decode()
            case {"tuple": items}:
                return tuple(self.value(items))
            case {"dict": pairs}:
                return {self.value(k): self.value(v) for k, v in pairs}
            case {"slice": ends}:
                return slice(*self.value(ends))
            case {"objects": items, "shape": shape}:
                array = np.empty(len(items), dtype=object)
                array[:] = self.value(items)
                return array.reshape(shape)
            case {"array": name}:
                return self._array(name)
            case {"tensor": name}:
                return torch.from_numpy(self._array(name))
            case {"random": state}:
                random = np.random.RandomState()
                random.set_state(self.value(state))
                return random
            case {"dtype": text}:
                return np.dtype(text)
            case {"type": text}:
                return np.dtype(text).type
            case {"function": name}:
                return _FUNCTIONS[name]
            case {"class": name, "state": state}:
                return _restored(_class(name), self.value(state))
            case {"criterion": name, "arguments": arguments}:
                from offby.nn.criteria import made_of

                return made_of(name, self.value(arguments))
            case {"class": name, "parts": parts}:
                return _assembled(_class(name), self.value(parts))
            case dict():
                raise KeyError(f"unknown kind of value {sorted(tree)}")
        return tree

    def _array(self, name: str) -> np.ndarray:
        content = io.BytesIO(self.members[name])
        return np.lib.format.read_array(content, allow_pickle=False)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _class(name: str) -> type:
    return getattr(import_module(_CLASSES[name]), name)


def _restored(cls: type, state: dict[str, Any]) -> Any:
    made: Any = object.__new__(cls)
    if issubclass(cls, BaseEstimator):
        made.__setstate__(state)
    else:
        vars(made).update(state)  # frozen dataclasses, too
    return made


def _parts(module: nn.Module) -> tuple[dict[str, Any], ...]:
    """Plain attributes, parameters, buffers and modules inside a module."""
    own = vars(nn.Module())
    return (
        {name: each for name, each in vars(module).items() if name not in own},
        dict(module.named_parameters(recurse=False)),
        dict(module.named_buffers(recurse=False)),
        dict(module.named_children()),
    )


def _assembled(cls: type, parts: list[dict[str, Any]]) -> nn.Module:
    plain, parameters, buffers, children = parts
    made: Any = object.__new__(cls)
    nn.Module.__init__(made)
    vars(made).update(plain)
    for name, tensor in parameters.items():
        made.register_parameter(name, nn.Parameter(tensor))
    for name, tensor in buffers.items():
        made.register_buffer(name, tensor)
    for name, child in children.items():
        made.add_module(name, child)
    return made.eval()
