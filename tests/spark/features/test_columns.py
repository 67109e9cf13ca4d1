from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_infer.errors import BundleError, SignatureError
from spark_infer.spark.features import with_bundle_features, with_features
from tests.spark.features.visible import visible


@pytest.fixture(scope="module")
def source(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(
        [(1, 1.5, [1, 2]), (2, 2.5, [3]), (3, 4.0, [])], "id int, a double, arr array<int>"
    )


def test_each_feature_reads_the_source_columns_and_not_the_others(source: DataFrame) -> None:
    featured = with_features(source, {"a": "a + 1", "b": "a * 10", "c": "sum(a) OVER ()"})
    assert featured.columns == ["id", "a", "arr", "b", "c"]
    rows = featured.orderBy("id").select("a", "b", "c").collect()
    assert [tuple(row) for row in rows] == [(2.5, 15.0, 8.0), (3.5, 25.0, 8.0), (5.0, 40.0, 8.0)]
    for add in (with_features, visible):
        with pytest.raises(SignatureError, match=r"feature 'c' .*`?b`?"):
            add(source, {"b": "a + 1", "c": "b + 1"})
        with pytest.raises(SignatureError, match=r"feature 'c' .*b`?\.`?id"):
            add(source, {"b": "struct(id)", "c": "b.id + 1"})


def test_no_features_leave_the_dataframe_alone(source: DataFrame) -> None:
    assert with_features(source, {}) is source
    assert with_bundle_features(source, {}).df is source


@pytest.mark.parametrize(
    ("sql", "operator"),
    [
        ("explode(arr)", "Generate"),
        ("explode_outer(arr)", "Generate"),
        ("posexplode(arr)", "Generate|MULTI|aliases"),
        ("inline(array(struct(1 AS x)))", "Generate"),
        ("stack(2, a, a)", "Generate"),
        ("explode(filter(arr, x -> x > 1))", "Generate"),
        ("sum(a)", "GROUP"),
        ("count(*)", "GROUP"),
        ("max(a) - min(a)", "GROUP"),
        ("collect_list(a)", "GROUP"),
        ("count(DISTINCT a)", "GROUP"),
        ("sum(sum(a)) OVER ()", "GROUP"),
        ("window(timestamp_seconds(id), '2 seconds', '1 second')", "Expand"),
        ("window(timestamp_seconds(id), '2 seconds')", "Filter"),
        ("session_window(timestamp_seconds(id), '2 seconds')", "Filter|SESSION|session_window"),
        ("a - avg(a)", "GROUP|AGGREGATION"),
        ("row_number()", "row_number"),
    ],
)
def test_a_feature_that_changes_the_rows_is_refused_for_an_operator_too(
    source: DataFrame, sql: str, operator: str
) -> None:
    start = re.escape(f"feature 'f' ({sql}): ")
    with pytest.raises(SignatureError, match=f"^{start}.*({operator})"):
        with_features(source, {"fine": "a + 1", "f": sql, "more": "a + 2"})
    with pytest.raises((BundleError, SignatureError), match=r"^feature 'f' "):
        visible(source, {"fine": "a + 1", "f": sql, "more": "a + 2"})


def test_an_aggregate_over_the_only_column_is_refused(source: DataFrame) -> None:
    """Spark would take the whole selection for one over all rows."""
    with pytest.raises(SignatureError, match=r"feature 'a' .*OVER"):
        with_features(source.select("a"), {"a": "sum(a)"})
    with pytest.raises(BundleError, match=r"feature 'A' .* unless OVER"):
        visible(source.select("a"), {"A": "sum(a)"})


def test_an_operator_may_use_subqueries_functions_and_the_session(
    spark: SparkSession, source: DataFrame, tmp_path: Path
) -> None:
    source.write.parquet(str(tmp_path / "t"))
    spark.udf.register("plus_one", lambda value: value + 1, "int")
    stored = spark.read.parquet(str(tmp_path / "t"))
    stored.createOrReplaceTempView("stored")
    features = {
        "top": "(SELECT max(a) FROM stored)",
        "other": "(SELECT sum(s.a) FROM stored s WHERE s.id < outer_id)",
        "known": "id IN (SELECT id FROM stored WHERE a > 2)",
        "mine": "plus_one(id)",
        "by": "current_user()",
        "file": "_metadata.file_name",
        "random": "rand(1)",
    }
    rows = (
        with_features(stored.withColumn("outer_id", F.col("id")), features).orderBy("id").collect()
    )
    found = [(row["top"], row["other"], row["known"], row["mine"]) for row in rows]
    assert found == [(4.0, None, False, 2), (4.0, 1.5, True, 3), (4.0, 4.0, True, 4)]
    assert all(row["file"].endswith(".parquet") for row in rows)
    for name, sql in features.items():
        with pytest.raises((BundleError, SignatureError), match=f"^feature '{name}' "):
            visible(stored, {name: sql})


def test_the_source_may_have_generators_and_aggregates_of_its_own(source: DataFrame) -> None:
    exploded = source.selectExpr("id", "explode(arr) AS x").groupBy("id").sum("x")
    featured = visible(exploded, {"f": "`sum(x)` + max(id) OVER ()"})
    assert sorted(row["f"] for row in featured.collect()) == [5, 5]


def test_a_feature_of_a_user_defined_type_is_refused(spark: SparkSession) -> None:
    """Python imports the module that such a type names."""
    source = spark.createDataFrame([(1, Vectors.dense([1.0]))], ["id", "u"])
    features = {"f": "u", "g": "array(u)", "h": "map('k', struct(id, u AS m))", "u": "u"}
    for name, sql in features.items():
        with pytest.raises(SignatureError, match=f"^feature '{name}' .*user-defined type"):
            visible(source, {"fine": "id + 1", name: sql})
    plain = visible(source, {"f": "map('k', struct(array(id) AS m))"})
    assert plain.first()["f"]["k"]["m"] == [1]


def test_features_of_equal_names_are_one_sentence(source: DataFrame) -> None:
    with pytest.raises(SignatureError, match=r"^features: .*COLUMN_ALREADY_EXISTS"):
        with_features(source, {"f": "a", "F": "a + 1"})


def test_many_features_are_analyzed_in_one_go(spark: SparkSession) -> None:
    source = spark.range(3).selectExpr(*(f"id + {at} AS c{at}" for at in range(400)))
    features = {
        f"f{at}": f"CAST(log(c{at} + 1) * 2 + if(c{at} > 3, 1, 0) AS FLOAT)" for at in range(400)
    }
    start = time.perf_counter()
    for sql in list(features.values())[:40]:
        source.selectExpr(sql)
    tenth_alone = time.perf_counter() - start
    start = time.perf_counter()
    assert len(visible(source, features).columns) == 800
    # Alone they take ten times this, and a busy machine slows both.
    assert time.perf_counter() - start < 5 * tenth_alone + 1
