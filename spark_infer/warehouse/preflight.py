"""Load the model on an executor before any data is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import SparkSession

from spark_infer.bundle import Bundle, Signature
from spark_infer.engine import BatchOptions, Metrics
from spark_infer.errors import RuntimeUnavailable, SparkInferError
from spark_infer.spark.failures import SPARK_FAILURES, reason
from spark_infer.spark.reference import BundleReference


def check_executor(
    spark: SparkSession, bundle: Bundle, options: BatchOptions, allow_modules: tuple[str, ...]
) -> None:
    """Load the bundle in one task.

    Raises:
        RuntimeUnavailable: An executor cannot load it; the message says what it lacks.
    """
    reference = BundleReference.share(spark, bundle, options, allow_modules)
    one_row = spark.range(1).repartition(1)
    try:
        # Not first(): a task that is cut short loses its worker, and with it the loaded model.
        loads = one_row.mapInArrow(_LoadTask(reference, bundle.signature), "problem string")
        (found,) = loads.collect()
    except SPARK_FAILURES as error:
        raise RuntimeUnavailable(
            f"an executor cannot run this Python code: {reason(error)}; "
            "install spark-infer with its torch extra on the executors, or point PYSPARK_PYTHON "
            "to a Python that has it"
        ) from error
    if found["problem"] is not None:
        raise RuntimeUnavailable(f"an executor cannot load the model: {found['problem']}")


@dataclass(frozen=True)
class _LoadTask:
    reference: BundleReference
    signature: Signature

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            problem = None
            try:
                self.reference.predictor(self.signature, (), Metrics())
            except SparkInferError as error:
                problem = str(error)
            yield pa.RecordBatch.from_pydict({"problem": pa.array([problem], pa.string())})
