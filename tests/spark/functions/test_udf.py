"""Column functions in DataFrames and SQL, of both kinds."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pyspark
import pytest
import torch
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from spark_infer.errors import BundleError, ConfigError, SignatureError

HAS_ARROW = hasattr(F, "arrow_udf")
SPARK_4 = pyspark.__version__ >= "4"
KINDS = ["arrow", "pandas"] if HAS_ARROW else ["pandas"]
EXPECTED = {1: (121.0, [0.0, 4.0]), 2: (7.0, []), 3: (None, None)}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def by_id(scored: DataFrame) -> dict[int, tuple[Any, Any]]:
    return {row["id"]: (row["p"]["score"], row["p"]["doubled"]) for row in scored.collect()}


def test_reads_the_bundle_columns_by_name(
    spark: SparkSession, rows: DataFrame, mixture: si.Bundle, kind: Any
) -> None:
    score = si.predict_udf(spark, mixture, kind=kind)
    assert by_id(rows.select("id", score().alias("p"))) == EXPECTED


def test_only_the_bundle_with_the_pinned_digest_is_a_function(
    spark: SparkSession, rows: DataFrame, mixture: si.Bundle
) -> None:
    score = si.predict_udf(spark, mixture.path, digest=mixture.digest)
    assert by_id(rows.select("id", score().alias("p"))) == EXPECTED
    si.register(spark, "pinned", mixture, digest=mixture.digest)
    with pytest.raises(BundleError, match="is asked for"):
        si.predict_udf(spark, mixture, digest="0" * 64)
    with pytest.raises(BundleError, match="is asked for"):
        si.register(spark, "other", mixture.path, digest="0" * 64)


def test_takes_columns_in_order_and_by_name(
    spark: SparkSession, rows: DataFrame, mixture: si.Bundle, kind: Any
) -> None:
    score = si.predict_udf(spark, mixture, kind=kind)
    other = rows.toDF("id", "one", "two", "three")
    assert by_id(other.select("id", score("one", F.col("two"), "three").alias("p"))) == EXPECTED
    assert by_id(other.select("id", score(w="three", a="one", b="two").alias("p"))) == EXPECTED


def test_one_output_is_a_plain_column_named_after_it(
    spark: SparkSession, linear: si.Bundle, kind: Any
) -> None:
    rows = spark.createDataFrame([(1.0, 2)], "a double, b int")
    scored = rows.select(si.predict_udf(spark, linear, kind=kind)())
    assert scored.dtypes == [("score", "float")]
    assert scored.collect()[0]["score"] == 41.0


@pytest.mark.skipif(not SPARK_4, reason="Spark 3.5 computes a function's arguments as plain ones")
def test_features_are_packed_in_a_projection_of_their_own(
    spark: SparkSession, linear: si.Bundle, kind: Any, tmp_path: Path
) -> None:
    path = str(tmp_path / "rows")
    spark.createDataFrame([(1.0, 2)], "a double, b int").write.parquet(path)
    scored = spark.read.parquet(path).select(si.predict_udf(spark, linear, kind=kind)())
    plan = scored._jdf.queryExecution().optimizedPlan().toString()
    function, below = re.search(r"ArrowEvalPython(.*)\n\s*\+- (Project.*)", plan).groups()
    assert "array(" not in function
    assert re.match(r"Project \[array\((coalesce\()?cast\(a#", below)
    assert scored.collect()[0]["score"] == 41.0


def test_works_in_every_place_of_a_query(spark: SparkSession, linear: si.Bundle, kind: Any) -> None:
    rows = spark.range(1, 4).select(F.col("id").cast("double").alias("a"), F.lit(0).alias("b"))
    score = si.predict_udf(spark, linear, kind=kind)
    scores = sorted(row[0] for row in rows.select(score()).collect())
    assert rows.agg(F.sum(score())).first()[0] == sum(scores)
    assert rows.orderBy(score().desc()).select(score()).first()[0] == scores[-1]
    assert rows.where(score() > scores[0]).count() == 2
    assert rows.groupBy("b").agg(F.max(score()).alias("m")).first()["m"] == scores[-1]
    chosen = rows.select(F.when(F.col("a") > 2, score()).alias("p")).dropna()
    assert [row["p"] for row in chosen.collect()] == scores[-1:]
    other = rows.select(F.col("a").alias("c"))
    assert rows.join(other, (F.col("a") == F.col("c")) & (score() < scores[-1])).count() == 2


def test_nulls_and_nan_stay_apart(spark: SparkSession, linear: si.Bundle, kind: Any) -> None:
    rows = spark.sql("SELECT * FROM VALUES (1, double('NaN')), (2, NULL), (3, 4.0D) AS t(id, a)")
    score = si.predict_udf(spark, linear, kind=kind)
    scored = rows.select("id", score("a", F.lit(1.0)).alias("p"))
    found = {
        row["id"]: row["kind"]
        for row in scored.selectExpr(
            "id",
            "CASE WHEN p IS NULL THEN 'null' WHEN isnan(p) THEN 'nan' ELSE string(p) END AS kind",
        ).collect()
    }
    assert found == {1: "nan", 2: "null", 3: "14.0"}


class Items(torch.nn.Module):
    """Adds up what a ragged row holds, the fields of its structs among it."""

    def forward(self, x: torch.Tensor, x_mask: torch.Tensor) -> torch.Tensor:
        return (x.reshape(*x_mask.shape, -1).sum(2) * x_mask.to(x.dtype)).sum(1)


@pytest.fixture(scope="module", params=["items", "fields"])
def ragged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    """A bundle that adds up arrays of numbers, or of structs of one; -5 stands for null."""
    fields = ("u",) if request.param == "fields" else ()
    signature = si.Signature(
        inputs=[si.RaggedInput("x", column="x", fields=fields, nulls="empty", null_items=-5)],
        outputs=[si.Output("score")],
    )
    path = tmp_path_factory.mktemp("bundles") / request.param
    return si.save_bundle(path, Items(), signature=signature)


def found_scores(spark: SparkSession, score: Column) -> set[float]:
    rows = spark.range(0, 2_000, 1, 2).select(score.alias("score")).collect()
    return {row["score"] for row in rows}


@pytest.mark.parametrize("number", ["1.0D", "1", "1.5BD", "true"])
def test_what_is_drawn_for_a_row_is_drawn_once(
    spark: SparkSession, mixture: si.Bundle, kind: Any, number: str
) -> None:
    score = si.predict_udf(spark, mixture, kind=kind)
    drawn = F.expr(f"IF(rand() < 0.5, NULL, {number})")
    words = F.array().cast("array<string>")
    found = found_scores(spark, score(F.lit(0), drawn, words).getField("score"))
    assert found == {5.0, 15.0 if number == "1.5BD" else 10.0}


def test_what_a_function_draws_is_drawn_once(
    spark: SparkSession, mixture: si.Bundle, kind: Any
) -> None:
    drawn = F.udf(lambda _: random.choice([None, 2.0]), "double").asNondeterministic()
    score = si.predict_udf(spark, mixture, kind=kind)
    words = F.array().cast("array<string>")
    found = found_scores(spark, score(F.lit(0), drawn("id"), words).getField("score"))
    assert found == {5.0, 20.0}


def test_arrays_that_are_drawn_for_a_row_are_drawn_once(
    spark: SparkSession, ragged: si.Bundle, kind: Any
) -> None:
    item = "IF(rand() < 0.5, NULL, 1D)"
    if ragged.signature.inputs[0].struct_fields:
        item = f"named_struct('u', {item})"
    score = si.predict_udf(spark, ragged, kind=kind)
    assert found_scores(spark, score(F.expr(f"array({item})"))) == {1.0, -5.0}
    perhaps = F.expr(f"IF(rand() < 0.5, NULL, array({item}))")
    assert found_scores(spark, score(perhaps)) == {1.0, -5.0, 0.0}


@pytest.mark.parametrize("first", ["NULL", "array()", "array(NULL)"])
def test_fields_of_structs_that_the_first_batches_do_not_hold(
    spark: SparkSession, kind: Any, first: str, tmp_path: Path
) -> None:
    signature = si.Signature(
        inputs=[si.RaggedInput("x", column="x", fields=["u"], nulls="empty", null_items=0)],
        outputs=[si.Output("score")],
    )
    bundle = si.save_bundle(tmp_path / "bundle", Items(), signature=signature)
    si.register(spark, "fields", bundle, kind=kind)
    kinds = "array<struct<U: double>>"
    rows = spark.sql(
        f"SELECT id, CAST(IF(id % 3 = 2, array(named_struct('U', 7D)), {first}) AS {kinds}) AS x "
        "FROM range(0, 9, 1, 1)"
    )
    rows.createOrReplaceTempView("rows")
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 1)
    try:
        found = spark.sql("SELECT id, fields(x) FROM rows").collect()
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    assert {tuple(row) for row in found} == {(n, 7.0 if n % 3 == 2 else 0.0) for n in range(9)}


@pytest.mark.parametrize(
    "argument", ["named_struct('u', 1)", "map('k', 1)", "x'01'", "parse_json('1')"]
)
def test_sql_arguments_that_no_tensor_is_made_of(
    spark: SparkSession, mixture: si.Bundle, kind: Any, argument: str
) -> None:
    if not SPARK_4 and argument.startswith("parse_json"):
        pytest.skip("Spark 3.5 has no variants")
    si.register(spark, "mix", mixture, kind=kind)
    with pytest.raises(Exception, match=r"SignatureError: .*(does not fit|no tensor is made of)"):
        spark.sql(f"SELECT mix({argument}, 1, array('x'))").collect()


def test_sql_in_select_where_and_view(
    spark: SparkSession, rows: DataFrame, mixture: si.Bundle, kind: Any
) -> None:
    si.register(spark, "mix", mixture, kind=kind)
    rows.createOrReplaceTempView("rows")
    assert by_id(spark.sql("SELECT id, mix(a, b, w) AS p FROM rows")) == EXPECTED
    spark.sql("CREATE OR REPLACE TEMP VIEW scored AS SELECT id, mix(a, b, w) AS p FROM rows")
    found = spark.sql("SELECT id FROM scored WHERE p.score > 100").collect()
    assert [row["id"] for row in found] == [1]
    found = spark.sql("SELECT id FROM rows WHERE mix(a, b, w).score < 100").collect()
    assert [row["id"] for row in found] == [2]


@pytest.mark.skipif(not SPARK_4, reason="named arguments came with Spark 4")
def test_sql_arguments_by_name(
    spark: SparkSession, rows: DataFrame, mixture: si.Bundle, kind: Any
) -> None:
    si.register(spark, "mix", mixture, kind=kind)
    rows.createOrReplaceTempView("rows")
    assert by_id(spark.sql("SELECT id, mix(w => w, b => b, a => a) AS p FROM rows")) == EXPECTED


def test_wrong_arguments_are_named(
    spark: SparkSession, rows: DataFrame, mixture: si.Bundle, kind: Any
) -> None:
    score = si.predict_udf(spark, mixture, kind=kind)
    with pytest.raises(SignatureError, match=r"takes 3 argument\(s\) \(a, b, w\), got 1"):
        score("a")
    with pytest.raises(SignatureError, match="no argument 'aa'; did you mean 'a'"):
        score(aa="a", b="b", w="w")
    si.register(spark, "mix", mixture, kind=kind)
    rows.createOrReplaceTempView("rows")
    with pytest.raises(Exception, match=r"takes 3 argument\(s\) \(a, b, w\), got 2"):
        spark.sql("SELECT mix(a, b) FROM rows").collect()


def test_wrong_types_stop_the_query(
    spark: SparkSession, rows: DataFrame, mixture: si.Bundle, kind: Any
) -> None:
    score = si.predict_udf(spark, mixture, kind=kind)
    texts = rows.withColumn("a", F.lit("x"))
    with pytest.raises(
        Exception,
        match=r"column 'a' \(input 'numbers'\): string does not fit a tensor of float32; cast to",
    ):
        texts.select(score()).collect()


def test_kinds_and_names_are_checked(spark: SparkSession, mixture: si.Bundle) -> None:
    with pytest.raises(ConfigError, match="kind 'numpy' is unknown"):
        si.predict_udf(spark, mixture, kind="numpy")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cannot name a SQL function"):
        si.register(spark, "fraud score", mixture)
    if not HAS_ARROW:
        with pytest.raises(ConfigError, match=r"needs Spark 4\.1"):
            si.predict_udf(spark, mixture, kind="arrow")
