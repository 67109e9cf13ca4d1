"""Spark's types beside what a Parquet file holds: read alike, or not.

Spark's reader and Arrow's agree on a column where the file's type is the one that Spark itself
writes for the column's. Any other is left to Spark: types that it widens, unsigned integers,
timestamps in nanoseconds, lists of two levels.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import pyarrow as pa
import pyarrow.types as pat
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from spark_infer.spark.scan.refused import NotDirect
from spark_infer.tensors.arrow.types import is_bool8

_ARROW: dict[type[DataType], pa.DataType] = {
    BooleanType: pa.bool_(),
    ByteType: pa.int8(),
    ShortType: pa.int16(),
    IntegerType: pa.int32(),
    LongType: pa.int64(),
    FloatType: pa.float32(),
    DoubleType: pa.float64(),
    DateType: pa.date32(),
    StringType: pa.string(),
    BinaryType: pa.binary(),
    TimestampType: pa.timestamp("us", "UTC"),
    TimestampNTZType: pa.timestamp("us"),
}
_PHYSICAL: dict[type[DataType], tuple[str, ...]] = {
    BooleanType: ("BOOLEAN",),
    ByteType: ("INT32",),
    ShortType: ("INT32",),
    IntegerType: ("INT32",),
    LongType: ("INT64",),
    FloatType: ("FLOAT",),
    DoubleType: ("DOUBLE",),
    DateType: ("INT32",),
    StringType: ("BYTE_ARRAY",),
    BinaryType: ("BYTE_ARRAY",),
    TimestampType: ("INT64", "INT96"),
    TimestampNTZType: ("INT64",),
    DecimalType: ("INT32", "INT64", "FIXED_LEN_BYTE_ARRAY", "BYTE_ARRAY"),
}
_ITEMS = ("element", "item")
_READS_FIXED = int(pa.__version__.partition(".")[0]) >= 26
"""Whether Arrow reads lists of a fixed size that are null; up to version 20 at least it did not."""


def arrow_type(kind: DataType) -> pa.DataType:
    """Return the Arrow type in which a column of Spark travels.

    Raises:
        NotDirect: The workers do not read columns of this type.
    """
    if isinstance(kind, ArrayType):
        return pa.list_(arrow_type(kind.elementType))
    if isinstance(kind, StructType):
        return pa.struct([pa.field(field.name, arrow_type(field.dataType)) for field in kind])
    if isinstance(kind, DecimalType):
        return pa.decimal128(kind.precision, kind.scale)
    found = _ARROW.get(type(kind))
    # A string of another collation is one of the same class.
    if found is None or (isinstance(kind, StringType) and kind.simpleString() != "string"):
        raise NotDirect(f"a column is of type {kind.simpleString()}")
    return found


def holds(kind: DataType, *sought: type[DataType]) -> bool:
    """Return whether a type is or holds one of these."""
    if isinstance(kind, ArrayType):
        return holds(kind.elementType, *sought)
    if isinstance(kind, StructType):
        return any(holds(field.dataType, *sought) for field in kind)
    return isinstance(kind, sought)


def num_leaves(kind: pa.DataType) -> int:
    """Return how many of a Parquet file's columns hold a column of an Arrow type."""
    if isinstance(kind, pa.BaseExtensionType):
        return num_leaves(kind.storage_type)
    if pat.is_dictionary(kind):
        return 1
    return sum(num_leaves(kind.field(at).type) for at in range(kind.num_fields)) or (
        0 if pat.is_struct(kind) else 1
    )


def check_stored(kind: DataType, field: pa.Field, leaves: list[Any]) -> None:
    """Prove that Arrow reads a file's column as Spark does.

    Args:
        kind: What Spark takes it for.
        field: What Arrow takes it for.
        leaves: The file's own description of its columns.

    Raises:
        NotDirect: They may differ.
    """
    _check(kind, field.type, deque(leaves), {field.name}, depth=0)


def _check(
    kind: DataType, arrow: pa.DataType, leaves: deque[Any], paths: set[str], depth: int
) -> None:
    if isinstance(arrow, pa.BaseExtensionType):
        if is_bool8(arrow):
            # To tensors it is a boolean, to Spark the number that stands in the file.
            raise _differs(kind, arrow, paths)
        arrow = arrow.storage_type
    if isinstance(kind, ArrayType):
        if not (pat.is_list(arrow) or pat.is_large_list(arrow) or pat.is_fixed_size_list(arrow)):
            raise _differs(kind, arrow, paths)
        if pat.is_fixed_size_list(arrow) and not _READS_FIXED:
            raise NotDirect(f"{_name(paths)} is {arrow}, which this pyarrow may not read")
        below = {f"{path}.list.{item}" for path in paths for item in _ITEMS}
        _check(kind.elementType, arrow.value_type, leaves, below, depth + 1)
    elif isinstance(kind, StructType):
        if not pat.is_struct(arrow):
            raise _differs(kind, arrow, paths)
        _check_fields(kind, arrow, leaves, paths, depth)
    else:
        leaf = leaves.popleft()
        if leaf.path not in paths or leaf.max_repetition_level != depth:
            raise NotDirect(f"the file lays out the lists of {_name(paths)} otherwise than Spark")
        if not _is_of(kind, leaf):
            raise _differs(kind, f"{leaf.physical_type} ({leaf.logical_type})", paths)


def _check_fields(
    kind: StructType, arrow: pa.DataType, leaves: deque[Any], paths: set[str], depth: int
) -> None:
    there = [arrow.field(at) for at in range(arrow.num_fields)]
    wanted = {field.name: field.dataType for field in kind}
    names = [field.name for field in there]
    # Spark may not tell names apart that differ by case.
    lower = [name.lower() for name in names]
    if any(name not in names or lower.count(name.lower()) != 1 for name in wanted):
        raise _differs(kind, arrow, paths)
    for field in there:
        if field.name in wanted:
            below = {f"{path}.{field.name}" for path in paths}
            _check(wanted[field.name], field.type, leaves, below, depth)
        else:
            for _ in range(num_leaves(field.type)):
                leaves.popleft()


def _differs(kind: DataType, there: object, paths: set[str]) -> NotDirect:
    return NotDirect(f"{_name(paths)} is {kind.simpleString()} in Spark and {there} in the file")


def _name(paths: set[str]) -> str:
    return f"column {min(paths).partition('.list.')[0]!r}"


def _is_of(kind: DataType, leaf: Any) -> bool:
    """Return whether a file's column is of the very type that Spark writes for one of its own."""
    if leaf.physical_type not in _PHYSICAL.get(type(kind), ()):
        return False
    logical = json.loads(leaf.logical_type.to_json())
    if leaf.physical_type == "INT96":
        return True
    if isinstance(kind, DecimalType):
        size = (logical.get("precision"), logical.get("scale"))
        return logical["Type"] == "Decimal" and size == (kind.precision, kind.scale)
    if isinstance(kind, TimestampType | TimestampNTZType):
        return (
            logical["Type"] == "Timestamp"
            and logical["isAdjustedToUTC"] is isinstance(kind, TimestampType)
            and logical["timeUnit"] in ("milliseconds", "microseconds")
        )
    if isinstance(kind, ByteType | ShortType | IntegerType | LongType):
        bits = {ByteType: 8, ShortType: 16, IntegerType: 32, LongType: 64}[type(kind)]
        if logical["Type"] == "None":
            return bits >= 32
        return (logical["Type"], logical.get("bitWidth"), logical.get("isSigned")) == (
            "Int",
            bits,
            True,
        )
    return bool(logical["Type"] == {DateType: "Date", StringType: "String"}.get(type(kind), "None"))
