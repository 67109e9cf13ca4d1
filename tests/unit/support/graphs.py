"""Small ONNX graphs for tests, built by hand or exported from models."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper

Dims = Sequence[int | str | None]
FLOAT = TensorProto.FLOAT

KINDS = {
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "bool": TensorProto.BOOL,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "string": TensorProto.STRING,
    "bfloat16": TensorProto.BFLOAT16,
    "complex64": TensorProto.COMPLEX64,
}


def model(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, tuple[str, Dims | None]],
    outputs: Mapping[str, tuple[str, Dims | None]],
    constants: Mapping[str, npt.NDArray[Any]] | None = None,
    **options: Any,
) -> ModelProto:
    """Return a model of some nodes; inputs and outputs are types and dimensions by name."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(n, KINDS[k], dims) for n, (k, dims) in inputs.items()],
        [helper.make_tensor_value_info(n, KINDS[k], dims) for n, (k, dims) in outputs.items()],
        [onnx.numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, **{"opset_imports": opsets, "ir_version": 10} | options)


def linear(name: str = "x", first: int | str | None = "batch", columns: int = 2) -> ModelProto:
    """Return y = x @ w for a matrix of rows."""
    weights = np.arange(1, columns + 1, dtype=np.float32)[:, None] / 4
    return model(
        [helper.make_node("MatMul", [name, "w"], ["y"])],
        {name: ("float32", [first, columns])},
        {"y": ("float32", [first, 1])},
        {"w": weights},
    )


def mean(**options: Any) -> ModelProto:
    """Return the mean of the real positions of each row, and each position less that mean."""
    nodes = [
        helper.make_node("Mul", ["x", "mask"], ["real"]),
        helper.make_node("ReduceSum", ["real", "axis"], ["total"], keepdims=1),
        helper.make_node("ReduceSum", ["mask", "axis"], ["count"], keepdims=1),
        helper.make_node("Max", ["count", "one"], ["least"]),
        helper.make_node("Div", ["total", "least"], ["mean"]),
        helper.make_node("Sub", ["x", "mean"], ["rest"]),
    ]
    dims = ["batch", "length"]
    return model(
        nodes,
        {"x": ("float32", dims), "mask": ("float32", dims)},
        {"mean": ("float32", ["batch", 1]), "rest": ("float32", dims)},
        {"axis": np.array([1]), "one": np.array(1, np.float32)},
        **options,
    )


def cast(kind: str) -> ModelProto:
    """Return a graph that gives a tensor of some type as float32, and as it is."""
    return model(
        [
            helper.make_node("Cast", ["x"], ["y"], to=FLOAT),
            helper.make_node("Identity", ["x"], ["same"]),
        ],
        {"x": (kind, ["batch", 2])},
        {"y": ("float32", ["batch", 2]), "same": (kind, ["batch", 2])},
    )


def exported(module: torch.nn.Module, *example: torch.Tensor, **options: Any) -> ModelProto:
    """Return what torch.onnx.export makes of a module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(module.eval(), example, dynamo=True, verbose=False, **options)
    assert program is not None
    found: ModelProto = program.model_proto
    return found


def bare(graph: ModelProto, **tensors: Any) -> list[Any]:
    """Return what bare ONNX Runtime makes of tensors."""
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[Any] = session.run(None, tensors)
    return found
