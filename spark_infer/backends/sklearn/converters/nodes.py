"""Nodes of a graph that is being made by skl2onnx."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx.common.data_types import DoubleTensorType
from skl2onnx.proto import onnx_proto

from spark_infer.backends.backend import Array

FLOAT, DOUBLE = onnx_proto.TensorProto.FLOAT, onnx_proto.TensorProto.DOUBLE
INT64, STRING = onnx_proto.TensorProto.INT64, onnx_proto.TensorProto.STRING
_KINDS = {"f": (DOUBLE, np.float64), "b": (INT64, np.int64), "i": (INT64, np.int64)}
_TREES = {"op_domain": "ai.onnx.ml", "op_version": 3}


class Nodes:
    """Adds nodes for one part of an estimator.

    Args:
        scope: What gives names.
        operator: The part, with its inputs and outputs.
        container: What takes the nodes.
    """

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        self._scope, self._operator, self._container = scope, operator, container
        self.given = [value.full_name for value in operator.inputs]

    @property
    def gives_raw(self) -> bool:
        """Whether what stands around the part wants what it adds up, and no probabilities."""
        found = self._container.get_options(self._operator.raw_operator, {"raw_scores": False})
        return bool(found["raw_scores"])

    def add(self, word: str, *given: str, made: str | None = None, **attributes: Any) -> str:
        """Add a node, and return the name of what it makes."""
        made = made or self._scope.get_unique_variable_name(word.lower())
        name = self._scope.get_unique_operator_name(word)
        self._container.add_node(word, list(given), [made], name=name, **attributes)
        return made

    def add_trees(self, word: str, given: str, **attributes: Any) -> str:
        """Add an ensemble of trees, and return the name of its sums, in float64."""
        label = [self._scope.get_unique_variable_name("voted")] * (word.endswith("Classifier"))
        total = self._scope.get_unique_variable_name("total")
        name = self._scope.get_unique_operator_name(word)
        self._container.add_node(word, [given], [*label, total], name=name, **_TREES, **attributes)
        return self.cast(total, DOUBLE)

    def cast(self, given: str, to: int, made: str | None = None) -> str:
        """Make something of another type."""
        return self.add("Cast", given, made=made, to=to)

    def constant(self, values: Array) -> str:
        """Return the name of a constant: numbers, or words."""
        name: str = self._scope.get_unique_variable_name("constant")
        values = np.asarray(values)
        kind, dtype = _KINDS.get(values.dtype.kind, (STRING, np.object_))
        content = [
            one.encode() if kind == STRING else one for one in values.astype(dtype).ravel().tolist()
        ]
        self._container.add_initializer(name, kind, list(values.shape), content)
        return name

    def answer(self, place: int, given: str) -> None:
        """Give numbers as one of the outputs, in its type."""
        output = self._operator.outputs[place]
        kind = DOUBLE if isinstance(output.type, DoubleTensorType) else FLOAT
        self.cast(given, kind, made=output.full_name)

    def answer_class(self, classes: Array, places: str) -> None:
        """Give the classes with some numbers, (rows,), as the first output."""
        classes = np.array(classes.tolist())  # Of objects, what these are: words.
        if classes.dtype.kind in "uf":
            # scikit-learn takes no others than whole ones.
            classes = classes.astype(np.int64)
        output = self._operator.outputs[0].full_name
        self.add("Gather", self.constant(classes), places, made=output, axis=0)
