"""Which types of Spark hold the values of a file's column: there is an answer for each pair."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

import pyarrow as pa
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
    MapType,
    ShortType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from spark_infer.spark.names import Names
from spark_infer.spark.stored.types import Fit

KINDS: list[DataType] = [
    *(BinaryType(), BooleanType(), ByteType(), DateType(), DecimalType(9, 2), DoubleType()),
    *(FloatType(), IntegerType(), LongType(), ShortType(), StringType(), TimestampNTZType()),
    *(TimestampType(), ArrayType(FloatType()), MapType(StringType(), FloatType())),
    StructType().add("x", FloatType()),
]
STORED = [
    *(pa.bool_(), pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()),
    *(pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.binary(3)),
    *(pa.date32(), pa.date64(), pa.time32("ms"), pa.time64("us"), pa.duration("us")),
    *(pa.timestamp("ns"), pa.timestamp("us", "UTC"), pa.decimal128(9, 2), pa.decimal256(50, 2)),
    *(pa.list_(pa.float32()), pa.list_(pa.float32(), 2), pa.map_(pa.string(), pa.string())),
    *(pa.struct([("x", pa.string())]), pa.dictionary(pa.int8(), pa.string()), pa.null()),
]


@pytest.mark.parametrize("form", ["parquet", "orc"])
def test_each_pair_of_types_has_an_answer(form: str) -> None:
    fit = Fit(form, Names(case_sensitive=False))
    for kind in KINDS:
        for there in STORED:
            for path, wanted, found in fit.misfits(kind, there, "a"):
                assert path.startswith("a")
                assert isinstance(wanted, DataType)
                assert isinstance(found, pa.DataType)


@pytest.mark.parametrize("kind", [FloatType(), DoubleType()])
@pytest.mark.parametrize("there", [pa.string(), pa.binary(), pa.list_(pa.float32())])
def test_text_and_lists_are_no_numbers(kind: DataType, there: pa.DataType) -> None:
    fit = Fit("parquet", Names(case_sensitive=False))
    assert list(fit.misfits(kind, there, "a")) == [("a", kind, there)]
