"""Predictions in executors of their own: one unpacked bundle, one model for each worker."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark import cloudpickle
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si

NUM_ROWS = 10_000


@pytest.fixture
def rows(spark: SparkSession) -> DataFrame:
    numbers = spark.range(0, NUM_ROWS, 1, 4)
    return numbers.select("id", F.col("id").alias("a"), (F.col("id") % 7).alias("b"))


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize("kind", ["mapInArrow", "arrow", "pandas"])
def test_every_row_is_predicted(
    spark: SparkSession, rows: DataFrame, bundle: si.Bundle, kind: str
) -> None:
    if kind == "mapInArrow":
        scored = rows.transform(si.predict, bundle, keep=["id", "b"])
    else:
        score = si.predict_udf(spark, bundle, kind=kind)
        scored = rows.select("id", "b", score())
    wrong = scored.where("score IS NULL OR score != id + 10 * b").count()
    assert (scored.count(), wrong) == (NUM_ROWS, 0)


def test_the_bundle_is_unpacked_once_on_the_machine(
    rows: DataFrame, bundle: si.Bundle, cache: Path
) -> None:
    rows.transform(si.predict, bundle, keep=["id"]).count()
    unpacked = [path for path in (cache / "bundles").iterdir() if path.is_dir()]
    assert [path.name for path in unpacked] == [bundle.digest]
    first = unpacked[0].stat().st_ino
    rows.transform(si.predict, bundle, keep=["b"]).count()
    assert unpacked[0].stat().st_ino == first


def test_workers_keep_the_model_across_queries(
    spark: SparkSession, rows: DataFrame, bundle: si.Bundle
) -> None:
    cloudpickle.register_pickle_by_value(__import__(__name__))
    rows.transform(si.predict, bundle, keep=["id"]).count()
    before = loaded_models(spark)
    rows.transform(si.predict, bundle, keep=["b"]).count()
    after = loaded_models(spark)
    same = set(before) & set(after)
    assert same, "no worker lived on"
    for worker in same:
        assert before[worker] == after[worker]
        assert [digest for digest, _ in before[worker]] == [bundle.digest]


def loaded_models(spark: SparkSession) -> dict[int, list[tuple[str, int]]]:
    """Return the digest and address of each loaded model, by worker process."""
    schema = "pid long, digest string, model long"
    found = spark.range(0, 2, 1, 2).mapInArrow(_report_models, schema)
    models: dict[int, list[tuple[str, int]]] = {}
    for row in found.collect():
        models.setdefault(row["pid"], []).append((row["digest"], row["model"]))
    return models


def _report_models(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    from spark_infer.runtime.models import _models

    for _ in batches:
        rows = [
            {"pid": os.getpid(), "digest": key[0], "model": id(model)}
            for key, model in _models.items()
        ]
        if rows:
            yield pa.RecordBatch.from_pylist(rows)
