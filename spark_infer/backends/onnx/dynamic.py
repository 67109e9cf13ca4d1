"""Graphs that were exported for one row, for any number of rows where that is the same."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnxruntime as ort
from onnx import ModelProto, numpy_helper

from spark_infer.backends.backend import Array
from spark_infer.backends.onnx.model.graph import Graph
from spark_infer.backends.onnx.model.types import GraphTensor
from spark_infer.backends.onnx.session import make_session, run_options
from spark_infer.backends.onnx.signature.shapes import example
from spark_infer.errors import BundleError

_ROWS = (1, 2, 5)
_LENGTHS = (1, 4, 7)
_TOLERANCE = 1e-5


def takes_one_row(graph: Graph) -> bool:
    """Return whether a graph was exported for one row."""
    dims = [tensor.dims for tensor in graph.inputs.values()]
    return any(axes and axes[0] == 1 for axes in dims)


def made_dynamic(graph: Graph) -> Graph | None:
    """Return a graph that answers any number of rows as this one answers each, if there is one."""
    model = ModelProto()
    model.CopyFrom(graph.model)
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.name in graph.inputs | graph.outputs and len(dims):
            dims[0].dim_param = "batch"
    _open_reshapes(model)
    found = Graph.of(model)
    return found if _are_same(graph, found) else None


def _open_reshapes(model: ModelProto) -> None:
    """Let reshapes to one row keep the rows that they are given."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and len(node.attribute) == 1 and node.attribute[0].t.dims:
            constants[node.output[0]] = node.attribute[0].t
    for place, node in enumerate(model.graph.node):
        # In opset 1 its shape was an attribute.
        if node.op_type != "Reshape" or len(node.input) < 2 or node.input[1] not in constants:
            continue
        try:
            shape = numpy_helper.to_array(constants[node.input[1]]).copy()
        except (ValueError, TypeError):  # as where its numbers are not as many as it says
            continue
        if shape.size and shape[0] == 1 and 0 not in shape:
            shape[0] = 0  # As many as it is given.
            del node.attribute[:]  # Nothing but allowzero, by which 0 would be none.
            name = f"{node.input[1]}_of_any_rows_{place}"
            model.graph.initializer.append(numpy_helper.from_array(shape, name))
            node.input[1] = name


def _are_same(graph: Graph, dynamic: Graph) -> bool:
    """Run both: one row after another in one, several at once in the other."""
    try:
        one = make_session(graph.content, threads=1)
        several = make_session(dynamic.content, threads=1)
        return all(
            _agree(one, several, graph.inputs, rows, length)
            for rows, length in zip(_ROWS, _LENGTHS, strict=True)
        )
    except BundleError:
        return False


def _agree(
    one: ort.InferenceSession,
    several: ort.InferenceSession,
    inputs: Mapping[str, GraphTensor],
    rows: int,
    length: int,
) -> bool:
    batch = {}
    for seed, (name, tensor) in enumerate(inputs.items()):
        rest = [dim if isinstance(dim, int) else length for dim in (tensor.dims or ())[1:]]
        batch[name] = example(tensor, (rows, *rest), seed)
    try:
        expected = row_by_row(one, None, batch)
        found = several.run(None, batch, run_options())
    except Exception:  # a graph that fails is not the same, whatever it raises
        return False
    return all(_same(a, b) for a, b in zip(expected, found, strict=True))


def row_by_row(
    session: ort.InferenceSession, names: list[str] | None, batch: Mapping[str, Array]
) -> list[Array]:
    """Return what a graph answers to each row alone, one behind the other."""
    rows = len(next(iter(batch.values())))
    alone = [
        session.run(names, {n: a[row : row + 1] for n, a in batch.items()}, run_options())
        for row in range(rows)
    ]
    return [np.concatenate(parts) for parts in zip(*alone, strict=True)]


def _same(a: Array, b: Array) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind != "f":
        return bool((a == b).all())
    return bool(np.allclose(a, b, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True))
