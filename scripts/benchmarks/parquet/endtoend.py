"""Parquet in, Parquet out: a key and thirty floats a row through a small network.

Beside ``predict``, by either scan: pyspark's ``predict_batch_udf``, Daft and Ray Data, as their
documentation shows models, and a loop written by hand in one process. All have two cores and write
with their own defaults. What ``predict`` returns is written by Spark, or by its workers as jobs
stage it. Those outside of Spark run in a process that is started once. The extra
``bench`` installs Daft and Ray; without it they are left out, and their bars are not measured.

Rows of different lengths then go through a mean that costs nothing, by both scans.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console

import spark_infer as si
from benchmarks.harness.interleave import rates
from benchmarks.harness.kept import WriteScores, kept
from benchmarks.harness.local_spark import local_session
from benchmarks.harness.machine import cache_directory, describe
from benchmarks.harness.report import Result
from benchmarks.parquet.passes import Pass, measure
from benchmarks.parquet.predicted import BATCH_ROWS, floats_bundle, predicted, predicted_floats
from benchmarks.parquet.staged import staged_floats
from benchmarks.workloads.batch_udf import batch_udf
from benchmarks.workloads.float_files import COLUMNS, KEY, NUM_FILES, SCORE, even_files
from benchmarks.workloads.ragged_rows import log_normal_lengths, random_lists, save_rows
from benchmarks.workloads.small_network import NUM_FEATURES

DIRECT, JVM = "predict, direct", "predict, jvm"
STAGED = "predict, direct, written by the workers"
UDF, ONE_PROCESS = "predict_batch_udf", "pyarrow, one process"
DAFT, RAY = "Daft", "Ray Data"
LIBRARIES = {DAFT: "daft", RAY: "ray"}
PEERS = {
    DAFT: "benchmarks.peers.with_daft",
    RAY: "benchmarks.peers.with_ray",
    ONE_PROCESS: "benchmarks.peers.with_pyarrow",
}
RATIOS = {
    "direct_vs_jvm": JVM,
    "direct_vs_peer": UDF,
    "direct_vs_daft": DAFT,
    "direct_vs_ray": RAY,
    "direct_vs_one_process": ONE_PROCESS,
}
STAGED_RATIOS = {
    "staged_vs_direct": DIRECT,
    "staged_vs_daft": DAFT,
    "staged_vs_one_process": ONE_PROCESS,
}
RAGGED = "ragged_direct_vs_jvm"
BARS = {
    "direct_vs_jvm": 2.0,
    "direct_vs_peer": 4.0,
    "direct_vs_daft": 1.7,
    "direct_vs_ray": 3.0,
    "direct_vs_one_process": 0.75,
    RAGGED: 1.5,
}
ROWS_TO_A_LIST = 4
NUM_IDS = 1_000


class Mean(torch.nn.Module):
    """The mean of the real values of a row."""

    def forward(self, values: torch.Tensor, values_mask: torch.Tensor) -> torch.Tensor:
        num_real = values_mask.sum(1, keepdim=True).clamp(min=1)
        return (values * values_mask).sum(1, keepdim=True) / num_real


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark.

    Args:
        num_rows: With floats; a quarter of it with lists.
        repetitions: Of each contender.
    """
    num_lists = max(num_rows // ROWS_TO_A_LIST, 1)
    float_source, list_source = even_files(num_rows), list_files(num_lists)
    with local_session("endtoend") as spark:
        with float_contenders(spark) as contenders:
            floats = measure(
                {name: Pass(each, float_source, num_rows) for name, each in contenders.items()},
                repetitions,
            )
        lists = measure(
            {
                name: Pass(each, list_source, num_lists)
                for name, each in list_contenders(spark).items()
            },
            repetitions,
        )
    rate = rates(floats, num_rows)
    list_rate = rates(lists, num_lists)
    ratios = {
        ratio: rate[ours] / rate[other]
        for ours, table in ((DIRECT, RATIOS), (STAGED, STAGED_RATIOS))
        for ratio, other in table.items()
        if other in rate
    }
    return Result(
        benchmark="endtoend",
        workload=(
            f"{num_rows:,} rows x {NUM_FEATURES} floats, 30-32-16-1 network, and {num_lists:,} "
            f"lists, mean; {NUM_FILES} Parquet files to Parquet"
        ),
        rows_per_second=rate | {f"ragged: {name}": value for name, value in list_rate.items()},
        seconds=floats | {f"ragged: {name}": value for name, value in lists.items()},
        ratios=ratios | {RAGGED: list_rate[DIRECT] / list_rate[JVM]},
        bars=BARS,
        machine=describe(),
    )


@contextmanager
def float_contenders(spark: SparkSession) -> Iterator[dict[str, WriteScores]]:
    """Yield those that can run here, and say which cannot."""
    bundle = floats_bundle()
    with ExitStack() as stack:
        yield {
            DIRECT: predicted_floats(spark, bundle, "direct"),
            STAGED: staged_floats(spark, bundle),
            JVM: predicted_floats(spark, bundle, "jvm"),
            UDF: by_udf(spark),
            **{
                name: stack.enter_context(kept(module))
                for name, module in PEERS.items()
                if is_there(name)
            },
        }


def is_there(name: str) -> bool:
    """Return whether a contender's library is installed; print what to do if it is not."""
    library = LIBRARIES.get(name)
    found = library is None or importlib.util.find_spec(library) is not None
    if not found:
        Console(highlight=False, soft_wrap=True).print(
            f"{name}: not run, {library} is not installed; pip install -e '.\\[all,bench]' in an "
            "environment of its own brings it"
        )
    return found


def by_udf(spark: SparkSession) -> WriteScores:
    """Return what writes the scores of ``predict_batch_udf``."""
    score = batch_udf(BATCH_ROWS)(F.array(*COLUMNS)).alias(SCORE)

    def write_scores(source: Path, target: Path) -> None:
        spark.read.parquet(str(source)).select(KEY, score).write.parquet(str(target))

    return write_scores


def list_contenders(spark: SparkSession) -> dict[str, WriteScores]:
    """Return both scans of lists."""
    signature = si.Signature(
        inputs=[si.RaggedInput("values", column="tokens", dtype="int64")],
        outputs=[si.Output(SCORE)],
    )
    bundle = si.save_bundle(cache_directory() / "mean_bundle", Mean(), signature=signature)
    options = si.BatchOptions(cache_bytes=0)
    return {
        DIRECT: predicted(spark, bundle, "direct", options),
        JVM: predicted(spark, bundle, "jvm", options),
    }


def list_files(num_rows: int) -> Path:
    """Return a folder with rows of a key and a list of mean length 27."""
    random = np.random.default_rng(0)
    lists = random_lists(log_normal_lengths(num_rows, random), NUM_IDS, random)
    return save_rows(f"lists_{num_rows}", lists, NUM_FILES)
