"""The networks of ``tabular`` and ``ragged`` as ONNX models in Spark.

The contenders are what a patient user writes around bare ONNX Runtime in ``mapInArrow``. The same
networks as exported programs, which torch runs, tell which format is faster for which model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from benchmarks.harness.interleave import interleave, rates
from benchmarks.harness.local_spark import local_session, noop
from benchmarks.harness.machine import NUM_CORES, cache_directory, describe
from benchmarks.harness.report import Result
from benchmarks.tabular import BATCH_ROWS
from benchmarks.workloads import ragged_rows, small_network, transformer
from benchmarks.workloads.float_files import COLUMNS, even_files
from benchmarks.workloads.graphs import BareLoop, SortedGraph, encoder_graph, small_graph

ROWS_TO_A_MESSAGE = 1_250
"""Rows of thirty floats to one that the transformer gets."""
LOOP_TOKENS = (512, 1024, 2048, 4096)
TOLERANCE = 1e-4
BARS = {"tabular_vs_bare_loop": 0.95, "ragged_vs_bare_loop": 0.95}

Queries = dict[str, Callable[[], DataFrame]]


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark in a local session with two cores."""
    num_messages = max(num_rows // ROWS_TO_A_MESSAGE, 2 * NUM_CORES)
    with local_session("onnx") as spark:
        found = {
            "tabular": (tabular(spark, num_rows), num_rows),
            "ragged": (ragged(spark, num_messages), num_messages),
        }
        rate: dict[str, float] = {}
        seconds: dict[str, list[float]] = {}
        for kind, (queries, count) in found.items():
            check_equal(queries)
            took = interleave(
                {name: noop(query) for name, query in queries.items()}, repetitions=repetitions
            )
            rate |= {f"{kind}: {name}": value for name, value in rates(took, count).items()}
            seconds |= {f"{kind}: {name}": values for name, values in took.items()}
    return Result(
        benchmark="onnx",
        workload=(
            f"{num_rows:,} rows x 30 floats, 30-32-16-1 network; {num_messages:,} rows of tokens, "
            "transformer of 6 layers; in Parquet, noop"
        ),
        rows_per_second=rate,
        seconds=seconds,
        ratios={key: value for kind in found for key, value in compare(kind, rate).items()},
        bars=BARS,
        machine=describe(),
    )


def tabular(spark: SparkSession, num_rows: int) -> Queries:
    """Return each contender's query over rows of floats."""
    folder = cache_directory()
    df = spark.read.parquet(str(even_files(num_rows)))
    graph, signature = small_graph(folder), small_network.SIGNATURE
    stored = si.save_bundle(folder / "onnx_small", graph, signature=signature)
    program = si.save_bundle(folder / "export_small", small_network.network(), signature=signature)
    options = si.BatchOptions(batch_size=BATCH_ROWS, cache_bytes=0)
    packed = df.select(F.array(*COLUMNS).alias("features"))
    return {
        "bare loop": lambda: packed.mapInArrow(BareLoop(graph), "score float"),
        "onnx": lambda: si.predict(df, stored, keep=[], options=options, scan="jvm"),
        "export": lambda: si.predict(df, program, keep=[], options=options, scan="jvm"),
    }


def ragged(spark: SparkSession, num_rows: int) -> Queries:
    """Return each contender's query over rows of tokens."""
    folder = cache_directory()
    random = np.random.default_rng(0)
    lengths = ragged_rows.log_normal_lengths(num_rows, random)
    tokens = ragged_rows.random_lists(lengths, transformer.VOCABULARY, random)
    path = ragged_rows.save_rows(f"onnx_messages_{num_rows}", tokens, NUM_CORES)
    df = spark.read.parquet(str(path))
    graph = encoder_graph(folder)
    stored = si.save_bundle(folder / "onnx_encoder", graph, signature=transformer.SIGNATURE)
    program = transformer.encoder_bundle(folder / "export_encoder")
    options = si.BatchOptions(cache_bytes=0)

    def loop(max_tokens: int) -> Callable[[], DataFrame]:
        return lambda: df.mapInArrow(SortedGraph(graph, max_tokens), "id bigint, score float")

    return {
        **{f"bare loop, {most:,} tokens": loop(most) for most in LOOP_TOKENS},
        "onnx": lambda: si.predict(df, stored, keep=["id"], options=options, scan="jvm"),
        "export": lambda: si.predict(df, program, keep=["id"], options=options, scan="jvm"),
    }


def check_equal(queries: Queries) -> None:
    """Prove that all contenders compute the same scores."""
    totals = {
        name: query().agg(F.avg(F.col("score").cast("double"))).collect()[0][0]
        for name, query in queries.items()
    }
    reference = totals["export"]
    for name, total in totals.items():
        if not np.isclose(total, reference, rtol=TOLERANCE, atol=TOLERANCE):
            raise RuntimeError(f"{name} scores {total}, the exported program {reference}")


def compare(kind: str, rate: Mapping[str, float]) -> dict[str, float]:
    """Return the ratios to the best loop, and to the exported program."""
    loop = max(value for name, value in rate.items() if name.startswith(f"{kind}: bare loop"))
    stored = rate[f"{kind}: onnx"]
    return {
        f"{kind}_vs_bare_loop": stored / loop,
        f"{kind}_onnx_vs_export": stored / rate[f"{kind}: export"],
    }
