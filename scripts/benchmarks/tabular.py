"""Thirty float columns through a small network: what the transfer from the JVM to Python costs.

The peer is pyspark's ``predict_batch_udf`` over ``array(...)`` of the same columns, its only way
to take them as one tensor. The floor is an identity ``mapInArrow``: the better of the thirty
columns and of the packed array, with no model at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from benchmarks.harness.interleave import interleave, rates
from benchmarks.harness.local_spark import local_session, noop
from benchmarks.harness.machine import cache_directory, describe
from benchmarks.harness.report import Result
from benchmarks.workloads.batch_udf import batch_udf
from benchmarks.workloads.float_files import COLUMNS, even_files
from benchmarks.workloads.small_network import NUM_FEATURES, SIGNATURE, network

BATCH_ROWS = 10_000
BARS = {
    "predict_vs_peer": 1.8,
    "predict_vs_floor": 0.9,
    "arrow_udf_vs_peer": 1.35,
    "pandas_udf_vs_peer": 1.1,
}


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark in a local session with two cores."""
    data = even_files(num_rows)
    bundle = si.save_bundle(cache_directory() / "tabular_bundle", network(), signature=SIGNATURE)
    with local_session("tabular") as spark:
        queries = contenders(spark, spark.read.parquet(str(data)), bundle)
        check_equal(queries)
        seconds = interleave(
            {name: noop(query) for name, query in queries.items()}, repetitions=repetitions
        )
    rate = rates(seconds, num_rows)
    peer = rate["predict_batch_udf"]
    floor = max(rate["identity, 30 columns"], rate["identity, packed"])
    return Result(
        benchmark="tabular",
        workload=f"{num_rows:,} rows x {NUM_FEATURES} floats in Parquet, 30-32-16-1 network, noop",
        rows_per_second=rate,
        seconds=seconds,
        ratios={
            "predict_vs_peer": rate["predict"] / peer,
            "predict_vs_floor": rate["predict"] / floor,
            "arrow_udf_vs_peer": rate["predict_udf, arrow"] / peer,
            "pandas_udf_vs_peer": rate["predict_udf, pandas"] / peer,
        },
        bars=BARS,
        machine=describe(),
    )


def contenders(
    spark: SparkSession, df: DataFrame, bundle: si.Bundle
) -> dict[str, Callable[[], DataFrame]]:
    """Return each contender's query over the same rows and the same network."""
    # Each repetition brings the same rows: a worker's cache would answer them.
    options = si.BatchOptions(batch_size=BATCH_ROWS, cache_bytes=0)
    arrow = si.predict_udf(spark, bundle, kind="arrow", options=options)
    pandas = si.predict_udf(spark, bundle, kind="pandas", options=options)
    packed = F.array(*COLUMNS)
    peer = batch_udf(BATCH_ROWS)
    columns = df.select(COLUMNS)
    return {
        "predict": lambda: si.predict(df, bundle, keep=[], options=options, scan="jvm"),
        "predict_udf, arrow": lambda: df.select(arrow(*COLUMNS)),
        "predict_udf, pandas": lambda: df.select(pandas(*COLUMNS)),
        "predict_batch_udf": lambda: df.select(peer(packed).alias("score")),
        "identity, 30 columns": lambda: columns.mapInArrow(_identity, columns.schema),
        "identity, packed": lambda: df.select(packed.alias("x")).mapInArrow(
            _identity, "x array<float>"
        ),
    }


def check_equal(queries: dict[str, Callable[[], DataFrame]]) -> None:
    """Prove that all contenders compute the same scores."""
    totals = {
        name: query().agg(F.sum(F.col("score").cast("double"))).collect()[0][0]
        for name, query in queries.items()
        if not name.startswith("identity")
    }
    reference = totals["predict_batch_udf"]
    for name, total in totals.items():
        if not np.isclose(total, reference, rtol=1e-5):
            raise RuntimeError(f"{name} scores {total}, predict_batch_udf {reference}")


def _identity(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from batches
