"""Values that are parts of folders' names."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from tests.spark.scan.same import assert_refused, assert_same, settings

TEXTS = [
    *("a b", "a/b", "a%2Fb", "x=y", "c:d", "ü", "q'\"", "1", "01", "null", "2020-01-01", "{x}"),
    *("[y]", "a\\b", "*", "?", "#", "\n", "~", "日本", " ", "."),
]


def test_texts(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    rows = [*enumerate(TEXTS), (99, None)]
    spark.createDataFrame(rows, "id int, p string").write.partitionBy("p").parquet(path)
    df = spark.read.parquet(path)
    assert df.schema["p"].dataType.simpleString() == "string"
    counts = assert_same(
        {
            "all": df,
            "alone": df.select("p"),
            "unread": df.select("id"),
            "slash": df.filter("p = 'a/b'"),
            "percent": df.filter("p = 'a%2Fb'").select("id"),
            "null": df.filter("p IS NULL"),
            "not null": df.filter("p IS NOT NULL AND id > 3"),
            "pattern": df.filter("p LIKE 'a%' OR p RLIKE '^[0-9]+$'"),
            "computed": df.filter("upper(p) = 'NULL'"),
            "twice": df.selectExpr("p", "p AS q", "id", "id AS p2"),
        }
    )
    assert counts["all"] == len(rows)
    assert counts["percent"] == counts["slash"] == 1


KINDS = {
    "int": "cast(id - 1 AS int)",
    "tinyint": "cast(id AS byte)",
    "smallint": "cast(id AS short)",
    "bigint": "id * 10000000000",
    "double": "if(id = 0, double('NaN'), if(id = 1, -0.0D, id / 3))",
    "float": "float(id / 3)",
    "date": "date_add(date'0001-01-01', cast(id * 1000 AS int))",
    "timestamp": "timestamp_micros(id * 1000001 - 62135596800000000)",
    "timestamp_ntz": "timestamp_ntz'0001-01-01 00:00:00.000001'",
    "decimal(9,4)": "cast(id / 3 AS decimal(9, 4))",
    "decimal(38,0)": "cast(1e37 AS decimal(38, 0)) + id",
    "boolean": "id % 2 = 0",
    "string": "if(id = 0, 'x', string(id))",
}


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles"])
def test_kinds(spark: SparkSession, tmp_path: Path, zone: str) -> None:
    path = str(tmp_path / "t")
    named = {f"p{number}": kind for number, kind in enumerate(KINDS)}
    with settings(spark, session__timeZone=zone):
        values = (f"if(id = 2, NULL, {KINDS[kind]}) AS {name}" for name, kind in named.items())
        rows = spark.sql(f"SELECT id, {', '.join(values)} FROM range(0, 4, 1, 1)")
        rows.write.partitionBy(*named).parquet(path)
        schema = ", ".join(["id bigint", *(f"{name} {kind}" for name, kind in named.items())])
        frames = {
            "given": spark.read.schema(schema).parquet(path),
            "inferred": spark.read.parquet(path),
        }
        with settings(spark, sources__partitionColumnTypeInference__enabled="false"):
            frames["texts"] = spark.read.parquet(path)
        counts = assert_same(
            frames
            | {
                f"{column} {test}": frames["given"].filter(f"{column} {test}").select("id")
                for column, test in [("p0", "> 0"), ("p4", "= -0.0"), ("p6", "< '0004-01-01'")]
            }
        )
    assert counts["given"] == counts["inferred"] == counts["texts"] == 4
    assert counts["p4 = -0.0"] == 1


def test_columns_that_files_and_folders_have(spark: SparkSession, tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / "t" / f"p={number}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"p": [f"file{number}"], "a": [number]}), folder / "x.parquet")
    other = tmp_path / "u" / "P=1"
    other.mkdir(parents=True)
    pq.write_table(pa.table({"p": ["file"], "a": [1]}), other / "x.parquet")
    path, read = str(tmp_path / "t"), spark.read
    frames = {
        "all": read.parquet(path),
        "filtered": read.parquet(path).filter("p = 1"),
        "given": read.schema("a bigint, p string").parquet(path),
        "of another case": read.parquet(str(tmp_path / "u")),
        "one folder": read.parquet(f"{path}/p=1"),
        "one folder of a base": read.option("basePath", path).parquet(f"{path}/p=1"),
        "pattern": read.parquet(f"{path}/p=*"),
        "recursive": read.option("recursiveFileLookup", "true").parquet(path),
    }
    assert_same(frames)
    assert frames["all"].select("p").first()[0] in (1, 2)
    with settings(spark, caseSensitive="true"):
        assert_same({"of another case": read.parquet(str(tmp_path / "u"))})


def test_subqueries_that_choose_partitions(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    spark.range(6).selectExpr("id", "id % 3 AS p").write.partitionBy("p").parquet(path)
    spark.read.parquet(path).createOrReplaceTempView("in_folders")
    over = "SELECT * FROM in_folders WHERE p"
    assert_refused(
        {
            "scalar": (
                spark.sql(f"{over} = (SELECT max(p) FROM in_folders)"),
                "a subquery chooses the partitions",
            ),
            "in": (
                spark.sql(f"{over} IN (SELECT max(p) FROM in_folders)"),
                "Spark's plan has .*Join",
            ),
            "pruned": (
                spark.sql(
                    "SELECT a.* FROM in_folders a JOIN in_folders b USING (p) WHERE b.id = 1"
                ),
                "Spark's plan has",
            ),
        }
    )
    assert assert_same({"folded": spark.sql(f"{over} = (SELECT 1)")}) == {"folded": 2}
