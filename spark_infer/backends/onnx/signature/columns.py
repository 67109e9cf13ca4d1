"""Which columns feed which input of a graph."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from spark_infer.backends.formats import Said
from spark_infer.backends.onnx.model.graph import Graph
from spark_infer.backends.onnx.model.types import GraphTensor
from spark_infer.bundle import Column
from spark_infer.bundle.documents import shown
from spark_infer.errors import SignatureError, nearest


def columns_of(graph: Graph, said: Said, others: set[str]) -> dict[str, Any]:
    """Return what each input is fed with, by the graph's name, in the graph's order.

    Args:
        graph: The graph.
        said: What the user says.
        others: Inputs that no column feeds: masks and zeros.

    Raises:
        SignatureError: An input is fed by nothing, or is none of the graph's.
    """
    open_names = [name for name in graph.inputs if name not in others]
    given: Mapping[str, Any] = said.inputs or {}
    for name in given:
        if name not in graph.inputs:
            raise SignatureError(
                f"inputs names {shown(name)}, and the ONNX model's inputs are "
                f"{listed(graph)}{nearest(str(name)[:100], graph.inputs)}"
            )
    if said.columns is not None:
        if given:
            raise SignatureError("give inputs or columns, not both")
        given = _spread(graph, open_names, list(said.columns))
    found: dict[str, Any] = {}
    for name, tensor in graph.inputs.items():
        if name in given:
            found[name] = given[name]
        elif name in others:
            continue
        elif is_one_column(tensor):
            found[name] = name
        elif said.guesses:
            found[name] = _guess(tensor)
        else:
            hint = ", ".join(f"{one!r}: {_hint(graph.inputs[one])}" for one in open_names)
            raise SignatureError(
                f"which columns feed input {name!r} of the ONNX model ({tensor}) is not said; pass "
                f"inputs={{{hint}}}, or a signature (si.read_signature(model) prints a draft)"
            )
    if not found:
        raise SignatureError(
            f"no column feeds the ONNX model's inputs {listed(graph)}; pass inputs"
        )
    return found


def _spread(graph: Graph, names: list[str], columns: list[Any]) -> dict[str, Any]:
    """Return which of some columns feed which input."""
    if len(names) == 1:
        return {names[0]: columns}
    by_name = {Column.of(column).name: column for column in columns}
    if all(is_one_column(graph.inputs[name]) for name in names) and set(by_name) == set(names):
        return {name: [by_name[name]] for name in names}
    raise SignatureError(
        f"columns is for a model with one input, or with one input for each column and of its "
        f"name, and the ONNX model's inputs are {listed(graph)}; pass inputs={{NAME: COLUMNS}}"
    )


def is_one_column(tensor: GraphTensor) -> bool:
    """Return whether an input has one number for each row."""
    assert tensor.dims is not None
    return len(tensor.dims) == 1 or (len(tensor.dims) == 2 and tensor.dims[1] == 1)


def _guess(tensor: GraphTensor) -> Any:
    assert tensor.dims is not None
    dims, name = tensor.dims, identifier(tensor.name)
    if len(dims) == 2 and isinstance(dims[1], int) and dims[1] <= 200:
        return [f"{name}_{place}" for place in range(dims[1])]
    return name


def _hint(tensor: GraphTensor) -> str:
    assert tensor.dims is not None
    if len(tensor.dims) == 2 and isinstance(tensor.dims[1], int):
        return f"[{tensor.dims[1]} columns]"
    return "'array column'"


def identifier(name: str) -> str:
    """Return a tensor's name as an identifier."""
    found = re.sub(r"\W", "_", name)
    return found if found.isidentifier() else f"_{found}"


def listed(graph: Graph) -> str:
    """Return a graph's inputs for a message."""
    return ", ".join(map(str, graph.inputs.values()))
