"""Which columns of files Arrow reads as Spark does, proven by the files' own description."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    MapType,
    NullType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from spark_infer.spark.scan.files.types import arrow_type, check_stored, holds, num_leaves
from spark_infer.spark.scan.refused import NotDirect

PAIR = StructType().add("a", LongType()).add("b", ArrayType(StringType()))
# Before version 26 Arrow may not read null lists of a fixed size.
IS_NEW = int(pa.__version__.partition(".")[0]) >= 26
FIXED = pa.list_(pa.float64(), 2) if IS_NEW else pa.list_(pa.float64())
PAIRS = pa.struct({"a": pa.int64(), "b": pa.list_(pa.string())})


def check(kind: DataType, column: pa.Array, **options: Any) -> None:
    """Check a column as it is in a file."""
    file = io.BytesIO()
    pq.write_table(pa.table({"x": column}), file, **options)
    stored = pq.ParquetFile(file)
    leaves = [stored.schema.column(at) for at in range(len(stored.schema))]
    assert num_leaves(stored.schema_arrow.field("x").type) == len(leaves)
    check_stored(kind, stored.schema_arrow.field("x"), leaves)


@pytest.mark.parametrize(
    ("kind", "arrow"),
    [
        (LongType(), pa.int64()),
        (TimestampType(), pa.timestamp("us", "UTC")),
        (TimestampNTZType(), pa.timestamp("us")),
        (DecimalType(38, 3), pa.decimal128(38, 3)),
        (ArrayType(ArrayType(DateType())), pa.list_(pa.list_(pa.date32()))),
        (PAIR, PAIRS),
    ],
)
def test_the_types_in_which_columns_travel(kind: DataType, arrow: pa.DataType) -> None:
    assert arrow_type(kind) == arrow


@pytest.mark.parametrize(
    "kind",
    [
        MapType(LongType(), LongType()),
        NullType(),
        ArrayType(MapType(LongType(), LongType())),
        StructType().add("a", NullType()),
    ],
)
def test_types_that_do_not_travel(kind: DataType) -> None:
    with pytest.raises(NotDirect, match="a column is of type"):
        arrow_type(kind)


def test_what_a_type_holds() -> None:
    assert holds(StructType().add("a", ArrayType(DateType())), DateType, TimestampType)
    assert not holds(PAIR, DateType)


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        (LongType(), pa.array([1])),
        (LongType(), pa.array([1], pa.duration("s"))),
        (StringType(), pa.array(["a"]).dictionary_encode()),
        (DecimalType(9, 2), pa.array([1], pa.decimal128(9, 2))),
        (TimestampType(), pa.array([1], pa.timestamp("s", "Asia/Tokyo"))),
        (ArrayType(IntegerType()), pa.array([[1]], pa.large_list(pa.int32()))),
        (ArrayType(DoubleType()), pa.array([[1.0, 2.0]], FIXED)),
        (PAIR, pa.array([{"a": 1, "b": ["x"]}], PAIRS)),
        (StructType().add("b", ArrayType(StringType())), pa.array([{"a": 1, "b": []}], PAIRS)),
        (ArrayType(StructType().add("a", LongType())), pa.array([[{"b": [], "a": 1}]])),
    ],
)
def test_read_alike(kind: DataType, column: pa.Array) -> None:
    check(kind, column)


@pytest.mark.parametrize(
    ("kind", "column", "reason"),
    [
        (LongType(), pa.array([1], pa.int32()), "'x' is bigint in Spark and INT32"),
        (IntegerType(), pa.array([1], pa.int16()), "'x' is int in Spark and INT32 .*bitWidth=16"),
        (BinaryType(), pa.array(["a"]), "'x' is binary in Spark and BYTE_ARRAY .String"),
        (DecimalType(9, 3), pa.array([1], pa.decimal128(9, 2)), "decimal.9,3. .*scale=2"),
        (TimestampType(), pa.array([1], pa.timestamp("us")), "isAdjustedToUTC=false"),
        (ArrayType(LongType()), pa.array([1]), "'x' is array<bigint> in Spark and int64"),
        (LongType(), pa.array([[1]]), "the file lays out the lists of column 'x' otherwise"),
        (PAIR, pa.array([{"a": 1}]), "'x' is struct<a:bigint,b:array<string>> in Spark"),
        (StructType().add("a", LongType()), pa.array([{"A": 1}]), "'x' is struct<a:bigint>"),
        (
            StructType().add("a", LongType()),
            pa.array([{"a": 1, "A": 2}]),
            "'x' is struct<a:bigint>",
        ),
        (ArrayType(StructType().add("a", IntegerType())), pa.array([[{"a": 1}]]), "column 'x'"),
    ],
)
def test_read_otherwise(kind: DataType, column: pa.Array, reason: str) -> None:
    with pytest.raises(NotDirect, match=reason):
        check(kind, column)


def test_old_lists_are_laid_out_otherwise() -> None:
    named = pa.list_(pa.field("array", pa.int64()))
    with pytest.raises(NotDirect, match="lays out the lists of column 'x' otherwise than Spark"):
        check(ArrayType(LongType()), pa.array([[1]], named), use_compliant_nested_type=False)
