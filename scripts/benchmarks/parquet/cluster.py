"""Spark with executors of one core each, in a process of its own: a process has one Spark.

An executor is a JVM and a Python worker, which work at once. So that each has one core and not
two, all processes of so many executors, the driver's too, share as many cores of this machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import spark_infer as si
from benchmarks.harness.kept import WriteScores
from benchmarks.harness.local_spark import local_session
from benchmarks.parquet.predicted import predicted_floats

MEMORY_MIB = 2048


@contextmanager
def started(num_executors: str, bundle: str) -> Iterator[WriteScores]:
    """Start Spark with so many executors, and yield what scores by the direct scan.

    Args:
        num_executors: As a program gets it.
        bundle: Its path.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[: int(num_executors)])
    settings = {
        "spark.master": f"local-cluster[{num_executors},1,{MEMORY_MIB}]",
        "spark.executor.memory": f"{MEMORY_MIB}m",
        "spark.driver.memory": "2g",
        # Spark gives it to the executors of a local session alone.
        "spark.executorEnv.PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    with local_session("growth", settings) as spark:
        yield predicted_floats(spark, si.Bundle.load(bundle), "direct")
