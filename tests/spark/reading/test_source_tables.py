"""Tables and views as a source: as strict as files, and what is there now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_infer.errors import WarehouseError
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.scan import direct_scan
from spark_infer.warehouse.config import SourceConfig
from spark_infer.warehouse.reading.source import read_source

pytestmark = pytest.mark.one_spark

TEXTS = {
    "csv": "id,a\n1,1\n2,x\n",
    "json": '{"id": 1, "a": 1}\n{"id": 2, "a": "x"}\n',
    "xml": "<r><x><id>1</id><a>1</a></x><x><id>2</id><a>x</a></x></r>",
}


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Iterator[Any]:
    """Makes a table ``source_s`` over one file of text."""

    def made(form: str, text: str, columns: str = "id BIGINT, a DOUBLE", options: str = "") -> None:
        (tmp_path / "s").mkdir()
        (tmp_path / "s" / f"x.{form}").write_text(text)
        said = ", ".join(filter(None, ["header 'true', rowTag 'x'", options]))
        spark.sql(
            f"CREATE TABLE source_s ({columns}) USING {form} OPTIONS ({said}) "
            f"LOCATION '{tmp_path / 's'}'"
        )

    yield made
    spark.sql("DROP VIEW IF EXISTS source_v")
    spark.sql("DROP TABLE IF EXISTS source_s")


def read(spark: SparkSession, **section: Any) -> DataFrame:
    """Read in a session of its own, as a job does: Spark 3 keeps a table's options."""
    own = SparkSession(spark.sparkContext, spark._jsparkSession.cloneSession())
    return read_source(own, SourceConfig.model_validate(section), {})


def forms(spark: SparkSession) -> list[str]:
    return [form for form in TEXTS if form != "xml" or spark.version >= "4"]


@pytest.mark.parametrize("form", TEXTS)
def test_a_table_of_text_is_read_strictly(spark: SparkSession, table: Any, form: str) -> None:
    if form not in forms(spark):
        pytest.skip("this Spark has no such tables")
    table(form, TEXTS[form])
    assert spark.table("source_s").count() == 2
    with pytest.raises(WarehouseError), spark_failures("the source cannot be read"):
        read(spark, table="source_s").collect()
    assert [row.a for row in spark.table("source_s").sort("id").collect()] == [1.0, None]


def test_the_header_of_a_csv_table_is_compared(spark: SparkSession, table: Any) -> None:
    table("csv", "a,id\n1,7\n")
    with pytest.raises(WarehouseError, match="header"), spark_failures("the source cannot be read"):
        read(spark, table="source_s").collect()


@pytest.mark.parametrize("mode", ["PERMISSIVE", "DROPMALFORMED"])
def test_a_table_may_say_otherwise(spark: SparkSession, table: Any, mode: str) -> None:
    table("csv", TEXTS["csv"], options=f"mode '{mode}'")
    rows = read(spark, table="source_s").sort("id").collect()
    assert [row.a for row in rows] == ([1.0, None] if mode == "PERMISSIVE" else [1.0])


def test_a_view_of_such_a_table_is_refused_until_it_says(spark: SparkSession, table: Any) -> None:
    table("csv", TEXTS["csv"])
    spark.sql("CREATE VIEW source_v AS SELECT id, a FROM source_s")
    with pytest.raises(WarehouseError, match="source_v is a view of files of csv, where Spark tak"):
        read(spark, table="source_v")
    spark.sql("ALTER TABLE source_s SET SERDEPROPERTIES ('mode' = 'FAILFAST')")
    with pytest.raises(WarehouseError), spark_failures("the source cannot be read"):
        read(spark, table="source_v").collect()


def test_decimals_of_such_a_table_are_refused(spark: SparkSession, table: Any) -> None:
    table("csv", 'id,a\n1,"1,5"\n', "id BIGINT, a DECIMAL(10,2)")
    with pytest.raises(WarehouseError, match=r"'a' of source_s is DECIMAL\(10,2\), of which Spark"):
        read(spark, table="source_s")


def test_what_is_there_now_is_read_and_not_what_was_cached(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = str(tmp_path / "c")
    spark.sql(f"CREATE TABLE source_s USING parquet LOCATION '{path}' AS SELECT 1L id")
    spark.sql("CREATE VIEW source_v AS SELECT id FROM source_s WHERE id > 0")
    try:
        spark.sql("CACHE TABLE source_s")
        filtered = spark.table("source_s").where("id > 0").cache()
        files = spark.read.parquet(path).cache()
        assert (filtered.count(), files.count()) == (1, 1)
        pq.write_table(
            pa.table({"id": pa.array([5], pa.int64())}), tmp_path / "c" / "part-z.parquet"
        )
        for section in ({"table": "source_s"}, {"path": path}):
            df = read(spark, **section, filter="id > 0")
            assert sorted(row.id for row in df.collect()) == [1, 5]
            assert direct_scan(df).num_rows == 2
        with pytest.raises(WarehouseError, match=r"cached in the Spark session .* uncache them"):
            read(spark, table="source_v")
        assert filtered.count() == 1
        assert spark.catalog.isCached("source_s")
        filtered.unpersist()
        files.unpersist()
        spark.sql("UNCACHE TABLE source_s")
        spark.catalog.refreshTable("source_s")
        assert read(spark, table="source_v").count() == 2
    finally:
        spark.catalog.clearCache()
        spark.sql("DROP VIEW source_v")
        spark.sql("DROP TABLE source_s")
