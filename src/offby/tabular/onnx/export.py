"""`export`: a fitted estimator as one ONNX file, encoder and correction included."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from offby.distribution.half_normal import moments
from offby.tabular.class_ground import class_ground
from offby.tabular.onnx.encoding import GAP, encoded
from offby.tabular.onnx.graph import INT32, Graph
from offby.tabular.onnx.network import corrected, cumulative, probabilities


def export(model: Any, path: str | Path) -> None:
    """Write a fitted network, all from raw columns to forecasts, as an ONNX graph.

    Inputs are the columns by their names (or "X", rows x columns, if it was fitted to
    an array): numbers as float64 with NaN for gaps, categories as strings with "" for
    gaps. Outputs are "probabilities" (rows x classes in the order of `classes_`, or
    rows x bins), and what `predict` says: "label", or "mean" (not on a circle). The
    metadata of the model hold the classes, or the edges of the bins, as JSON.

    Raises:
        TypeError: If it is not a network.
        ValueError: If a part of it cannot be written.
        RuntimeError: If onnx is not installed.
    """
    check_is_fitted(model)
    if not hasattr(model, "network_"):
        raise TypeError(
            "export writes networks (OrdinalClassifier, BinnedRegressor), got a "
            f"{type(model).__name__}, which holds trees or several models; fit a "
            "network, or serve the model with offby (examples/serve.py)"
        )
    graph = Graph()
    names = getattr(model, "feature_names_in_", None)
    columns = None if names is None else [str(name) for name in names]
    inputs = encoded(graph, model.encoder_, columns)
    probs = probabilities(graph, inputs, model.network_)
    n_classes = int(model.network_.get_buffer("prior").shape[-1])
    probs = corrected(graph, probs, model.correction_, n_classes)
    about = {"offby": version("offby"), "estimator": type(model).__name__, "gap": GAP}
    if is_classifier(model):
        about |= _classes(graph, probs, model)
    else:
        about |= _numbers(graph, probs, model, n_classes)
    Path(path).write_bytes(graph.model(about).SerializeToString())


def _classes(graph: Graph, probs: str, model: Any) -> dict[str, str]:
    order = model.categories_
    by_class = graph.constant(np.argsort(order), np.int64)
    found = graph("Gather", probs, by_class, axis=1)
    graph.output("probabilities", found, "DOUBLE", ["rows", len(order)])
    place = graph("ArgMax", _evidence(graph, probs, model), axis=1, keepdims=0)
    labels = order.tolist()
    if all(isinstance(label, str) for label in labels):
        table = {"keys_int64s": list(range(len(labels))), "values_strings": labels}
        label = graph("LabelEncoder", place, domain="ai.onnx.ml", **table)
        graph.output("label", label, "STRING", ["rows"])
    else:
        kind = "INT64" if order.dtype.kind in "biu" else "DOUBLE"
        values = graph.constant(order, np.int64 if kind == "INT64" else np.float64)
        graph.output("label", graph("Gather", values, place), kind, ["rows"])
    return {
        "classes": json.dumps(model.classes_.tolist()),
        "categories": json.dumps(labels),
    }


def _evidence(graph: Graph, probs: str, model: Any) -> str:
    """A row of numbers whose first largest one is at the class that `predict` says."""
    if model.decision == "mode":
        return probs
    if model.ground is None:
        half = graph.constant(0.5 - 1e-12)
        reached = graph("GreaterOrEqual", cumulative(graph, probs), half)
    else:
        cost = class_ground(model.ground, len(model.categories_)).cost.cpu().numpy()
        expected = graph("MatMul", probs, graph.constant(cost.T, np.float64))
        axis = graph.constant([1], np.int64)
        least = graph("ReduceMin", expected, axis, keepdims=1)
        near = graph("Add", least, graph.constant(1e-12 * float(cost.max())))
        reached = graph("LessOrEqual", expected, near)
    return graph("Cast", reached, to=INT32)


def _numbers(graph: Graph, probs: str, model: Any, n_bins: int) -> dict[str, str]:
    graph.output("probabilities", probs, "DOUBLE", ["rows", n_bins])
    bins = model.bins_
    # ONNX has no node for the angle of a point, so a circle has no mean there.
    if not bins.wraps:
        means = moments(bins)[0].cpu().numpy()
        mean = graph("MatMul", probs, graph.constant(means))
        graph.output("mean", mean, "DOUBLE", ["rows"])
    return {"edges": json.dumps(bins.edges.tolist()), "tails": bins.tails}
