"""The network, the mean over its members, and the correction as nodes of a graph."""

from typing import Any

import numpy as np

from offby.tabular.calibration import Correction, Isotonic, Temperature
from offby.tabular.layers import ColumnLinear, SharedLinear
from offby.tabular.networks import Ensemble, NetworkBatch
from offby.tabular.onnx.graph import DOUBLE, INT64, Graph


def probabilities(graph: Graph, inputs: str, network: NetworkBatch) -> str:
    """Mean probabilities over all runs and members, as `mean_probabilities`: float64.

    Raises:
        ValueError: If the network is not one of offby.
    """
    if not isinstance(network, Ensemble):
        raise ValueError(
            "export writes the networks of offby, got a module of your own; export it "
            "with torch.onnx.export(model.network_.module, ...), on rows encoded by "
            "model.encoder_, or leave module= out"
        )
    first, *others = network.layers or [None]
    if first is None:
        hidden = graph("Unsqueeze", inputs, graph.constant([0, 1], np.int64))
    else:
        assert isinstance(first, ColumnLinear)
        hidden = _first_layer(graph, inputs, first)
    for layer in others:
        assert isinstance(layer, SharedLinear)
        weight = graph.constant(_array(layer.weight)[:, None])
        hidden = _relu(graph, graph("MatMul", hidden, weight), layer.bias)
    head = network.head
    waves = graph("MatMul", hidden, graph.constant(_array(head.weight)))
    waves = graph("Add", waves, graph.constant(_array(head.bias)))
    logits = graph("MatMul", waves, graph.constant(_array(network.basis)))
    logits = graph("Add", logits, graph.constant(_array(network.prior)))
    each = graph("Cast", graph("Softmax", logits, axis=-1), to=DOUBLE)
    axes = graph.constant([0, 1], np.int64)
    return _normalized(graph, graph("ReduceSum", each, axes, keepdims=0))


def corrected(graph: Graph, probs: str, correction: Correction, n_classes: int) -> str:
    """The probabilities after the correction on the validation rows."""
    match correction:
        case Temperature(temperature):
            least = graph.constant(np.finfo(np.float64).tiny)
            log_p = graph("Log", graph("Max", probs, least))
            scaled = graph("Div", log_p, graph.constant(temperature))
            return graph("Softmax", scaled, axis=-1)
        case Isotonic(levels, mapped):
            return _isotonic(graph, probs, levels, mapped, n_classes)
    return probs


def cumulative(graph: Graph, probs: str) -> str:
    """Mass of each class and of all before it."""
    return graph("CumSum", probs, graph.constant(1, np.int64))


def _first_layer(graph: Graph, inputs: str, layer: ColumnLinear) -> str:
    """As `ColumnLinear`: what a column adds, once for all members, then their scales.

    Its inputs are padded to equally many for each column by one that is always 0.
    """
    places: Any = layer.column_inputs
    n_columns, n_places = places.shape
    weight, r = _array(layer.weight), _array(layer.r)
    n_runs, n_members, n_out = len(r), r.shape[1], weight.shape[-1]
    padded = graph("Pad", inputs, graph.constant([0, 0, 0, 1], np.int64))
    flat = graph.constant(places.flatten().cpu().numpy(), np.int64)
    by_column = graph("Gather", padded, flat, axis=1)
    shape = graph.constant([-1, n_columns, n_places], np.int64)
    rows = graph("Transpose", graph("Reshape", by_column, shape), perm=[1, 0, 2])
    rows = graph("Unsqueeze", rows, graph.constant([0], np.int64))
    added = graph("MatMul", rows, graph.constant(weight))
    columns_last = graph.constant([n_runs, n_columns, -1], np.int64)
    summed = graph("MatMul", graph.constant(r), graph("Reshape", added, columns_last))
    members = graph.constant([n_runs, n_members, -1, n_out], np.int64)
    return _relu(graph, graph("Reshape", summed, members), layer.bias)


def _relu(graph: Graph, product: str, bias: Any) -> str:
    return graph("Relu", graph("Add", product, graph.constant(_array(bias))))


def _isotonic(
    graph: Graph, probs: str, levels: np.ndarray, mapped: np.ndarray, n_classes: int
) -> str:
    """A piecewise linear map of the cumulative probabilities, as `numpy.interp`."""
    below = cumulative(graph, probs)
    inner = graph.constant(np.arange(n_classes - 1), np.int64)
    cuts = graph("Gather", below, inner, axis=1)
    # Which piece each number lies in: the levels are evenly spaced.
    step = levels[1] - levels[0]
    assert np.allclose(np.diff(levels), step)
    inside = graph("Clip", cuts, graph.constant(0.0), graph.constant(1.0))
    place = graph("Floor", graph("Div", inside, graph.constant(step)))
    last = graph.constant(float(len(levels) - 2))
    at = graph("Cast", graph("Min", place, last), to=INT64)
    start = graph("Gather", graph.constant(levels[:-1]), at)
    low = graph("Gather", graph.constant(mapped[:-1]), at)
    slope = graph("Gather", graph.constant(np.diff(mapped) / np.diff(levels)), at)
    moved = graph("Add", low, graph("Mul", slope, graph("Sub", inside, start)))
    one, zero = graph.constant(1.0), graph.constant(0.0)
    behind, before = ([0, 0, 0, 1], np.int64), ([0, 1, 0, 0], np.int64)
    ends = graph("Pad", moved, graph.constant(*behind), one)
    return graph("Sub", ends, graph("Pad", moved, graph.constant(*before), zero))


def _normalized(graph: Graph, rows: str) -> str:
    axis = graph.constant([1], np.int64)
    return graph("Div", rows, graph("ReduceSum", rows, axis, keepdims=1))


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy()
