"""Arrays of dictionaries and views as their words, at any depth.

Dictionaries of several chunks do not join, and of a view Arrow takes no elements.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pat

from spark_infer.tensors.arrow.types import is_list, storage_type

_VIEWS = {"string_view": pa.large_string(), "binary_view": pa.large_binary()}
"""What is read instead of a view; by name, for older Arrows."""
_LARGE = {"string": pa.large_string(), "binary": pa.large_binary()}
"""What the words of a dictionary are read as."""


def is_coded(kind: pa.DataType) -> bool:
    """Tell whether the type is a dictionary or a view."""
    return bool(pat.is_dictionary(kind)) or str(kind) in _VIEWS


def holds_coded(kind: pa.DataType) -> bool:
    """Tell whether values of a type, or what lies in them, are of a dictionary or views."""
    if is_coded(kind):
        return True
    if isinstance(kind, pa.BaseExtensionType):
        # What is of an extension that nothing is made of stays as it is.
        return storage_type(kind) is not kind and holds_coded(kind.storage_type)
    return any(holds_coded(kind.field(index).type) for index in range(kind.num_fields))


def decoded(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return an array without the views and the dictionaries in it.

    Those in what no tensor is made of, such as maps, stay.
    """
    if not holds_coded(column.type):
        return column
    if isinstance(column, pa.ChunkedArray):
        chunks = column.chunks or [pa.nulls(0, column.type)]
        return pa.chunked_array([decoded(chunk) for chunk in chunks])
    if pat.is_dictionary(column.type):
        return _words(column)
    if is_coded(column.type):
        return column.cast(_VIEWS[str(column.type)])
    if isinstance(column, pa.ExtensionArray):
        return decoded(column.storage)
    if pat.is_struct(column.type):
        return _decoded_struct(column)
    return _decoded_list(column) if is_list(column.type) else column


def _words(column: pa.DictionaryArray) -> pa.Array:
    words = decoded(column.dictionary)
    # Few words that are often repeated may have more bytes than their type counts.
    words = words.cast(_LARGE.get(str(words.type), words.type))
    if not words.type.equals(column.type.value_type):
        column = pa.DictionaryArray.from_arrays(column.indices, words)
    return column.dictionary_decode()


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
