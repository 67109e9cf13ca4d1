"""Predictions that the workers write into files themselves, and do not send back to Spark."""

from __future__ import annotations

from spark_infer.spark.written.layout import Layout
from spark_infer.spark.written.parquet import NotByWorkers, parquet_layout
from spark_infer.spark.written.runs import are_apart
from spark_infer.spark.written.write_task import NUM_OWN, WriteTask, written_schema

__all__ = [
    "NUM_OWN",
    "Layout",
    "NotByWorkers",
    "WriteTask",
    "are_apart",
    "parquet_layout",
    "written_schema",
]
