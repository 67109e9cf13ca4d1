"""Rows on which the model raises: each costs itself, by every path, until there are too many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from spark_infer.cli.main import exit_code
from spark_infer.errors import TooManyRejects
from spark_infer.spark.failures import SPARK_FAILURES
from spark_infer.spark.tasks.metrics import metrics_accumulator

NUM_ROWS = 2_000
NUM_IDS = 5
BAD = {17, 18, 1_999}
REASON = "run: IndexError: index out of range in self"
KINDS = ["arrow", "pandas"] if hasattr(F, "arrow_udf") else ["pandas"]


class Lookup(torch.nn.Module):
    """Looks a number up in a table, and raises where the table has no such row."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(NUM_IDS, 1)
        with torch.no_grad():
            self.table.weight.copy_(torch.arange(NUM_IDS).unsqueeze(1) * 10.0)

    def forward(self, item: torch.Tensor) -> torch.Tensor:
        return self.table(item).flatten()


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    signature = si.Signature(
        inputs=[si.ScalarInput("item", columns=["item"], dtype="int64")],
        outputs=[si.Output("score")],
    )
    return si.save_bundle(
        tmp_path_factory.mktemp("bundles") / "lookup", Lookup(), signature=signature
    )


@pytest.fixture
def items(spark: SparkSession) -> DataFrame:
    """Rows of which three hold an item that the model does not know."""
    bad = ", ".join(map(str, BAD))
    numbers = spark.range(0, NUM_ROWS, 1, 2)
    return numbers.selectExpr("id", f"IF(id IN ({bad}), 99, id % {NUM_IDS}) AS item")


def expected(row: int) -> float | None:
    return None if row in BAD else row % NUM_IDS * 10.0


@pytest.mark.parametrize("keep", [["id"], None])
def test_the_others_are_predicted(
    spark: SparkSession, items: DataFrame, lookup: si.Bundle, keep: list[str] | None
) -> None:
    counted = metrics_accumulator(spark)
    scored = items.transform(si.predict, lookup, keep=keep, metrics=counted).collect()
    assert {row["id"]: row["score"] for row in scored} == {n: expected(n) for n in range(NUM_ROWS)}
    reasons = {row["id"]: row["rejected_reason"] for row in scored if row["rejected_reason"]}
    assert reasons == dict.fromkeys(BAD, REASON)
    metrics = counted.value
    assert (metrics.num_rows, metrics.num_rejected, metrics.num_failed) == (NUM_ROWS, 3, 3)
    assert metrics.num_bisections > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_function_returns_null(
    spark: SparkSession, items: DataFrame, lookup: si.Bundle, kind: Any
) -> None:
    score = si.predict_udf(spark, lookup, kind=kind)
    scored = items.select("id", score()).collect()
    assert {row["id"]: row["score"] for row in scored} == {n: expected(n) for n in range(NUM_ROWS)}


@pytest.mark.parametrize("keep", [["id"], None])
def test_on_error_fail_ends_the_query(
    items: DataFrame, lookup: si.Bundle, keep: list[str] | None
) -> None:
    options = si.BatchOptions(on_error="fail")
    scored = items.transform(si.predict, lookup, keep=keep, options=options)
    with pytest.raises(SPARK_FAILURES, match="PredictionError: the model failed on a batch"):
        scored.collect()


@pytest.fixture
def job(spark: SparkSession, items: DataFrame, lookup: si.Bundle, tmp_path: Path) -> Any:
    """Makes a job over the items, with its limit of failed rows."""
    spark.sql("CREATE DATABASE IF NOT EXISTS shop")
    items.write.mode("overwrite").saveAsTable("shop.items")

    def make(max_rejected_share: float) -> si.ScoringJob:
        path = tmp_path / "job.yaml"
        config = {
            "name": "items",
            "source": {"table": "shop.items"},
            "key": ["id"],
            "bundle": {"path": str(lookup.path)},
            "batch": {"max_rejected_share": max_rejected_share},
            "target": {"table": "shop.scores", "mode": "append"},
            "report": {"path": str(tmp_path / "reports")},
        }
        path.write_text(yaml.safe_dump(config))
        return si.ScoringJob.load(path)

    yield make
    spark.sql("DROP DATABASE shop CASCADE")


def test_a_job_writes_their_reasons_and_reports_them(spark: SparkSession, job: Any) -> None:
    report = job(0.01).run(spark)
    assert (report.rows_in, report.rows_out, report.rows_rejected) == (NUM_ROWS, NUM_ROWS, 3)
    assert (report.batches["num_failed"], report.batches["num_rejected"]) == (3, 3)
    bad = spark.table("shop.scores").where("score IS NULL").select("id", "rejected_reason")
    assert {tuple(row) for row in bad.collect()} == {(row, REASON) for row in BAD}


def test_too_many_stop_a_job_and_leave_its_target(spark: SparkSession, job: Any) -> None:
    with pytest.raises(TooManyRejects, match=r"max_rejected_share 0\.0001.*IndexError") as stopped:
        job(0.0001).run(spark)
    assert exit_code(stopped.value) == 4
    assert not spark.catalog.tableExists("shop.scores")
