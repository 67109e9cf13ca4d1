"""Names in which Spark would put a setting or an environment variable, were they SQL text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from spark_infer.errors import SignatureError

NUMBER, FLAG, LIST, FIELD = "${env:HOME}", "${spark.app.name}", "${system:user.name}", "${a} b"
KEEPS = [None, ["id"]]


class Sum(torch.nn.Module):
    def forward(
        self, numbers: torch.Tensor, words: torch.Tensor, words_mask: torch.Tensor
    ) -> torch.Tensor:
        real = words_mask.to(torch.float32)
        return numbers.sum(1) + 10 * (words.sum(-1) * real).sum(1)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    signature = si.Signature(
        inputs=[
            si.ScalarInput("numbers", columns=[NUMBER, FLAG]),
            si.RaggedInput("words", column=LIST, fields=[FIELD, "x"]),
        ],
        outputs=[si.Output("${env:PATH}")],
    )
    path = tmp_path_factory.mktemp("bundles") / "variables"
    return si.save_bundle(path, Sum(), signature=signature)


@pytest.fixture
def source(spark: SparkSession) -> DataFrame:
    item = F.struct(F.lit(1).alias(FIELD), F.lit(2.0).alias("x"))
    return spark.range(2).select(
        "id",
        F.col("id").alias(NUMBER),
        (F.col("id") == 1).alias(FLAG),
        F.array(item).alias(LIST),
    )


@pytest.mark.parametrize("keep", KEEPS)
def test_predict_reads_the_columns_by_their_names(
    source: DataFrame, bundle: si.Bundle, keep: Any
) -> None:
    found = si.predict(source, bundle, keep=keep).orderBy("id").collect()
    assert [row["${env:PATH}"] for row in found] == [30.0, 32.0]


@pytest.mark.parametrize("kind", ["auto", "pandas"])
def test_a_function_reads_the_columns_by_their_names(
    source: DataFrame, bundle: si.Bundle, kind: Any
) -> None:
    # Spark 3.5 casts numbers alone where it does not know the types.
    numbers = source.withColumn(FLAG, F.col(f"`{FLAG}`").cast("double"))
    function = si.predict_udf(source.sparkSession, bundle, kind=kind)
    names = [NUMBER, FLAG, LIST]
    for column in (function(), function(*names), function(*(F.col(f"`{n}`") for n in names))):
        found = numbers.select("id", column.alias("p")).orderBy("id").collect()
        assert [row["p"] for row in found] == [30.0, 32.0]


def test_the_sentence_that_names_a_column_names_it_as_it_is(
    source: DataFrame, bundle: si.Bundle
) -> None:
    wrong = source.withColumn(NUMBER, F.lit("text"))
    with pytest.raises(SignatureError, match=r"column '\$\{env:HOME\}'"):
        si.predict(wrong, bundle)
    function = si.predict_udf(source.sparkSession, bundle)
    with pytest.raises(Exception, match=r"column '\$\{env:HOME\}'"):
        wrong.select(function()).collect()


def test_a_name_that_looks_like_sql_is_a_name(source: DataFrame, bundle: si.Bundle) -> None:
    numbers = source.select(
        F.col("id").alias("a"),
        F.lit(5).alias("a + a"),
        F.lit(7.0).alias("it`s"),
        F.col(f"`{LIST}`"),
    )
    function = si.predict_udf(source.sparkSession, bundle)
    scored = numbers.select(function(F.col("`a + a`"), F.col("`it``s`"), F.col(f"`{LIST}`")))
    assert [row[0] for row in scored.collect()] == [42.0, 42.0]


def test_a_job_reads_and_keeps_such_columns(
    spark: SparkSession, source: DataFrame, bundle: si.Bundle, tmp_path: Path
) -> None:
    key = "${env:USER}"
    source.withColumnRenamed("id", key).write.parquet(str(tmp_path / "source"))
    job = {
        "name": "variables",
        "source": {"path": str(tmp_path / "source")},
        "key": [key],
        "bundle": {"path": str(bundle.path)},
        "target": {"table": "variables_scored", "mode": "append", "keep": [NUMBER, FLAG]},
        "report": {"path": str(tmp_path / "reports")},
    }
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(job))
    try:
        for _ in range(2):
            si.ScoringJob.load(path).run(spark)
        scored = spark.table("variables_scored").orderBy(F.col(f"`{key}`")).collect()
    finally:
        spark.sql("DROP TABLE IF EXISTS variables_scored")
    assert [row["${env:PATH}"] for row in scored] == [30.0, 32.0]
    assert [(row[key], row[NUMBER]) for row in scored] == [(0, 0), (1, 1)]


def test_a_job_replaces_partitions_by_such_columns(
    spark: SparkSession, source: DataFrame, bundle: si.Bundle, tmp_path: Path
) -> None:
    by = ["${env:USER}", "a.b"]
    words = (F.col("id").cast("string").alias(name) for name in by)
    source.select("*", *words).write.parquet(str(tmp_path / "source"))
    job = {
        "name": "variables",
        "source": {"path": str(tmp_path / "source")},
        "key": ["id"],
        "bundle": {"path": str(bundle.path)},
        "target": {"table": "variables_by", "partition_by": by, "keep": [*by]},
        "incremental": {"by": "content"},
        "report": {"path": str(tmp_path / "reports")},
    }
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(job))
    try:
        si.ScoringJob.load(path).run(spark)
        assert si.ScoringJob.load(path).run(spark).rows_unchanged == 2
        kept = spark.table("variables_by").count()
    finally:
        spark.sql("DROP TABLE IF EXISTS variables_by")
    assert kept == 2
