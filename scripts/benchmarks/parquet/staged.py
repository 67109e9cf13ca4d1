"""Rows that the workers read, predict and write, as a job stages them."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

import spark_infer as si
from benchmarks.harness.kept import WriteScores
from benchmarks.parquet.predicted import BATCH_ROWS
from benchmarks.workloads.float_files import KEY
from spark_infer.spark.dataframe import predict_prepared
from spark_infer.spark.features import with_bundle_features
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.types import arrow_schema
from spark_infer.spark.written import WriteTask, parquet_layout, written_schema


def staged_floats(spark: SparkSession, bundle: si.Bundle) -> WriteScores:
    """Return what writes keys and scores of thirty floats, without a table and its checks."""
    options = si.BatchOptions(batch_size=BATCH_ROWS, cache_bytes=0)

    def write_scores(source: Path, target: Path) -> None:
        rows = with_bundle_features(spark.read.parquet(str(source)), {}, {})
        reference = BundleReference.share(spark, bundle, options, ())
        prediction = predict_prepared(rows, bundle.signature, reference, [KEY], scan="direct")
        columns = prediction.df.columns
        target.mkdir()
        layout = parquet_layout(spark, prediction, columns, [], [KEY], {}, str(target))
        schema = written_schema([])
        task = WriteTask(prediction.task, layout, arrow_schema(schema.fields))
        prediction.rows(task, schema).collect()

    return write_scores
