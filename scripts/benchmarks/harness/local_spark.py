"""A local Spark session with two cores, and queries that end in Spark's noop sink."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from benchmarks.harness.machine import NUM_CORES
from spark_infer.bundle.cache.directory import CACHE_VARIABLE
from spark_infer.spark import session


@contextmanager
def local_session(benchmark: str, conf: Mapping[str, str] | None = None) -> Iterator[SparkSession]:
    """Start a session in which each task has one core and this package is on the workers' path.

    A worker that imports a contender's module keeps its loaded model from query to query, as one
    that imports spark_infer does. Bundles are unpacked into a directory that goes at the end.
    """
    with tempfile.TemporaryDirectory() as unpacked:
        settings = {
            "spark.master": f"local[{NUM_CORES}]",
            "spark.driver.memory": "4g",
            "spark.executorEnv.PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            f"spark.executorEnv.{CACHE_VARIABLE}": unpacked,
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "ERROR",
            "spark.sql.catalogImplementation": "in-memory",
            **(conf or {}),
        }
        spark = session(f"spark_infer bench {benchmark}", settings)
        try:
            yield spark
        finally:
            spark.stop()


def noop(query: Callable[[], DataFrame]) -> Callable[[], None]:
    """Return a function that runs a query to its end and drops the rows."""
    return lambda: query().write.format("noop").mode("overwrite").save()
