"""Spark schemas and Arrow schemas."""

from __future__ import annotations

import json
import re
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
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
_CLASSES = ("pyspark.ml.linalg.", "pyspark.mllib.linalg.")
"""Where the classes are that Spark's own types of columns have."""
_READ = (NullType, BooleanType, NumericType, DateType, StringType)


def stored_schema(text: str) -> StructType:
    """Return the columns that a file says in Spark's JSON.

    Raises:
        ValueError: It says none, or names a class of Python that is not Spark's own: it would be
            imported, or made of bytes in the file itself.
    """
    try:
        data = json.loads(text)
        if _has_class(data):
            raise ValueError("it names a class")
        return StructType.fromJson(data)
    except (TypeError, LookupError, AttributeError, RecursionError, PySparkException) as error:
        raise ValueError(f"it is no schema ({type(error).__name__})") from None


def pickled_columns(df: DataFrame) -> list[str]:
    """Return the columns whose type is a class of Python that stands in their files itself.

    Whoever wrote a Parquet file says there what its columns are; pyspark unpickles such a class as
    soon as it is asked for the columns, and that runs what code there is. Here it is not asked.
    """
    fields = json.loads(df._jdf.schema().json())["fields"]
    return [str(field["name"]) for field in fields if _has_class(field["type"], pickled=True)]


def _has_class(data: Any, *, pickled: bool = False) -> bool:
    """Return whether a type in Spark's JSON has one in it that is a class."""
    if isinstance(data, dict) and data.get("type") == "udt":
        is_sparks = str(data.get("pyClass")).startswith(_CLASSES)
        if "serializedClass" in data or not (pickled or is_sparks):
            return True
    parts = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return any(_has_class(part, pickled=pickled) for part in parts)


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
