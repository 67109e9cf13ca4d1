"""Columns put side by side, without a cut to float32."""

from __future__ import annotations

from onnx import ModelProto


def widen(model: ModelProto) -> None:
    """Replace what puts columns together as float32, whatever their type, in a graph."""
    for node in model.graph.node:
        if node.op_type == "FeatureVectorizer":
            node.op_type, node.domain = "Concat", ""
            del node.attribute[:]
            axis = node.attribute.add()
            axis.name, axis.i, axis.type = "axis", 1, axis.INT
