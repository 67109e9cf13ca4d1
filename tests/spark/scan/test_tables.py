"""Tables of the catalog, and views."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.spark.scan.same import assert_refused, assert_same, refused


@pytest.fixture
def tables(spark: SparkSession) -> Iterator[SparkSession]:
    """A session in a database of its own."""
    spark.sql("CREATE DATABASE scanned")
    spark.sql("USE scanned")
    yield spark
    spark.sql("USE default")
    spark.sql("DROP DATABASE scanned CASCADE")


def run(spark: SparkSession, statements: str) -> None:
    for statement in statements.split(";"):
        if statement.strip():
            spark.sql(statement)


def frames(spark: SparkSession, *queries: str) -> dict[str, DataFrame]:
    return {query: spark.sql(query) for query in queries}


def test_managed_tables(tables: SparkSession) -> None:
    run(
        tables,
        """
        CREATE TABLE t (id bigint, s string COMMENT 'x') USING parquet TBLPROPERTIES ('a' = 'b');
        INSERT INTO t SELECT id, string(id) FROM range(5);
        ALTER TABLE t ADD COLUMNS (n int);
        INSERT INTO t VALUES (9, '9', 9);
        CREATE TABLE strict (id int NOT NULL, s struct<a: int> NOT NULL) USING parquet;
        INSERT INTO strict VALUES (1, struct(1));
        CREATE TABLE empty (id int, p int) USING parquet PARTITIONED BY (p);
        CREATE TABLE named USING parquet OPTIONS ('compression' = 'gzip') AS SELECT 1 AS a;
        ALTER TABLE named RENAME TO renamed
        """,
    )
    counts = assert_same(
        frames(
            tables,
            "SELECT * FROM t",
            "SELECT ID, N FROM T WHERE Id > 2",
            "SELECT id FROM (SELECT id, s FROM t WHERE id > 1) WHERE s < '4'",
            "WITH c AS (SELECT n AS m FROM t) SELECT m FROM c WHERE m IS NULL",
            "SELECT * FROM strict",
            "SELECT * FROM empty",
            "SELECT * FROM renamed",
        )
    )
    assert list(counts.values()) == [6, 3, 2, 5, 1, 0, 1]


def test_defaults(tables: SparkSession) -> None:
    run(
        tables,
        """
        CREATE TABLE t (id bigint) USING parquet;
        INSERT INTO t VALUES (1);
        ALTER TABLE t ADD COLUMNS (later int DEFAULT 5);
        INSERT INTO t VALUES (2, 2)
        """,
    )
    assert_refused(
        {
            "all": (tables.table("t"), "column 'later' has a default value"),
            "one": (tables.table("t").select("later"), "column 'later' has a default value"),
        }
    )
    assert assert_same({"beside": tables.table("t").select("id")}) == {"beside": 2}


def test_external_tables(tables: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    tables.range(5).selectExpr("id AS ID", "id % 2 AS P").write.partitionBy("P").parquet(path)
    run(
        tables,
        f"CREATE TABLE t (Id bigint, p int) USING parquet PARTITIONED BY (p) LOCATION '{path}'",
    )
    assert assert_same({"before": tables.table("t")}) == {"before": 0}
    run(tables, "MSCK REPAIR TABLE t")
    counts = assert_same(
        frames(
            tables,
            "SELECT * FROM t",
            "SELECT * FROM t WHERE p = 1",
            "SELECT iD FROM t WHERE P = 1 AND id > 1",
        )
    )
    assert list(counts.values()) == [5, 2, 1]
    refused(
        tables.sql("SELECT * FROM t WHERE p = (SELECT max(p) FROM t)"),
        "a subquery chooses the partitions",
    )


@pytest.mark.parametrize("managed", ["true", "false"])
def test_partitioned_tables(tables: SparkSession, managed: str) -> None:
    run(
        tables,
        f"""
        SET spark.sql.hive.manageFilesourcePartitions = {managed};
        CREATE TABLE t (id bigint, p string, q date) USING parquet PARTITIONED BY (p, q);
        INSERT INTO t VALUES
            (1, 'a/b', date'2020-01-01'), (2, NULL, NULL), (3, 'x y%', date'0001-01-01')
        """,
    )
    try:
        counts = assert_same(
            frames(
                tables,
                "SELECT * FROM t",
                "SELECT q, p FROM t WHERE p = 'a/b'",
                "SELECT * FROM t WHERE q IS NULL",
            )
        )
    finally:
        tables.conf.unset("spark.sql.hive.manageFilesourcePartitions")
    assert list(counts.values()) == [3, 1, 1]


def test_char_and_varchar(tables: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    tables.sql("SELECT 'ab' AS c, 'abcdefgh' AS v, 1 AS i").write.parquet(path)
    run(tables, f"CREATE TABLE t (c char(5), v varchar(3), i int) USING parquet LOCATION '{path}'")
    run(tables, "CREATE TABLE parted (id int, c char(5)) USING parquet PARTITIONED BY (c)")
    run(tables, "INSERT INTO parted VALUES (1, 'ab')")
    assert_same(frames(tables, "SELECT v, i FROM t", "SELECT i FROM t WHERE v > 'abc'"))
    assert_refused(
        {
            query: (tables.sql(query), reason)
            for query, reason in {
                "SELECT c FROM t": "Spark computes static_?invoke",
                "SELECT i FROM t WHERE c = 'ab'": "the filter .*(readSidePadding|CharV)",
                "SELECT * FROM parted": "Spark computes static_?invoke",
            }.items()
        }
    )


def test_bucketed_tables(tables: SparkSession) -> None:
    run(
        tables,
        """
        CREATE TABLE t (id bigint, s string) USING parquet CLUSTERED BY (id) INTO 4 BUCKETS;
        INSERT INTO t SELECT id, string(id) FROM range(20)
        """,
    )
    counts = assert_same(
        frames(tables, "SELECT * FROM t", "SELECT * FROM t WHERE id = 3", "SELECT s FROM t")
    )
    assert list(counts.values()) == [20, 1, 20]


def test_views(tables: SparkSession) -> None:
    run(
        tables,
        """
        CREATE TABLE t (id bigint, s string) USING parquet;
        INSERT INTO t SELECT id, string(id) FROM range(5);
        CREATE VIEW v AS SELECT Id AS x, s FROM t WHERE id > 1;
        CREATE VIEW joined AS SELECT a.id FROM t a JOIN t b ON a.id = b.id;
        CREATE VIEW today AS SELECT id FROM t WHERE date_add(date'2020-01-01', 1) < current_date();
        CREATE TEMPORARY VIEW w AS SELECT x FROM v WHERE s < '4'
        """,
    )
    counts = assert_same(
        frames(tables, "SELECT * FROM v", "SELECT X FROM v WHERE x < 4", "SELECT * FROM w")
        | {"parameter": tables.sql("SELECT * FROM v WHERE x > :least", args={"least": 3})}
    )
    assert list(counts.values()) == [3, 2, 2, 1]
    refused(tables.table("joined"), "Spark's plan has .*Join")
    refused(tables.table("today"), "depends on the time or the user of the query")


def test_cached_tables(tables: SparkSession) -> None:
    run(tables, "CREATE TABLE t USING parquet AS SELECT 1 AS id; CACHE LAZY TABLE t")
    refused(tables.table("t"), "Spark's plan has Scan In-memory table")
    run(tables, "UNCACHE TABLE t")
    assert assert_same({"again": tables.table("t")}) == {"again": 1}
