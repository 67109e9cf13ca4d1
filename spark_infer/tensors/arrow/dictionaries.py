"""Arrays of dictionaries as their words, at any depth: those of several chunks do not join."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pat

from spark_infer.tensors.arrow.types import is_list, storage_type


def holds_dictionary(kind: pa.DataType) -> bool:
    """Tell whether values of a type, or what lies in them, are of a dictionary."""
    if pat.is_dictionary(kind):
        return True
    if isinstance(kind, pa.BaseExtensionType):
        # What is of an extension that nothing is made of stays as it is.
        return storage_type(kind) is not kind and holds_dictionary(kind.storage_type)
    return any(holds_dictionary(kind.field(index).type) for index in range(kind.num_fields))


def decoded(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return an array without the dictionaries in it, of which several may have too many words.

    Dictionaries in what no tensor is made of, such as maps, stay.
    """
    if not holds_dictionary(column.type):
        return column
    if isinstance(column, pa.ChunkedArray):
        chunks = column.chunks or [pa.nulls(0, column.type)]
        return pa.chunked_array([decoded(chunk) for chunk in chunks])
    if pat.is_dictionary(column.type):
        return decoded(column.dictionary_decode())
    if isinstance(column, pa.ExtensionArray):
        return decoded(column.storage)
    if pat.is_struct(column.type):
        return _decoded_struct(column)
    return _decoded_list(column) if is_list(column.type) else column


def _decoded_struct(column: pa.StructArray) -> pa.Array:
    fields = [column.type.field(index) for index in range(column.type.num_fields)]
    children = [decoded(column.field(index)) for index in range(len(fields))]
    return pa.StructArray.from_arrays(
        children,
        fields=[field.with_type(child.type) for field, child in zip(fields, children, strict=True)],
        mask=column.is_null(),
    )


def _decoded_list(column: pa.Array) -> pa.Array:
    values = decoded(column.values)
    item = column.type.value_field.with_type(values.type)
    if pat.is_fixed_size_list(column.type):
        kind, num_buffers = pa.list_(item, column.type.list_size), 1
    else:
        kind = (pa.large_list if pat.is_large_list(column.type) else pa.list_)(item)
        num_buffers = 2
    return pa.Array.from_buffers(
        kind,
        len(column),
        column.buffers()[:num_buffers],
        offset=column.offset,
        children=[values],
    )
