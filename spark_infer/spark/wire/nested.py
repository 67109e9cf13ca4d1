"""Array columns for pandas functions: their elements are cast in the JVM, nulls lie beside them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pyspark.sql.types import ArrayType, DataType, NullType, StructType

from spark_infer.bundle import Input
from spark_infer.spark.wire.casts import cast_sql, wire_type
from spark_infer.spark.wire.column import WireColumn
from spark_infer.spark.wire.guards import guarded_array
from spark_infer.spark.wire.nulls import need_mask, once, split
from spark_infer.spark.wire.source import SPARK_4, Source, as_column, field_of, with_texts


def exact(item: Input, source: Source, types: Mapping[str, DataType] | None) -> WireColumn:
    """Return an array column with its elements cast, and its nulls beside it."""
    (name,) = item.column_names
    # Structs travel as arrays of their fields.
    levels = item.levels + bool(item.struct_fields)
    kind = None if types is None else types[name]
    if kind is None and not SPARK_4:
        column = guarded_array(item, name, as_column(source), levels)
    elif kind is not None and kind.simpleString() == _array_of(wire_type(item), levels):
        column = as_column(source)
    else:
        column = with_texts([source], lambda texts: _cast(item, name, texts[0], kind, levels))
    if not need_mask(item):
        return WireColumn(column)
    apart = partial(split, depth=levels, kind=wire_type(item))
    return apart(column) if isinstance(source, str) else once(column, apart)


def _cast(item: Input, name: str, text: str, kind: DataType | None, levels: int) -> str:
    """Return SQL that casts the elements of an array, or of structs to arrays."""
    if isinstance(kind, NullType):
        return f"CAST({text} AS {_array_of(wire_type(item), levels)})"
    element = f"e{levels}"
    if levels == 0:
        return cast_sql(text, item, name, kind)
    inner = kind.elementType if isinstance(kind, ArrayType) else None
    if item.struct_fields:
        body = _struct(item, name, element, inner)
    else:
        body = _cast(item, name, element, inner, levels - 1)
    return f"transform({text}, {element} -> {body})"


def _struct(item: Input, name: str, text: str, kind: DataType | None) -> str:
    if isinstance(kind, NullType):
        return f"CAST({text} AS array<{wire_type(item)}>)"
    types = {f.name: f.dataType for f in kind.fields} if isinstance(kind, StructType) else {}
    fields = (
        cast_sql(field_of(text, field), item, name, types.get(field))
        for field in item.struct_fields
    )
    return f"array({', '.join(fields)})"


def _array_of(kind: str, levels: int) -> str:
    return "array<" * levels + kind + ">" * levels
