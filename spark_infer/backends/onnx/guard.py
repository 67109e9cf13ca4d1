"""Graphs that refuse numbers which the model that they were made from refuses."""

from __future__ import annotations

import re

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from spark_infer.backends.onnx.model.types import GraphTensor, tensor_of

_REASON = re.compile(r"a number is (NaN or )?infinite in [^'\n]+")


def numbers_in(model: ModelProto) -> dict[str, GraphTensor]:
    """Return the inputs of floats."""
    tensors = [tensor_of(value, what="input") for value in model.graph.input]
    return {tensor.name: tensor for tensor in tensors if tensor.dtype.startswith("float")}


def refused(error: Exception) -> str | None:
    """Return what a guard found where a run failed because of it."""
    found = _REASON.search(str(error))
    return found and found.group()


def guarded(model: ModelProto, allows_nan: dict[str, bool]) -> ModelProto:
    """Return a graph that fails where an input is infinite, or NaN.

    A graph has no operator that raises. One that looks up a place that is not there does, and
    ONNX Runtime's message has its name.

    Args:
        model: The graph. It is left as it is.
        allows_nan: Inputs to look at, and whether NaN is taken.
    """
    made = ModelProto()
    made.CopyFrom(model)
    nodes: list[NodeProto] = []
    for name, takes_nan in allows_nan.items():
        checked = f"{name}_checked"
        for node in made.graph.node:
            node.input[:] = [checked if given == name else given for given in node.input]
        dtype = numbers_in(model)[name].dtype
        zero = numpy_helper.from_array(np.zeros(1, dtype), f"{name}_zero")
        made.graph.initializer.append(zero)
        nodes += _guard(name, checked, zero.name, takes_nan=takes_nan)
    rest = list(made.graph.node)
    del made.graph.node[:]
    made.graph.node.extend([*nodes, *rest])
    return made


def _guard(name: str, checked: str, zero: str, *, takes_nan: bool) -> list[NodeProto]:
    """Return nodes that give an input as it is, or fail."""
    odd, places, worst, nothing = (f"{name}_{word}" for word in ("odd", "place", "worst", "none"))
    apart, unknown, nan = (f"{name}_{word}" for word in ("apart", "unknown", "nan"))
    # Of what is infinite, less itself, nothing is known. Before version 10 there is no IsInf.
    find = [
        helper.make_node("Sub", [name, name], [apart]),
        helper.make_node("IsNaN", [apart], [unknown if takes_nan else odd]),
    ]
    if takes_nan:
        find += [
            helper.make_node("IsNaN", [name], [nan]),
            helper.make_node("Xor", [unknown, nan], [odd]),
        ]
    word = "infinite" if takes_nan else "NaN or infinite"
    return [
        *find,
        helper.make_node("Cast", [odd], [places], to=TensorProto.INT32),
        helper.make_node("ReduceMax", [places], [worst], keepdims=0),
        helper.make_node(
            "Gather", [zero, worst], [nothing], name=f"a number is {word} in {name}", axis=0
        ),
        helper.make_node("Add", [name, nothing], [checked]),
    ]
