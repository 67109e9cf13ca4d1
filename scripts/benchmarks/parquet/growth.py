"""Four times the rows, or twice the executors: what the direct scan makes of them.

The time of a row of a table beside that of one with a quarter of its rows, in files of the same
size, in one session with two cores; and for the largest table one executor with one core beside
two. What a second core of this machine is worth to a loop without Spark stands beside that.
"""

from __future__ import annotations

import statistics
from contextlib import ExitStack

import spark_infer as si
from benchmarks.harness.interleave import rates
from benchmarks.harness.kept import kept
from benchmarks.harness.local_spark import local_session
from benchmarks.harness.machine import describe
from benchmarks.harness.report import Result
from benchmarks.parquet.passes import Pass, measure
from benchmarks.parquet.predicted import floats_bundle, predicted_floats
from benchmarks.workloads.float_files import NUM_FILES, even_files
from benchmarks.workloads.small_network import NUM_FEATURES

FACTOR = 4
GROWTH, FIRST_GROWTH = "row_time_of_4x_rows", "row_time_of_4x_few_rows"
EXECUTORS, THREADS = "two_executors_vs_one", "two_threads_of_a_loop_vs_one"
BARS = {GROWTH: 1.1, EXECUTORS: 1.7}


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark.

    Args:
        num_rows: Of the middle table; the others have a quarter and four times as many, and the
            executors read the largest.
        repetitions: Of each size, and of each number of executors.
    """
    bundle = floats_bundle()
    sizes = num_rows // FACTOR, num_rows, num_rows * FACTOR
    names = [f"{rows:,} rows" for rows in sizes]
    seconds = of_sizes(bundle, dict(zip(names, sizes, strict=True)), num_rows, repetitions)
    executors = on_executors(bundle, sizes[-1], num_rows, repetitions)
    rate = {
        name: rows / statistics.median(seconds[name])
        for name, rows in zip(names, sizes, strict=True)
    }
    few, middle, many = rate.values()
    rate |= rates(executors, sizes[-1])
    return Result(
        benchmark="growth",
        workload=(
            f"{num_rows:,} rows x {NUM_FEATURES} floats, a quarter and four times of it, Parquet "
            "to Parquet by the direct scan, 30-32-16-1 network"
        ),
        rows_per_second=rate,
        seconds=seconds | executors,
        ratios={
            GROWTH: middle / many,
            FIRST_GROWTH: few / middle,
            EXECUTORS: rate["2 executors"] / rate["1 executor"],
            THREADS: rate["loop, 2 threads"] / rate["loop, 1 thread"],
        },
        bars=BARS,
        at_most=[GROWTH, FIRST_GROWTH],
        machine=describe(),
    )


def of_sizes(
    bundle: si.Bundle, sizes: dict[str, int], num_rows: int, repetitions: int
) -> dict[str, list[float]]:
    """Return the seconds of each size, in files as large as those of ``num_rows`` rows."""
    with local_session("growth") as spark:
        write_scores = predicted_floats(spark, bundle, "direct")
        return measure(
            {
                name: Pass(write_scores, even_files(rows, rows * NUM_FILES // num_rows), rows)
                for name, rows in sizes.items()
            },
            repetitions,
        )


def on_executors(
    bundle: si.Bundle, many_rows: int, num_rows: int, repetitions: int
) -> dict[str, list[float]]:
    """Return the seconds of the largest table with one executor and with two, and of loops."""
    source = even_files(many_rows, many_rows * NUM_FILES // num_rows)
    cluster, loop = "benchmarks.parquet.cluster", "benchmarks.peers.with_pyarrow"
    contenders = {
        "1 executor": (cluster, "1", str(bundle.path)),
        "2 executors": (cluster, "2", str(bundle.path)),
        "loop, 1 thread": (loop, "1"),
        "loop, 2 threads": (loop, "2"),
    }
    with ExitStack() as stack:
        return measure(
            {
                name: Pass(stack.enter_context(kept(*contender)), source, many_rows)
                for name, contender in contenders.items()
            },
            repetitions,
        )
