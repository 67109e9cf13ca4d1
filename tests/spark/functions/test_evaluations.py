"""How often Spark runs a model: counted in plans, and by the rows that the model saw."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pyspark import Accumulator
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
import spark_infer.spark.functions.udf as udf_module
from spark_infer.metrics import Metrics
from spark_infer.spark.tasks.metrics import metrics_accumulator

KINDS = ["arrow", "pandas"] if hasattr(F, "arrow_udf") else ["pandas"]
NUM_ROWS = 1_000
ONCE = si.BatchOptions(cache_bytes=0, dedupe=False)
SIGNATURE = si.Signature(
    inputs=[si.ScalarInput("x", columns=["a"])],
    outputs=[si.Output("score"), si.Output("doubled")],
)


class Plain(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.sum(1), x.sum(1) * 2


class Drawn(torch.nn.Module):
    """Draws a number between 0 and 1 for each row."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        drawn = torch.rand(x.shape[0]) + 0 * x.sum(1)
        return drawn, drawn * 2


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    path = tmp_path_factory.mktemp("bundles") / "plain"
    return si.save_bundle(path, Plain(), signature=SIGNATURE)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    path = tmp_path_factory.mktemp("bundles") / "drawn"
    return si.save_bundle(path, Drawn(), signature=SIGNATURE, stochastic=True)


@pytest.fixture(scope="module")
def table(spark: SparkSession) -> DataFrame:
    """Rows whose plain scores are 0, 0.001 ... 0.999."""
    return spark.range(0, NUM_ROWS, 1, 2).selectExpr("id", "id / 1000 AS a")


@pytest.fixture
def counted(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Accumulator[Metrics]:
    """Counts what column functions and SQL functions predict."""
    metrics = metrics_accumulator(spark)
    make = udf_module.prediction_udf
    monkeypatch.setattr(udf_module, "prediction_udf", lambda *given: make(*given, metrics))
    return metrics


def num_nodes(df: DataFrame) -> int:
    """Count the places of the optimized plan in which Python runs."""
    plan = df._jdf.queryExecution().optimizedPlan().toString()
    return len(re.findall(r"ArrowEvalPython|BatchEvalPython|MapInArrow", plan))


Query = Callable[[DataFrame], DataFrame]
HIGH = 499
"""Rows whose score is above 0.5."""
QUERIES: dict[str, tuple[Query, tuple[int, int], tuple[int, int]]] = {
    # What is asked of the predictions; then places and predicted rows, without keep and with it.
    "all": (lambda df: df, (1, 1000), (1, 1000)),
    "filter": (lambda df: df.where("score > 0.5"), (2, 1000 + HIGH), (1, 1000)),
    "two filters": (
        lambda df: df.where("score > 0.5").where("doubled > 1"),
        (2, 1000 + HIGH),
        (1, 1000),
    ),
    "filter on a source column": (lambda df: df.where("id < 100"), (1, 100), (1, 1000)),
    "both outputs": (lambda df: df.select("score", "doubled"), (1, 1000), (1, 1000)),
    "derived columns": (
        lambda df: df.withColumn("u", F.col("score") + 1).withColumn("v", F.col("u") * 2),
        (1, 1000),
        (1, 1000),
    ),
    "group": (lambda df: df.groupBy("score").count(), (1, 1000), (1, 1000)),
    "sum": (lambda df: df.agg(F.sum("score"), F.sum("doubled")), (1, 1000), (1, 1000)),
    "no prediction": (lambda df: df.agg(F.count("id")), (0, 0), (1, 1000)),
    # A sort over several partitions computes its rows once to draw a sample of them.
    "order": (lambda df: df.orderBy("score"), (1, 2000), (1, 2000)),
    "join with itself": (
        lambda df: df.select("id", "score").join(df.select("id", "doubled"), "id"),
        (2, 2000),
        (2, 2000),
    ),
}


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("keep", [None, ["id"]])
def test_predict_runs_the_model_as_often_as_documented(
    spark: SparkSession, table: DataFrame, plain: si.Bundle, query: str, keep: Any
) -> None:
    ask, without, with_keep = QUERIES[query]
    metrics = metrics_accumulator(spark)
    asked = ask(si.predict(table, plain, keep=keep, options=ONCE, metrics=metrics))
    nodes, num_predicted = without if keep is None else with_keep
    assert num_nodes(asked) == nodes
    asked.collect()
    assert metrics.value.num_predicted == num_predicted


@pytest.mark.parametrize("keep", [None, ["id"]])
def test_cached_predictions_are_not_made_again(
    spark: SparkSession, table: DataFrame, plain: si.Bundle, keep: Any
) -> None:
    metrics = metrics_accumulator(spark)
    scored = si.predict(table, plain, keep=keep, options=ONCE, metrics=metrics).cache()
    try:
        for _ in range(2):
            assert len(scored.where("score > 0.5").orderBy("score").collect()) == HIGH
        assert metrics.value.num_predicted == NUM_ROWS
    finally:
        scored.unpersist()


def columns(df: DataFrame, score: Callable[[], Column]) -> dict[str, tuple[DataFrame, int]]:
    """Return queries with a column function, and the places in which it runs."""
    named = df.withColumn("p", score())
    return {
        "two fields": (named.select("p.score", "p.doubled"), 1),
        "a filter on the column": (named.where("p.score > 0.5"), 2),
        "a filter alone": (df.where(score().score > 0.5), 1),
        "a filter and the same call": (df.where(score().score > 0.5).select(score()), 2),
        "a sort by the column": (named.orderBy("p.score"), 1),
        "groups": (df.groupBy(score().score).count(), 1),
        "a sum": (df.agg(F.sum(score().score)), 1),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_function_runs_the_model_as_often_as_documented(
    spark: SparkSession,
    table: DataFrame,
    plain: si.Bundle,
    counted: Accumulator[Metrics],
    kind: Any,
) -> None:
    score = si.predict_udf(spark, plain, kind=kind, options=ONCE)
    found = columns(table, score)
    assert {name: num_nodes(df) for name, (df, _) in found.items()} == {
        name: nodes for name, (_, nodes) in found.items()
    }
    found["two fields"][0].collect()
    assert counted.value.num_predicted == 1000
    found["a filter on the column"][0].collect()
    assert counted.value.num_predicted == 1000 + 1000 + HIGH


SQL = {
    "SELECT id, f(a).score AS p FROM numbers WHERE f(a).score > 0.5": (2, 1000 + HIGH),
    "SELECT * FROM (SELECT f(a).score AS p FROM numbers) WHERE p > 0.5": (2, 1000 + HIGH),
    "SELECT f(a).score, f(a).doubled FROM numbers": (1, 1000),
    "SELECT f(a).score AS p FROM numbers GROUP BY f(a).score": (1, 1000),
    "SELECT avg(f(a).score) AS p FROM numbers": (1, 1000),
    "SELECT CASE WHEN f(a).score > 0.5 THEN f(a).score END AS p FROM numbers": (1, 1000),
}


@pytest.mark.parametrize("query", SQL)
@pytest.mark.parametrize("kind", KINDS)
def test_a_sql_function_runs_the_model_as_often_as_documented(
    spark: SparkSession,
    table: DataFrame,
    plain: si.Bundle,
    counted: Accumulator[Metrics],
    query: str,
    kind: Any,
) -> None:
    table.createOrReplaceTempView("numbers")
    si.register(spark, "f", plain, kind=kind, options=ONCE)
    asked = spark.sql(query)
    nodes, num_predicted = SQL[query]
    assert num_nodes(asked) == nodes
    asked.collect()
    assert counted.value.num_predicted == num_predicted


@pytest.mark.parametrize("keep", [None, ["id"]])
def test_a_filter_sees_the_score_that_was_drawn_for_the_row(
    spark: SparkSession, table: DataFrame, drawn: si.Bundle, keep: Any
) -> None:
    metrics = metrics_accumulator(spark)
    scored = si.predict(table, drawn, keep=keep, options=ONCE, metrics=metrics)
    high = scored.where("score > 0.5")
    assert num_nodes(high) == 1
    found = high.collect()
    assert metrics.value.num_predicted == NUM_ROWS
    assert 0 < len(found) < NUM_ROWS
    assert all(row["score"] > 0.5 and row["doubled"] == 2 * row["score"] for row in found)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stochastic_column_keeps_its_value(
    spark: SparkSession, table: DataFrame, drawn: si.Bundle, kind: Any
) -> None:
    score = si.predict_udf(spark, drawn, kind=kind, options=ONCE)
    for high in (
        table.withColumn("p", score()).where("p.score > 0.5").select("p.score", "p.doubled"),
        table.select(score().alias("p")).select("p.*").where("score > 0.5"),
    ):
        found = high.collect()
        assert 0 < len(found) < NUM_ROWS
        assert all(row["score"] > 0.5 and row["doubled"] == 2 * row["score"] for row in found)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stochastic_sql_function_keeps_its_value(
    spark: SparkSession, table: DataFrame, drawn: si.Bundle, kind: Any
) -> None:
    table.createOrReplaceTempView("numbers")
    si.register(spark, "f", drawn, kind=kind, options=ONCE)
    spark.sql("CREATE OR REPLACE TEMP VIEW drawn_scores AS SELECT id, f(a) AS p FROM numbers")
    found = spark.sql("SELECT p.* FROM drawn_scores WHERE p.score > 0.5").collect()
    assert 0 < len(found) < NUM_ROWS
    assert all(row["score"] > 0.5 and row["doubled"] == 2 * row["score"] for row in found)
    assert spark.sql("SELECT avg(p.score) AS p FROM drawn_scores").first()["p"] > 0
    with pytest.raises(AnalysisException, match=r"(?i)non-?deterministic"):
        spark.sql("SELECT avg(f(a).score) FROM numbers")


def test_a_job_draws_once_for_each_row(
    spark: SparkSession, table: DataFrame, drawn: si.Bundle, tmp_path: Path
) -> None:
    table.write.parquet(str(tmp_path / "numbers"))
    config = {
        "name": "drawn",
        "source": {"path": str(tmp_path / "numbers")},
        "key": ["id"],
        "bundle": {"path": str(drawn.path)},
        "target": {"table": "drawn_by_job", "mode": "append"},
        "report": {"path": str(tmp_path / "reports")},
    }
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(config))
    job = si.ScoringJob.load(tmp_path / "job.yaml")
    try:
        report = job.run(spark)
        assert report.batches["num_predicted"] == report.rows_out == NUM_ROWS
        first = {row["id"]: row["score"] for row in spark.table("drawn_by_job").collect()}
        # Of float32 numbers few are drawn twice, unless each worker draws the same.
        assert len(set(first.values())) > 0.95 * NUM_ROWS
        assert spark.table("drawn_by_job").where("doubled != 2 * score").count() == 0
        assert job.run(spark).rows_out == 0
        assert {r["id"]: r["score"] for r in spark.table("drawn_by_job").collect()} == first
    finally:
        spark.sql("DROP TABLE IF EXISTS drawn_by_job")
