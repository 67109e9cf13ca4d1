"""Keys are counted, by hashes where these tell: null or repeated ones stop a run."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from spark_infer.errors import WarehouseError
from spark_infer.spark.wire.source import SPARK_4
from spark_infer.warehouse.rows import keys
from spark_infer.warehouse.rows.keys import check_keys


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(
    "key",
    [
        "id",
        "CAST(id AS STRING)",
        "CAST(id AS DECIMAL(20, 3))",
        "timestamp_micros(id)",
        "CAST(timestamp_micros(id) AS TIMESTAMP_NTZ)",
        "encode(CAST(id AS STRING), 'UTF-8')",
        "date_add(DATE'1970-01-01', CAST(id AS INT))",
        "CAST(id AS DOUBLE)",
        "named_struct('x', id)",
        "array(id)",
    ],
)
def test_keys_of_every_type_are_counted(spark: SparkSession, key: str) -> None:
    rows = spark.range(500).selectExpr(f"{key} AS k", "id % 3 AS day")
    found = check_keys(rows, ["k"], ["day"])
    assert found.rows == 500
    assert found.partitions == {("0",), ("1",), ("2",)}
    with pytest.raises(WarehouseError, match=r"1 value\(s\) stand in several rows, 0 hold a null"):
        check_keys(rows.unionAll(rows.limit(1)), ["k"])
    with pytest.raises(WarehouseError, match=r"0 value\(s\) .* rows, 1 hold a null"):
        check_keys(rows.unionAll(rows.selectExpr("nullif(k, k)", "day").limit(1)), ["k"])


def test_keys_whose_hashes_are_alike_are_two_keys(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys.F, "xxhash64", lambda *_: F.lit(1))
    rows = spark.range(100).selectExpr("id AS k", "0 AS day")
    assert check_keys(rows, ["k"], ["day"]).rows == 100
    with pytest.raises(WarehouseError, match=r"100 value\(s\) stand in several rows"):
        check_keys(rows.unionAll(rows), ["k"])


def test_nulls_and_values_of_several_columns_are_told_apart(spark: SparkSession) -> None:
    rows = spark.sql("SELECT * FROM VALUES (1, 2), (2, 1), (11, 1), (1, 11) AS t(a, b)")
    assert check_keys(rows, ["a", "b"]).rows == 4
    with pytest.raises(WarehouseError, match=r"0 value\(s\) .* rows, 2 hold a null"):
        check_keys(rows.unionAll(spark.sql("SELECT null, 5 UNION ALL SELECT 5, null")), ["a", "b"])


@pytest.mark.skipif(not SPARK_4, reason="Spark 3.5 has no collations")
def test_texts_that_count_as_the_same_are_one_key(spark: SparkSession) -> None:
    rows = spark.sql("SELECT k COLLATE UTF8_LCASE AS k FROM VALUES ('a'), ('A'), ('b') AS t(k)")
    with pytest.raises(WarehouseError, match=r"1 value\(s\) stand in several rows"):
        check_keys(rows, ["k"])


@pytest.mark.parametrize("rows", ["0.0D, -0.0D", "DOUBLE('NaN'), DOUBLE('NaN')"])
def test_numbers_that_count_as_the_same_are_one_key(spark: SparkSession, rows: str) -> None:
    df = spark.sql(f"SELECT explode(array({rows})) AS k")
    with pytest.raises(WarehouseError, match=r"1 value\(s\) stand in several rows"):
        check_keys(df, ["k"])
