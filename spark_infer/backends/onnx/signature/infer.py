"""A signature from a graph and the columns of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spark_infer.backends.formats import Said
from spark_infer.backends.onnx.model.graph import Graph
from spark_infer.backends.onnx.model.text import labels_of, words_of
from spark_infer.backends.onnx.model.types import STRING, GraphTensor
from spark_infer.backends.onnx.signature.columns import columns_of, identifier, is_one_column
from spark_infer.backends.onnx.signature.roles import check_mask, is_mask, is_zeros
from spark_infer.backends.onnx.signature.shapes import Shape, see
from spark_infer.bundle import (
    ArrayInput,
    Column,
    Input,
    Mask,
    Output,
    RaggedInput,
    ScalarInput,
    Signature,
)
from spark_infer.bundle.documents import shown
from spark_infer.errors import BundleError, SignatureError


def infer_signature(
    graph: Graph, said: Said, *, one_row: bool, renamed: Mapping[str, str] | None = None
) -> Signature:
    """Return the signature of a graph.

    Args:
        graph: The graph.
        said: Which columns feed which input.
        one_row: Whether it takes one row at a time only.
        renamed: What outputs were called before the graph was changed.

    Raises:
        SignatureError: Columns are missing, are too many, or an input has no name in the graph.
        BundleError: The graph has an input or output that no column can be.
    """
    others = _others(graph, said.inputs or {})
    columns = columns_of(graph, said, others)
    inputs = [_input(graph, graph.inputs[name], given) for name, given in columns.items()]
    inputs = _with_others(graph, inputs, [name for name in graph.inputs if name not in columns])
    shapes: dict[str, Shape] = {}
    axes: dict[str, str] = {}
    for item in inputs:
        values = graph.inputs[item.tensor_name]
        sizes = _sizes(item, values)
        axes |= {size: item.name for size in sizes if isinstance(size, str)}
        for tensor in item.tensors:
            shapes[tensor.name] = sizes[:1] if tensor.role == "mask" else sizes
    seen = see(graph.content, graph.inputs, shapes, list(graph.outputs), axes, one_row=one_row)
    taken = {name for item in inputs for name in item.column_names}
    called = {name: (renamed or {}).get(name, name) for name in graph.outputs}
    by_call = _identifiers(list(called.values()), taken)
    names = {name: by_call[call] for name, call in called.items()}
    outputs = []
    for one in seen:
        known = graph.outputs[one.name]
        outputs.append(
            Output(
                names[one.name],
                tensor=None if names[one.name] == one.name else one.name,
                dtype=known.signature_dtype,
                shape=one.shape,
                lengths_of=one.lengths_of,
                labels=labels_of(graph, one.name) if known.dtype == STRING else None,
            )
        )
    return Signature(inputs=inputs, outputs=outputs)


def _others(graph: Graph, given: Mapping[str, Any]) -> set[str]:
    """Return the inputs that no column feeds: masks and zeros."""
    if len(graph.inputs) == 1:
        return set()
    items = [item for item in given.values() if isinstance(item, Input)]
    fed = {name for item in items for name in item.tensor_names if name != item.tensor_name}
    found = {
        tensor.name
        for tensor in graph.inputs.values()
        if tensor.name in fed or is_mask(tensor, graph.inputs) or is_zeros(tensor)
    }
    for name, tensor in graph.inputs.items():
        # A number of its own is fed with the column of its name.
        if name not in found and name not in given and not is_one_column(tensor):
            check_mask(tensor)
    return found


def _input(graph: Graph, tensor: GraphTensor, given: Any) -> Input:
    """Return an input of the signature."""
    if isinstance(given, Input):
        if given.tensor_name != tensor.name:
            raise SignatureError(
                f"input {given.name!r} feeds tensor {given.tensor_name!r}, and inputs gives it "
                f"to {tensor.name!r} of the ONNX model; set tensor={tensor.name!r}"
            )
        return given
    assert tensor.dims is not None
    name = identifier(tensor.name)
    options: dict[str, Any] = {
        "tensor": None if name == tensor.name else tensor.name,
        "dtype": tensor.signature_dtype,
    }
    if tensor.dtype == STRING:
        options["vocabulary"] = words_of(graph, tensor.name)
    rest = tensor.dims[1:]
    is_one = isinstance(given, (str, Column))
    if is_one and is_one_column(tensor):
        given, is_one = [given], False
    if not is_one:
        return _packed(tensor, name, given, options)
    if not isinstance(given, str):
        raise SignatureError(f"input {tensor.name!r}: give the array column's name, not a Column")
    _check_rest(tensor)
    if not rest or isinstance(rest[0], int):
        return ArrayInput(name, column=given, shape=[int(str(dim)) for dim in rest], **options)
    inner = [int(str(dim)) for dim in rest[1:]]
    return RaggedInput(name, column=given, shape=inner, mask=False, **options)


def _packed(tensor: GraphTensor, name: str, given: Any, options: Mapping[str, Any]) -> ScalarInput:
    if not isinstance(given, Sequence) or not all(isinstance(c, (str, Column)) for c in given):
        raise SignatureError(
            f"input {tensor.name!r} must be fed with a list of columns, the name of one, or an "
            f"input, got {shown(given)}"
        )
    assert tensor.dims is not None
    if len(tensor.dims) > 2:
        raise SignatureError(
            f"input {tensor.name!r} of the ONNX model ({tensor}) takes an array for each row; give "
            "the name of one array column"
        )
    size = 1 if len(tensor.dims) == 1 else tensor.dims[1]
    if isinstance(size, int) and size != len(given):
        raise SignatureError(
            f"input {tensor.name!r} of the ONNX model takes {size} column(s) ({tensor}), and "
            f"{len(given)} are named: {shown(list(given))}"
        )
    return ScalarInput(name, columns=list(given), **options)


def _check_rest(tensor: GraphTensor) -> None:
    assert tensor.dims is not None
    vague = [dim for dim in tensor.dims[2:] if not isinstance(dim, int)]
    if vague:
        raise BundleError(
            f"input {tensor.name!r} of the ONNX model has {len(vague)} dynamic axes behind the "
            f"second ({tensor}), and rows may vary in one length; export it with the others fixed"
        )


def _with_others(graph: Graph, inputs: list[Input], names: list[str]) -> list[Input]:
    """Give the masks and zeros of a graph to the inputs whose length they have."""
    for name in names:
        tensor = graph.inputs[name]
        if any(name in item.tensor_names for item in inputs):
            continue
        for place, item in enumerate(inputs):
            values = graph.inputs[item.tensor_name]
            if isinstance(item, ScalarInput) or not _alike(values, tensor):
                continue
            if not is_zeros(tensor) and not getattr(item, "mask", False):
                inputs[place] = _masked(item, Mask(tensor=name, dtype=tensor.signature_dtype))
                break
            if is_zeros(tensor) and isinstance(item, RaggedInput) and tensor.dtype == values.dtype:
                zeros = [*item.zeros, name]
                inputs[place] = _replace(item, zeros=zeros)
                break
        else:
            raise SignatureError(
                f"input {name!r} of the ONNX model ({tensor}) is fed by no column, and no input "
                f"has its length; pass inputs={{..., {name!r}: COLUMNS}} or a signature"
            )
    return inputs


def _masked(item: Input, mask: Mask) -> RaggedInput:
    if isinstance(item, RaggedInput):
        return _replace(item, mask=mask)
    assert isinstance(item, ArrayInput)
    length, *inner = item.shape
    return RaggedInput(
        item.name,
        column=item.column,
        shape=inner,
        tensor=item.tensor,
        dtype=item.dtype,
        pad_to=length,
        mask=mask,
    )


def _replace(item: RaggedInput, **changes: Any) -> RaggedInput:
    import dataclasses

    return dataclasses.replace(item, **changes)


def _alike(values: GraphTensor, other: GraphTensor) -> bool:
    """Return whether another input has the positions of the values."""
    assert values.dims is not None
    assert other.dims is not None
    if len(values.dims) < 2 or len(other.dims) != 2:
        return False
    one, two = values.dims[1], other.dims[1]
    return one == two or (
        not isinstance(one, int) and not isinstance(two, int) and None in (one, two)
    )


def _sizes(item: Input, values: GraphTensor) -> Shape:
    """Return the sizes of a row of an input's tensor: a name where they vary."""
    assert values.dims is not None
    if isinstance(item, RaggedInput):
        named = values.dims[1] if isinstance(values.dims[1], str) else item.name
        return (item.pad_to or named, *item.item_shape)
    return tuple(item.item_shape) if len(values.dims) > 1 else ()


def _identifiers(names: list[str], taken: set[str]) -> dict[str, str]:
    """Return a name of a column for each tensor: an identifier that no other has."""
    found: dict[str, str] = {}
    used = {name.casefold() for name in taken}
    for name in names:
        wanted = candidate = identifier(name)
        number = 1
        while candidate.casefold() in used:
            number += 1
            candidate = f"{wanted}_{number}"
        used.add(candidate.casefold())
        found[name] = candidate
    return found
