"""``predict``: the same rows with predictions, by both paths."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from chispa import assert_df_equality
from pyspark import cloudpickle
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from spark_infer.errors import BundleError, ConfigError, SignatureError
from spark_infer.spark.tasks.metrics import metrics_accumulator

EXPECTED = [
    (1, 121.0, [0.0, 4.0], None),
    (2, 7.0, [], None),
    (3, None, None, "column 'a' is null"),
]
SCHEMA = "id int, score float, doubled array<float>, rejected_reason string"


@pytest.fixture
def expected(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(EXPECTED, SCHEMA)


def test_keep_carries_the_named_columns(
    rows: DataFrame, mixture: si.Bundle, expected: DataFrame
) -> None:
    assert_df_equality(rows.transform(si.predict, mixture, keep=["id"]), expected)


def test_without_keep_every_column_stays(
    rows: DataFrame, mixture: si.Bundle, expected: DataFrame
) -> None:
    scored = rows.transform(si.predict, mixture)
    assert scored.columns == ["id", "a", "b", "w", "score", "doubled", "rejected_reason"]
    assert_df_equality(scored.select(expected.columns), expected)


def test_the_model_runs_once_for_each_row(rows: DataFrame, mixture: si.Bundle) -> None:
    plan = rows.transform(si.predict, mixture)._jdf.queryExecution().toString()
    physical = plan.split("== Physical Plan ==")[1]
    assert physical.count("ArrowEvalPython") == 1


def test_a_path_is_a_bundle(rows: DataFrame, mixture: si.Bundle, expected: DataFrame) -> None:
    assert_df_equality(rows.transform(si.predict, str(mixture.path), keep=["id"]), expected)


def test_only_the_bundle_with_the_pinned_digest_predicts(
    rows: DataFrame, mixture: si.Bundle, expected: DataFrame
) -> None:
    pinned = rows.transform(si.predict, mixture.path, keep=["id"], digest=mixture.digest)
    assert_df_equality(pinned, expected)
    for bundle in (mixture, mixture.path):
        with pytest.raises(BundleError, match=f"digest is {mixture.digest}, and 0000.* asked for"):
            si.predict(rows, bundle, digest="0" * 64)
    with pytest.raises(ConfigError, match=r"all of them, got '[0-9a-f]{12}'"):
        si.predict(rows, mixture, digest=mixture.digest[:12])


def test_columns_match_without_regard_to_case(
    rows: DataFrame, mixture: si.Bundle, expected: DataFrame
) -> None:
    shouted = rows.select("id", F.col("a").alias("A"), F.col("b").alias("B"), "w")
    assert_df_equality(shouted.transform(si.predict, mixture, keep=["id"]), expected)


def test_features_are_computed_from_source_columns(spark: SparkSession, linear: si.Bundle) -> None:
    rows = spark.createDataFrame([(1, 1.0, 2)], "id int, a double, b int")
    (row,) = rows.transform(si.predict, linear, keep=["b"]).collect()
    assert (row["b"], row["score"]) == (2, 41.0)


def test_empty_partitions_and_tables(
    spark: SparkSession, rows: DataFrame, mixture: si.Bundle, expected: DataFrame
) -> None:
    assert rows.where("id > 100").transform(si.predict, mixture).count() == 0
    spread = rows.repartition(7).transform(si.predict, mixture, keep=["id"])
    assert_df_equality(spread, expected, ignore_row_order=True)


@pytest.mark.parametrize("batch_size", [1, 2, 1000])
def test_any_batch_size(
    spark: SparkSession, rows: DataFrame, mixture: si.Bundle, expected: DataFrame, batch_size: int
) -> None:
    options = si.BatchOptions(batch_size=batch_size)
    scored = rows.coalesce(1).transform(si.predict, mixture, keep=["id"], options=options)
    assert_df_equality(scored, expected)


def test_metrics_add_up_across_tasks(
    spark: SparkSession, rows: DataFrame, mixture: si.Bundle
) -> None:
    counted = metrics_accumulator(spark)
    options = si.BatchOptions(cache_bytes=0)
    spread = rows.repartition(3)
    spread.transform(si.predict, mixture, keep=["id"], options=options, metrics=counted).collect()
    metrics = counted.value
    assert (metrics.num_rows, metrics.num_rejected, metrics.num_predicted) == (3, 1, 2)
    assert set(metrics.seconds) == {"load", "wait", "assemble", "run", "unpack"}
    assert metrics.peak_memory_bytes > 0


@pytest.mark.parametrize("keep", [["id"], None])
def test_rows_of_an_earlier_query_come_from_the_cache(
    spark: SparkSession, mixture: si.Bundle, keep: list[str] | None
) -> None:
    numbers = spark.range(100, 200, 1, 1).selectExpr("id", "id * 1.0D a", "1 b", "array('x') w")
    # Spark hands a query to any worker that waits, and tests before this one may have left many.
    for _ in range(20):
        counted = metrics_accumulator(spark)
        scored = numbers.transform(si.predict, mixture, keep=keep, metrics=counted)
        assert [row["score"] for row in scored.collect()] == [n + 10.0 for n in range(100, 200)]
        assert counted.value.num_predicted + counted.value.num_cached == 100
        if counted.value.num_cached:
            break
    assert counted.value.num_cached == 100


TYPES = [
    ("boolean", "true", 1.0),
    ("tinyint", "7", 7.0),
    ("bigint", "7", 7.0),
    ("double", "7.5", 7.5),
    ("decimal(10,2)", "7.25", 7.25),
    ("date", "'1970-01-03'", 2.0),
    ("timestamp", "'1970-01-01 00:00:02.5'", 2.5),
    ("timestamp_ntz", "'1970-01-01 00:00:02.5'", 2.5),
]


@pytest.mark.parametrize(("kind", "value", "number"), TYPES)
@pytest.mark.parametrize("keep", [["a"], None])
def test_source_types_by_the_stated_rules(
    spark: SparkSession, linear: si.Bundle, kind: str, value: str, number: float, keep: Any
) -> None:
    rows = spark.sql(f"SELECT CAST({value} AS {kind}) AS a, 0 AS b")
    (row,) = si.predict(rows, linear, keep=keep).collect()
    assert row["score"] == number


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": "'x'"}, "column 'a'.*string does not fit a tensor of float32"),
        ({"w": "'x'"}, "column 'w'.*expected array<string>, got string; split"),
        ({"w": "array(1.5D)"}, "column 'w'.*vocabulary of str"),
    ],
)
def test_wrong_types_are_named(
    rows: DataFrame, mixture: si.Bundle, change: dict[str, str], message: str
) -> None:
    changed = rows.withColumns({name: F.expr(sql) for name, sql in change.items()})
    with pytest.raises(SignatureError, match=message):
        changed.transform(si.predict, mixture, keep=["id"])


def test_a_missing_column_is_named(rows: DataFrame, mixture: si.Bundle) -> None:
    renamed = rows.withColumnRenamed("w", "ww")
    with pytest.raises(SignatureError, match="column 'w' is missing"):
        renamed.transform(si.predict, mixture, keep=["id"])


def test_keep_must_exist_and_not_clash(rows: DataFrame, mixture: si.Bundle) -> None:
    with pytest.raises(ConfigError, match="keep: column 'idd' is missing; did you mean 'id'"):
        si.predict(rows, mixture, keep=["idd"])
    with pytest.raises(ConfigError, match="'score' has the name of a prediction column"):
        si.predict(rows.withColumn("score", F.lit(1)), mixture)


@pytest.mark.parametrize("overlap", [False, True])
def test_a_limit_ends_the_threads_of_its_tasks(
    spark: SparkSession, mixture: si.Bundle, overlap: bool
) -> None:
    cloudpickle.register_pickle_by_value(__import__(__name__))
    options = si.BatchOptions(overlap=overlap, cache_bytes=0)
    many = spark.range(0, 300_000, 1, 2).selectExpr("id", "id * 1.0D a", "1 b", "array('x') w")
    scored = many.transform(si.predict, mixture, keep=["id"], options=options)
    assert [row["score"] for row in scored.limit(3).collect()] == [10.0, 11.0, 12.0]
    left = spark.range(0, 2, 1, 2).mapInArrow(_thread_names, "name string").collect()
    assert not [row["name"] for row in left if row["name"].startswith("spark_infer")]
    assert scored.where("score IS NULL").count() == 0


def _thread_names(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for _ in batches:
        names = [thread.name for thread in threading.enumerate()]
        yield pa.RecordBatch.from_pydict({"name": names})


@pytest.mark.parametrize("expression", ["array()", "map()", "array(array())"])
def test_a_kept_column_of_no_type_is_refused(
    spark: SparkSession, linear: si.Bundle, expression: str
) -> None:
    rows = spark.range(2).selectExpr("1.0D AS a", "2 AS b", f"{expression} AS empty")
    with pytest.raises(ConfigError, match=r"keep: column 'empty' is .*void.* cast it, such as to"):
        si.predict(rows, linear, keep=["empty"])


@pytest.mark.parametrize(
    "expression",
    [
        "INTERVAL '1' MONTH",
        # pyspark 3.5 does not know the type at all, and says so.
        pytest.param("array(make_interval(1))", marks=pytest.mark.one_spark),
    ],
)
def test_a_kept_column_that_python_does_not_get_is_refused(
    spark: SparkSession, linear: si.Bundle, expression: str
) -> None:
    rows = spark.range(2).selectExpr("1.0D AS a", "2 AS b", f"{expression} AS span")
    for scan in ("auto", "jvm"):
        with pytest.raises(ConfigError, match=r"keep: column 'span' is .*interval.* cast it, such"):
            si.predict(rows, linear, keep=["span"], scan=scan)
