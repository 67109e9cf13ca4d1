"""Which of Spark's types travel between Spark and Python."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

from pyspark.ml.linalg import VectorUDT
from pyspark.sql.types import (
    ArrayType,
    CalendarIntervalType,
    DataType,
    DateType,
    DayTimeIntervalType,
    DecimalType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
    YearMonthIntervalType,
)

from spark_infer.spark.types import is_sent

SENT = (DateType(), TimestampType(), DayTimeIntervalType(), DecimalType(38, 18), VectorUDT())
NOT_SENT = (YearMonthIntervalType(), CalendarIntervalType())


@pytest.mark.parametrize("kind", [*SENT, *NOT_SENT], ids=str)
def test_types_that_spark_hands_to_python(kind: DataType) -> None:
    nested = [
        kind,
        ArrayType(kind),
        MapType(kind, StringType()),
        MapType(StringType(), ArrayType(kind)),
        StructType([StructField("a", StringType()), StructField("b", kind)]),
    ]
    assert [is_sent(each) for each in nested] == [kind in SENT] * len(nested)
