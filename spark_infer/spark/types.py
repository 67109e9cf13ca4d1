"""Spark schemas and Arrow schemas."""

from __future__ import annotations

import re

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_type
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    MapType,
    NullType,
    NumericType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
    UserDefinedType,
)

from spark_infer.bundle import Signature
from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.tensors import output_schema
from spark_infer.tensors.arrow.types import Unread

DECLARED = "__CHAR_VARCHAR_TYPE_STRING"
"""Where Spark keeps the type of a column that is a string for it."""
_VARCHAR = re.compile(r"\bvarchar\(\d+\)")
_READ = (NullType, BooleanType, NumericType, DateType, StringType)


def arrow_type(kind: DataType) -> pa.DataType:
    """Return the Arrow type in which Spark sends a column; ``Unread`` for what no tensor is of."""
    if isinstance(kind, TimestampType):
        return pa.timestamp("us", "UTC")
    if isinstance(kind, TimestampNTZType):
        return pa.timestamp("us")
    if isinstance(kind, ArrayType):
        return pa.list_(arrow_type(kind.elementType))
    if isinstance(kind, StructType):
        return pa.struct([pa.field(f.name, arrow_type(f.dataType)) for f in kind.fields])
    return to_arrow_type(kind) if isinstance(kind, _READ) else Unread(kind.simpleString())


def arrow_schema(fields: list[StructField]) -> pa.Schema:
    """Return the Arrow schema of some fields."""
    return pa.schema([pa.field(field.name, arrow_type(field.dataType)) for field in fields])


def prediction_fields(signature: Signature, *, reasons: bool = True) -> list[StructField]:
    """Return the Spark fields of the predictions, with or without ``rejected_reason``."""
    fields = from_arrow_schema(output_schema(signature)).fields
    return [field for field in fields if reasons or field.name != REASON_COLUMN]


def is_sent(kind: DataType) -> bool:
    """Return whether Spark hands columns of a type to Python, and takes them back."""
    if isinstance(kind, UserDefinedType):
        return is_sent(kind.sqlType())
    if inner := _inner(kind):
        return all(is_sent(below) for below, _ in inner)
    try:
        return isinstance(kind, TimestampType) or to_arrow_type(kind) is not None
    except PySparkException:
        return False


def lacks_type(kind: DataType) -> bool:
    """Return whether a type holds nulls of no type that may not be null, as ``array()`` does."""
    return any(
        (isinstance(below, NullType) and not nullable) or lacks_type(below)
        for below, nullable in _inner(kind)
    )


def _inner(kind: DataType) -> list[tuple[DataType, bool]]:
    """Return the types that lie in a type, each with whether its values may be null."""
    if isinstance(kind, ArrayType):
        return [(kind.elementType, kind.containsNull)]
    if isinstance(kind, MapType):
        return [(kind.keyType, False), (kind.valueType, kind.valueContainsNull)]
    if isinstance(kind, StructType):
        return [(field.dataType, field.nullable) for field in kind.fields]
    return []


def char_type(declared: str | None) -> str | None:
    """Return the declared type of a column that is or holds a CHAR(n), or None of others.

    Spark pads the values of such a column with blanks; a VARCHAR(n) is a string for whoever reads
    it, and is one in the text that is returned.

    Args:
        declared: What the column's metadata has under ``DECLARED``.
    """
    text = _VARCHAR.sub("string", declared or "")
    return text if "char(" in text else None
