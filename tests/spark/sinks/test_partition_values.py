"""Values that the name of a partition's folder gives back, and those that it does not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_infer.warehouse.sinks.formats import held_partition_value


def held(spark: SparkSession, value: Any, kind: str = "string", name: str = "p") -> DataFrame:
    df = spark.createDataFrame([(value,)], f"`{name}` {kind}")
    return df.select(held_partition_value(name, df.schema[0].dataType))


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "p='' would come back as null; give such rows another value"),
        ("__HIVE_DEFAULT_PARTITION__", "come back as null"),
        ("a\0b", "zero byte"),
        ("x" * 254, "p='xxxxxxxxxxxxxxxxxxxx'... is too long"),
        ("ä" * 127, "too long"),
        ("/" * 85, "too long"),
        (" ", "ends in a blank"),
        ("a ", "ends in a blank"),
    ],
)
def test_a_text_that_a_folder_cannot_hold_is_told(
    spark: SparkSession, value: str, why: str
) -> None:
    with pytest.raises(Exception, match=r"target\.partition_by: p=.*source\.filter") as caught:
        held(spark, value).collect()
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [None, " a", "a\u3000", "NULL", "a/b", "%", "x" * 253, "ä" * 126, "/" * 84, ".", "\\[a]'"],
)
def test_any_other_text_is_held(spark: SparkSession, value: str | None) -> None:
    assert held(spark, value).collect() == [(value,)]


def test_a_long_name_of_a_column_counts(spark: SparkSession) -> None:
    assert held(spark, "x" * 100, name="a/b" * 30).count() == 1
    with pytest.raises(Exception, match="too long"):
        held(spark, "x" * 105, name="a/b" * 30).collect()


def test_other_types_are_held(spark: SparkSession) -> None:
    assert held(spark, -1, "int").collect() == [(-1,)]
    assert held(spark, dt.date(2018, 8, 8), "date").collect() == [(dt.date(2018, 8, 8),)]
