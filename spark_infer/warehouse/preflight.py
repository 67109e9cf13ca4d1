"""Load the model on an executor before any data is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import SparkSession

from spark_infer import errors
from spark_infer.bundle import Bundle, Signature
from spark_infer.errors import RuntimeUnavailable, SparkInferError
from spark_infer.metrics import Metrics
from spark_infer.model import BatchOptions
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.reference import BundleReference

_PROBLEM = "kind string, problem string, transient boolean"
_ARROW = pa.schema([("kind", pa.string()), ("problem", pa.string()), ("transient", pa.bool_())])


def check_executor(
    spark: SparkSession, bundle: Bundle, options: BatchOptions, allow_modules: tuple[str, ...]
) -> None:
    """Load the bundle in one task.

    Raises:
        RuntimeUnavailable: An executor lacks a library or the device, or was lost.
        BundleError: The bundle does not load there.
    """
    reference = BundleReference.share(spark, bundle, options, allow_modules)
    one_row = spark.range(1).repartition(1)
    hint = (
        "the executors need spark-infer with its torch extra (PYSPARK_PYTHON names their Python) "
        "and memory for the model"
    )
    with spark_failures("an executor cannot run this Python code", hint, RuntimeUnavailable):
        # Not first(): a task that is cut short loses its worker, and with it the loaded model.
        loads = one_row.mapInArrow(_LoadTask(reference, bundle.signature), _PROBLEM)
        (found,) = loads.collect()
    if found["kind"] is not None:
        kind: type[SparkInferError] = getattr(errors, found["kind"])
        raise kind(
            f"an executor cannot load the model: {found['problem']}", transient=found["transient"]
        )


@dataclass(frozen=True)
class _LoadTask:
    reference: BundleReference
    signature: Signature

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            found: dict[str, object] = {"kind": None, "problem": None, "transient": None}
            try:
                self.reference.predictor(self.signature, (), Metrics())
            except SparkInferError as error:
                found = {
                    "kind": type(error).__name__,
                    "problem": str(error),
                    "transient": error.transient,
                }
            yield pa.RecordBatch.from_pylist([found], _ARROW)
