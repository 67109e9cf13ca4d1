"""``predict`` from one folder of Parquet files into another."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pyspark.sql import SparkSession

import spark_infer as si
from benchmarks.harness.kept import WriteScores
from benchmarks.harness.machine import cache_directory
from benchmarks.workloads.float_files import KEY
from benchmarks.workloads.small_network import SIGNATURE, network

Scan = Literal["direct", "jvm"]
BATCH_ROWS = 10_000


def predicted(
    spark: SparkSession, bundle: si.Bundle, scan: Scan, options: si.BatchOptions
) -> WriteScores:
    """Return what writes keys and scores.

    Args:
        spark: The session.
        bundle: A bundle with one output, ``score``.
        scan: Who reads the files: the Python worker or Spark's JVM.
        options: Their cache is off: each repetition brings the same rows, and it would answer.
    """

    def write_scores(source: Path, target: Path) -> None:
        rows = spark.read.parquet(str(source))
        scored = si.predict(rows, bundle, keep=[KEY], scan=scan, options=options)
        scored.write.parquet(str(target))

    return write_scores


def floats_bundle() -> si.Bundle:
    """Return the bundle that scores thirty floats."""
    return si.save_bundle(cache_directory() / "floats_bundle", network(), signature=SIGNATURE)


def predicted_floats(spark: SparkSession, bundle: si.Bundle, scan: Scan) -> WriteScores:
    """Return what writes keys and scores of thirty floats, in batches as large as the others'."""
    return predicted(spark, bundle, scan, si.BatchOptions(batch_size=BATCH_ROWS, cache_bytes=0))
