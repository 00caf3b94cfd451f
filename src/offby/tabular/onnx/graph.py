"""`Graph`: an ONNX graph in the making, written as if its nodes were functions."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

FLOAT, INT32, INT64, DOUBLE = 1, 6, 7, 11
"""Types as `onnx.TensorProto` numbers them: onnx is imported on use."""
OUTPUTS = ("probabilities", "label", "mean")
"""What the outputs of a graph may be named."""


def onnx() -> Any:
    """The library.

    Raises:
        RuntimeError: If it is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise RuntimeError(
            "export needs onnx, which is not here; run pip install offby[onnx]"
        ) from error
    return onnx


@dataclass(eq=False)
class Graph:
    """Nodes, constants, inputs and outputs, in the order in which they were added."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)

    def constant(self, values: Any, dtype: Any = None) -> str:
        """An array that the graph holds."""
        name = f"/constant_{len(self.constants)}"
        array = np.ascontiguousarray(np.asarray(values, dtype))
        made = onnx().numpy_helper.from_array(array.reshape(np.shape(values)), name)
        self.constants.append(made)
        return name

    def __call__(self, op: str, *inputs: str, domain: str = "", **attributes) -> str:
        """The result of an operator of ONNX."""
        # No column of a table is likely to have a slash in front.
        name = f"/{op}_{len(self.nodes)}"
        made = onnx().helper.make_node(op, inputs, [name], domain=domain, **attributes)
        self.nodes.append(made)
        return name

    def input(self, name: str, dtype: str, shape: list[Any]) -> str:
        """What the caller gives, by its name.

        Raises:
            ValueError: If the name is taken, or empty.
        """
        taken = {value.name for value in self.inputs} | {"", *OUTPUTS}
        if name in taken:
            raise ValueError(
                "export names inputs by their columns and outputs "
                f"{', '.join(OUTPUTS)}, so that column {name!r} has no name of its "
                "own; rename the column before fitting"
            )
        self.inputs.append(_value(name, dtype, shape))
        return name

    def output(self, name: str, result: str, dtype: str, shape: list[Any]) -> None:
        """A result that the caller gets, by its name."""
        made = onnx().helper.make_node("Identity", [result], [name])
        self.nodes.append(made)
        self.outputs.append(_value(name, dtype, shape))

    def model(self, about: dict[str, str]) -> Any:
        """The whole as a model, checked."""
        helper = onnx().helper
        graph = helper.make_graph(
            self.nodes, "offby", self.inputs, self.outputs, self.constants
        )
        # Operators of 2023, which onnxruntime has had since 1.16.
        opsets = [
            helper.make_opsetid("", 18),
            helper.make_opsetid("ai.onnx.ml", 3),
        ]
        made = helper.make_model(
            graph, opset_imports=opsets, producer_name="offby", ir_version=9
        )
        helper.set_model_props(made, about)
        onnx().checker.check_model(made)
        return made


def _value(name: str, dtype: str, shape: list[Any]) -> Any:
    kind = getattr(onnx().TensorProto, dtype)
    return onnx().helper.make_tensor_value_info(name, kind, shape)
