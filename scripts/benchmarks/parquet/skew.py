"""One large file beside many small ones: how evenly the tasks of a scan share the work.

Half of the rows are in one file, a quarter in eight files and a quarter in 64; row groups are cut
at a two-hundredth of the rows, and a task is meant to get some 4 % of the bytes. What counts is
Spark's own run time of the slowest task beside the median of all, where a task's time is its median
over the passes: each pass shares the rows alike, and in each another task is disturbed.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from pyspark.sql import SparkSession

import spark_infer as si
from benchmarks.harness.interleave import rates
from benchmarks.harness.kept import WriteScores
from benchmarks.harness.local_spark import local_session
from benchmarks.harness.machine import describe
from benchmarks.harness.report import Result
from benchmarks.harness.tasks import task_seconds
from benchmarks.parquet.passes import Pass, measure
from benchmarks.parquet.predicted import Scan, floats_bundle, predicted_floats
from benchmarks.workloads.float_files import float_files
from benchmarks.workloads.small_network import NUM_FEATURES

SCANS: tuple[Scan, ...] = ("direct", "jvm")
TASKS_WANTED = 24
SLOWEST = "slowest_to_median"
BARS = {SLOWEST: 1.3}


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark in a local session with two cores."""
    source = skewed_files(num_rows)
    num_bytes = sum(path.stat().st_size for path in source.glob("*.parquet"))
    settings = {
        "spark.sql.files.maxPartitionBytes": str(-(-num_bytes // TASKS_WANTED)),
        "spark.sql.files.openCostInBytes": "0",
    }
    bundle = floats_bundle()
    tasks: dict[Scan, list[list[float]]] = {scan: [] for scan in SCANS}
    with local_session("skew", settings) as spark:
        seconds = measure(
            {
                f"predict, {scan}": Pass(
                    _recorded(spark, bundle, scan, tasks[scan]), source, num_rows
                )
                for scan in SCANS
            },
            repetitions,
        )
    # The first pass warmed up.
    direct, jvm = (tasks[scan][1:] for scan in SCANS)
    return Result(
        benchmark="skew",
        workload=(
            f"{num_rows:,} rows x {NUM_FEATURES} floats in Parquet files of very different sizes; "
            f"{len(direct[0])} tasks of the direct scan, {len(jvm[0])} of the JVM's"
        ),
        rows_per_second=rates(seconds, num_rows),
        seconds=seconds,
        ratios={SLOWEST: slowest_to_median(direct), f"jvm_{SLOWEST}": slowest_to_median(jvm)},
        bars=BARS,
        at_most=[SLOWEST, f"jvm_{SLOWEST}"],
        machine=describe(),
    )


def skewed_files(num_rows: int) -> Path:
    """Return a folder with one large file, eight that are smaller and 64 that are small."""
    medium, small = num_rows // 4 // 8, num_rows // 4 // 64
    large = num_rows - 8 * medium - 64 * small
    # Spark takes files by size; the large one comes neither first nor last by its name.
    file_rows = [*[small] * 32, *[medium] * 4, large, *[medium] * 4, *[small] * 32]
    return float_files(f"skewed_{num_rows}", file_rows, max(num_rows // 200, 1))


def slowest_to_median(passes: list[list[float]]) -> float:
    """Return the time of the slowest task to that of the median task, each its own median."""
    tasks = [statistics.median(times) for times in zip(*passes, strict=True)]
    return max(tasks) / statistics.median(tasks)


def _recorded(
    spark: SparkSession, bundle: si.Bundle, scan: Scan, passes: list[list[float]]
) -> WriteScores:
    write_scores = predicted_floats(spark, bundle, scan)
    return lambda source, target: passes.append(
        task_seconds(spark, lambda: write_scores(source, target))
    )
