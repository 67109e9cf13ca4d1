"""Partitions of tables whose names Spark would read as other values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_infer.errors import WarehouseError
from spark_infer.warehouse.config import SourceConfig
from spark_infer.warehouse.reading.source import read_source

pytestmark = pytest.mark.one_spark


@pytest.fixture
def table(spark: SparkSession) -> Iterator[str]:
    yield "named"
    spark.sql("DROP VIEW IF EXISTS seen")
    spark.sql("DROP TABLE IF EXISTS named")


def add(spark: SparkSession, table: str, kind: str, folder: Path, values: list[str]) -> None:
    rows = [(value, number) for number, value in enumerate(values)]
    spark.createDataFrame(rows, "k string, id bigint").write.partitionBy("k").parquet(str(folder))
    spark.sql(
        f"CREATE TABLE {table} (id BIGINT, k {kind}) USING parquet PARTITIONED BY (k) "
        f"LOCATION '{folder}'"
    )
    spark.sql(f"MSCK REPAIR TABLE {table}")


def read(spark: SparkSession, table: str) -> DataFrame:
    return read_source(spark, SourceConfig(table=table), {})


@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        ("TIMESTAMP", "10:00", {"2018-08-08 10:00:00": "2018-08-08 10:00:00"}),
        ("TIMESTAMP_NTZ", "2018-08-08 10:00:00Z", {"2018-08-08": "2018-08-08 00:00:00"}),
        ("DATE", "2018-08-08 23:00", {"2018-8-8": "2018-08-08"}),
        ("DECIMAL(9,2)", "1.505", {"1.5": "1.50", "007": "7.00"}),
        ("TINYINT", "200", {"-128": "-128"}),
        ("DOUBLE", "many", {"1e3": "1000.0"}),
        ("BOOLEAN", "maybe", {"true": "true"}),
        ("STRING", None, {"10:00": "10:00", "007": "007"}),
    ],
)
def test_a_partition_that_another_tool_has_named_is_read_as_it_says_or_refused(
    spark: SparkSession,
    table: str,
    tmp_path: Path,
    kind: str,
    wrong: str | None,
    right: dict[str, str],
) -> None:
    add(spark, table, kind, tmp_path / "right", [*right])
    found = read(spark, table).selectExpr("cast(k AS string) k").collect()
    assert {row.k for row in found} == set(right.values())
    if wrong is not None:
        spark.sql(f"DROP TABLE {table}")
        add(spark, table, kind, tmp_path / "wrong", [*right, wrong])
        with pytest.raises(WarehouseError, match=rf"partition 'k=.* type {kind.split('(')[0]}"):
            read(spark, table)


def test_it_is_refused_under_a_view_and_without_ansi_too(
    spark: SparkSession, table: str, tmp_path: Path
) -> None:
    add(spark, table, "INT", tmp_path / "t", ["7", "7.9"])
    spark.sql(f"CREATE VIEW seen AS SELECT id, k FROM {table} WHERE id >= 0")
    ansi = spark.conf.get("spark.sql.ansi.enabled")
    spark.conf.set("spark.sql.ansi.enabled", "false")
    try:
        assert {row.k for row in spark.table(table).collect()} == {7}
        for name in (table, "seen"):
            with pytest.raises(WarehouseError, match=r"the partition 'k=7.9' would be read as a"):
                read(spark, name)
    finally:
        spark.conf.set("spark.sql.ansi.enabled", str(ansi))


def test_what_spark_has_written_itself_is_read(
    spark: SparkSession, table: str, tmp_path: Path
) -> None:
    kinds = {
        "a": "TIMESTAMP'2018-08-08 10:00:00.5'",
        "b": "DATE'2018-08-08'",
        "c": "1.50BD",
        "d": "double('NaN')",
        "e": "float(1.0E-9)",
        "f": "false",
        "g": "cast(NULL AS timestamp_ntz)",
        "h": "x'3a25'",
        "i": "-9223372036854775808L + 0L",
        "j": "'a/b:c%'",
    }
    columns = ", ".join(f"{sql} AS {name}" for name, sql in kinds.items())
    spark.sql(f"SELECT id, {columns} FROM range(1)").write.partitionBy(*kinds).option(
        "path", str(tmp_path / "t")
    ).saveAsTable(table)
    assert read(spark, table).count() == 1
