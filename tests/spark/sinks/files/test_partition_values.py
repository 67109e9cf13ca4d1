"""Values that the name of a partition's folder gives back, and those that it does not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_infer.errors import ConfigError, WarehouseError
from spark_infer.warehouse.sinks.formats import check_types, held_partition_value


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
    [
        *(None, " a", "a\u3000", "\ufffd", "\U0001f600", "NULL", "a/b", "%", ".", "\\[a]'"),
        *("x" * 253, "ä" * 126, "/" * 84),
    ],
)
def test_any_other_text_is_held(spark: SparkSession, value: str | None) -> None:
    assert held(spark, value).collect() == [(value,)]


def test_a_long_name_of_a_column_counts(spark: SparkSession) -> None:
    assert held(spark, "x" * 100, name="a/b" * 30).count() == 1
    with pytest.raises(Exception, match="too long"):
        held(spark, "x" * 105, name="a/b" * 30).collect()


def test_a_text_of_other_bytes_is_told(spark: SparkSession) -> None:
    for value in ("X'FF'", "X'61C3FF62'", "X'EDA080'", "X'C0AF'"):
        df = spark.sql(f"SELECT CAST({value} AS STRING) AS p")
        with pytest.raises(Exception, match=r"target\.partition_by: p=.* is no UTF-8; give"):
            df.select(held_partition_value("p", df.schema[0].dataType)).collect()


def test_other_types_are_held(spark: SparkSession) -> None:
    assert held(spark, -1, "int").collect() == [(-1,)]
    assert held(spark, dt.date(2018, 8, 8), "date").collect() == [(dt.date(2018, 8, 8),)]


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("map<string, int>", "MAP"),
        ("struct<a: array<map<int, int>>>", "MAP"),
        ("variant", "VARIANT"),
        ("array<struct<a: variant>>", "VARIANT"),
    ],
)
def test_keys_that_cannot_be_compared_are_refused(
    spark: SparkSession, kind: str, named: str
) -> None:
    if named == "VARIANT" and not hasattr(F, "parse_json"):
        pytest.skip("Spark 3.5 has no variants")
    columns = spark.sql(f"SELECT 1 AS id, CAST(NULL AS {kind}) AS k").schema
    check_types(spark, columns, (), ["id"])
    with pytest.raises(ConfigError, match=f"key: column 'k' is or holds a {named}"):
        check_types(spark, columns, (), ["id", "k"])


@pytest.mark.one_spark
@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("INT", "07", "7"),
        ("DATE", "2018-8-8", "2018-08-08"),
        ("DECIMAL(9,2)", "7", "7.00"),
        ("DECIMAL(9,2)", "7.0", "7.00"),
        ("BOOLEAN", "TRUE", "true"),
        ("BIGINT", "+7", "7"),
    ],
)
@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_partitions_that_the_catalog_calls_otherwise_are_refused(
    job: Any, kind: str, name: str, value: str, mode: str
) -> None:
    spark = job.spark
    changes = {
        "source": {"table": "store.tx"},
        "features": {"p": f"CAST('{value}' AS {kind})"},
        "target": {"mode": mode, "partition_by": ["p"], "keep": ["p"]},
    }
    job.run(**changes)
    as_named = "SET spark.sql.legacy.skipTypeValidationOnAlterPartition={}"
    rename = "ALTER TABLE store.scores PARTITION (p = '{}') RENAME TO PARTITION (p = '{}')"
    spark.sql(as_named.format("true"))
    spark.sql(rename.format(value, name))
    with pytest.raises(WarehouseError, match=r"target table .* has the partition 'p=.* rename it"):
        job.run(**changes)
    spark.sql(rename.format(name, value))
    spark.sql(as_named.format("false"))
    job.run(**changes)
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]


@pytest.mark.one_spark
def test_small_decimals_are_not_written_beside_those_of_another_setting(job: Any) -> None:
    changes = {
        "source": {"table": "store.tx"},
        "features": {"p": "CAST(0 AS DECIMAL(20, 10))", "region": "'a=%2F 07'"},
        "target": {"partition_by": ["region", "p"], "keep": ["region", "p"]},
        "quarantine": {"table": "store.rejects"},
    }
    job.run(**changes, spark={"spark.sql.ansi.enabled": "false"})
    with pytest.raises(WarehouseError, match=r"/p=0E-10', whose .*ansi\.enabled by which"):
        job.run(**changes, spark={"spark.sql.ansi.enabled": "true"})
    job.run(**changes, spark={"spark.sql.ansi.enabled": "false"})
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]
