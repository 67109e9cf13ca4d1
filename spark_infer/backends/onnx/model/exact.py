"""Encoders of numbers within a graph, made to know no number but their categories.

skl2onnx cuts numbers down to whole ones before it looks them up, so that 1.7 would be category 1.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from spark_infer.backends.backend import Array

_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)
_NO_CATEGORY = np.array(-(2**60), np.int64)
"""A whole number that float64 holds and that is beyond those that may be categories."""


def exact(model: ModelProto, fractions: Collection[str]) -> ModelProto:
    """Return a graph whose encoders know no number but their categories.

    Args:
        model: What skl2onnx has made. It is left as it is.
        fractions: Inputs of whole numbers that shall be of any: what is not whole is no category.
    """
    made = ModelProto()
    made.CopyFrom(model)
    before: list[NodeProto] = []
    for value in made.graph.input:
        if value.name in fractions:
            before += _widened(made, value)
    kinds = _kinds(model)
    casts = {
        node.output[0]: node
        for node in model.graph.node
        if node.op_type == "Cast" and kinds.get(node.input[0]) in _FLOATS
    }
    nodes: list[NodeProto] = before
    for node in list(made.graph.node):
        cast, unknown = casts.get(node.input[0]) if node.input else None, _unknown(node)
        if cast is not None and unknown is not None:
            name = f"{node.output[0]}_exact"
            other = numpy_helper.from_array(unknown, f"{name}_unknown")
            made.graph.initializer.append(other)
            kind = kinds[cast.input[0]]
            nodes += _compared(cast.input[0], cast.output[0], name, kind, other.name)
            node.input[0] = name
        nodes.append(node)
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del made.graph.node[:]
    made.graph.node.extend(copies)
    return made


def _widened(made: ModelProto, value: ValueInfoProto) -> list[NodeProto]:
    """Make an input of whole numbers one of float64, and return the nodes that make them whole."""
    given, name = value.name, f"{value.name}_whole"
    value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in made.graph.node:
        node.input[:] = [name if one == given else one for one in node.input]
    made.graph.initializer.append(numpy_helper.from_array(_NO_CATEGORY, f"{name}_unknown"))
    return [
        helper.make_node("Cast", [given], [f"{name}_cast"], to=TensorProto.INT64),
        helper.make_node("Cast", [f"{name}_cast"], [f"{name}_back"], to=TensorProto.DOUBLE),
        helper.make_node("Equal", [f"{name}_back", given], [f"{name}_same"]),
        helper.make_node("Where", [f"{name}_same", f"{name}_cast", f"{name}_unknown"], [name]),
    ]


def _kinds(model: ModelProto) -> dict[str, int]:
    """Return the types of tensors, where they can be told."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.value_info)
    }


def _unknown(node: NodeProto) -> Array | None:
    """Return what an encoder of numbers does not know; None for another node."""
    name = {"OneHotEncoder": "cats_int64s", "LabelEncoder": "keys_floats"}.get(node.op_type)
    known = [helper.get_attribute_value(one) for one in node.attribute if one.name == name]
    if not known or not len(known[0]):
        return None
    if name == "cats_int64s":
        return np.array(min(known[0]) - 1, np.int64)
    highest = np.nanmax(np.array([*known[0], 0], np.float32))
    return np.asarray(np.nextafter(highest, np.float32(np.inf)), np.float32)


def _compared(given: str, cast: str, name: str, kind: int, unknown: str) -> list[NodeProto]:
    """Return nodes that give a number that was cast where that has left it as it was."""
    back, same, odd, kept = (f"{name}_{word}" for word in ("back", "same", "nan", "kept"))
    return [
        helper.make_node("Cast", [cast], [back], to=kind),
        helper.make_node("Equal", [back, given], [same]),
        # NaN may be a category; as a whole number it is none.
        helper.make_node("IsNaN", [back], [odd]),
        helper.make_node("Or", [same, odd], [kept]),
        helper.make_node("Where", [kept, cast, unknown], [name]),
    ]
