"""What a task has predicted in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.model.deadline import PENDING
from spark_infer.spark.prediction import Task


@dataclass(frozen=True)
class InTime:
    """Predicts, and leaves out what there was no time for.

    In the worker: what counts the rows of a task behind it counts those that come out.
    """

    task: Task

    @property
    def __name__(self) -> str:
        """What Spark's plan calls it."""
        return self.task.__name__

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of batches that were predicted in time."""
        for batch in self.task(batches):
            is_late = pc.equal(batch.column(REASON_COLUMN), PENDING)
            yield batch.filter(pc.invert(pc.fill_null(is_late, False)))
