"""What stands between files and model: a choice of columns, or something that is left to Spark."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_infer.spark.scan import direct_scan
from tests.spark.scan.same import assert_refused, assert_same, refused, settings

PLAN = "Spark's plan has .*{}"


@pytest.fixture(scope="module")
def path(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("plans") / "t")
    rows = spark.range(0, 9, 1, 2).selectExpr(
        "id", "string(id) AS s", "array(id) AS a", "timestamp_micros(id) AS t", "struct(id AS x) st"
    )
    rows.write.parquet(path)
    return path


@pytest.fixture(scope="module")
def rows(spark: SparkSession, path: str) -> DataFrame:
    return spark.read.parquet(path)


def test_choices_of_columns(rows: DataFrame) -> None:
    assert_same(
        {
            "drop": rows.drop("id"),
            "names": rows.select("id", "s").toDF("x", "y"),
            "constant": rows.withColumn("k", F.lit(1)),
            "replaced": rows.withColumn("s", F.col("id")),
            "twice": rows.selectExpr("id", "id", "id AS j", "s AS `a.b c`"),
            "hint": rows.hint("broadcast"),
            "alias": rows.alias("x").select("x.id"),
            "watermark": rows.withWatermark("t", "1 hour"),
            "nested": rows.select("st", "a"),
        }
    )


def test_constants(rows: DataFrame) -> None:
    constants = (
        *(
            "1",
            "'x'",
            "date'0001-01-01'",
            "1.50",
            "double('NaN')",
            "timestamp'0001-01-01'",
            "-0.0D",
        ),
        *("1.5F", "true", "cast(1 AS byte)", "cast(NULL AS array<int>)", "cast(NULL AS int)"),
        *("cast(NULL AS struct<a: array<int>>)", "timestamp_ntz'9999-12-31 23:59:59'", "1 + 2"),
    )
    assert_same({"all": rows.selectExpr("id", *constants), "alone": rows.selectExpr(*constants)})
    kinds = {
        "array(1)": "a constant is of type list",
        "X'00'": "a constant is of type binary",
        "struct(1)": "a constant is of type struct|Spark computes",
        "INTERVAL 1 DAY": "a column is of type interval day",
        "NULL": "a column is of type void",
    }
    assert_refused({c: (rows.selectExpr("id", c), reason) for c, reason in kinds.items()})


def test_expressions(rows: DataFrame) -> None:
    computed = (
        *(
            "id + 1",
            "cast(id AS int)",
            "st.x",
            "a[0]",
            "upper(s)",
            "struct(id)",
            "uuid()",
            "rand()",
        ),
        *("spark_partition_id()", "input_file_name()", "monotonically_increasing_id()"),
    )
    frames = {text: (rows.selectExpr(text), "Spark computes ") for text in computed}
    for text in ("current_date()", "now()", "current_user()", "current_database()"):
        frames[text] = rows.selectExpr("id", text), "depends on the time or the user of the query"
    for text in ("_metadata", "_metadata.file_path", "_metadata.row_index"):
        frames[text] = rows.selectExpr("id", text), PLAN.format("Project")
    assert_refused(frames)


def test_columns_named_as_the_metadata_are_the_files_own(
    spark: SparkSession, tmp_path: Path
) -> None:
    own = spark.sql("SELECT 'mine' AS file_path, 5L AS row_index, 'x' AS _metadata")
    own.write.parquet(str(tmp_path / "t"))
    df = spark.read.parquet(str(tmp_path / "t"))
    assert_same({"all": df, "one": df.select("file_path")})
    if not hasattr(df, "metadataColumn"):  # Spark 3.5 has it in SQL only.
        return
    hidden = df.drop("_metadata").select(df.metadataColumn("_metadata").getField("file_path"))
    refused(hidden, PLAN.format("Project"))


def test_operations(spark: SparkSession, rows: DataFrame) -> None:
    other = spark.range(3).withColumnRenamed("id", "o")

    same = F.udf(lambda value: value, "bigint")
    one = rows.select("id")
    frames = {
        "Join": rows.join(other, rows.id == other.o),
        "NestedLoopJoin": rows.crossJoin(other),
        "Aggregate": rows.groupBy("s").count(),
        "HashAggregate": one.distinct(),
        "Union": one.union(one),
        "Sample": one.sample(0.5, seed=1),
        "Limit": one.limit(3),
        "Sort": rows.orderBy("id"),
        "Sort between": rows.sortWithinPartitions("id"),
        "Exchange": rows.repartition(2),
        "Coalesce": rows.coalesce(1),
        "Generate": rows.select(F.explode("a")),
        "Window": rows.selectExpr("row_number() OVER (ORDER BY id)"),
        "CollectMetrics": rows.observe("seen", F.count(F.lit(1)).alias("n")),
        "Scan ExistingRDD": spark.createDataFrame([(1,)], "id int"),
        "ExistingRDD": one.localCheckpoint(),
        "Range": spark.range(3).toDF("id"),
        "LocalTableScan": one.limit(0),
        "EvalPython": rows.select(same("id")),
        "Python": rows.filter(same("id") == 3),
        "MapInArrow": one.mapInArrow(lambda batches: batches, "id bigint"),
    }
    assert_refused({name: (df, PLAN.format(name)) for name, df in frames.items()})
    assert_refused({"fill": (rows.na.fill("x"), "computes"), "drop": (rows.na.drop(), "filter")})


def test_caches(rows: DataFrame) -> None:
    cached = rows.select("id").cache()
    try:
        memory = PLAN.format("InMemoryTableScan")
        assert_refused(
            {
                "itself": (cached, memory),
                "over it": (cached.filter("id > 3"), memory),
                "the same plan": (rows.select("id"), memory),
            }
        )
    finally:
        cached.unpersist()
    assert_same({"no more": rows.select("id")})


def test_streams(spark: SparkSession, path: str) -> None:
    refused(spark.readStream.schema("id bigint").parquet(path), "it is a stream")


@pytest.mark.parametrize("form", ["orc", "csv", "json"])
def test_other_formats(spark: SparkSession, rows: DataFrame, tmp_path: Path, form: str) -> None:
    rows.select("id").write.format(form).save(str(tmp_path / "t"))
    df = spark.read.schema("id bigint").format(form).load(str(tmp_path / "t"))
    refused(df, "the files are read by .*FileFormat, not as plain Parquet")


def test_the_second_api_of_sources(spark: SparkSession, path: str) -> None:
    with settings(spark, sources__useV1SourceList=""):
        refused(spark.read.parquet(path), PLAN.format("BatchScan parquet"))


def test_options(spark: SparkSession, path: str) -> None:
    refusing = {
        "datetimeRebaseMode": "CORRECTED",
        "int96RebaseMode": "CORRECTED",
        "ignoreMissingFiles": "true",
        "ignoreCorruptFiles": "false",
        "unknown": "1",
    }
    assert_refused(
        {
            name: (spark.read.option(name, value).parquet(path), f"the option '{name.lower()}'")
            for name, value in refusing.items()
        }
    )
    harmless = {"mergeSchema": "true", "pathGlobFilter": "*.parquet", "compression": "zstd"}
    assert_same({n: spark.read.option(n, value).parquet(path) for n, value in harmless.items()})


def test_settings(spark: SparkSession, path: str) -> None:
    for name in (
        "files.ignoreCorruptFiles",
        "files.ignoreMissingFiles",
        "parquet.fieldId.read.enabled",
        "parquet.int96TimestampConversion",
    ):
        with settings(spark, **{name: "true"}):
            refused(spark.read.parquet(path), f"spark.sql.{name} is on")
    harmless = {
        "parquet.binaryAsString": "true",
        "parquet.enableVectorizedReader": "false",
        "parquet.filterPushdown": "false",
        "legacy.parquet.nanosAsLong": "true",
        "ansi.enabled": "false",
        "files.maxPartitionBytes": "100",
    }
    with settings(spark, **harmless):
        assert_same({"all": spark.read.parquet(path)})


def test_how_large_tasks_are(spark: SparkSession, path: str) -> None:
    df = spark.read.parquet(path)
    assert len(direct_scan(df).reader.tasks) == 2
    assert str(direct_scan(df)).startswith("9 rows, ")
