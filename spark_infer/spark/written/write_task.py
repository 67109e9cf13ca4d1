"""What a task does with rows that are written where it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType

from spark_infer.spark.failures import task_failures
from spark_infer.spark.names import unused
from spark_infer.spark.prediction import Task
from spark_infer.spark.written.files import Files
from spark_infer.spark.written.layout import Layout

NUM_OWN = 4
"""Columns about a file, before those of its partition."""


def written_schema(partition: Sequence[StructField]) -> StructType:
    """Return the schema of what a ``WriteTask`` returns, a row for each file.

    These are the file's name, the number of its rows, how many of them have no prediction, the
    ranges of the task's keys (see ``Runs``; null where they are not known, and those of all of the
    task's files with the first), and the values of the partition that the rows are in.
    """
    file, rows, rejected, runs = unused([field.name for field in partition], NUM_OWN)
    own = [
        StructField(file, StringType(), False),
        StructField(rows, LongType(), False),
        StructField(rejected, LongType(), False),
        StructField(runs, ArrayType(LongType(), False)),
    ]
    return StructType([*own, *partition])


@dataclass(frozen=True)
class WriteTask:
    """Writes what another task returns into files, and returns a row for each.

    The files of a task that fails are removed. Those of one that nobody waits for any more stay,
    and no row tells of them: only files that a row tells of count.

    Attributes:
        task: What computes the rows.
        layout: How they lie in files.
        schema: Of what is returned, see ``written_schema``.
    """

    task: Task
    layout: Layout
    schema: pa.Schema

    @property
    def __name__(self) -> str:
        """What Spark's plan calls it."""
        return self.task.__name__

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return the rows about the files of some record batches."""
        context = TaskContext.get()
        assert context is not None
        # A task can run more than once, also at the same time.
        name = f"part-{context.partitionId():05d}-{context.taskAttemptId()}"
        with task_failures(), Files(self.layout, name) as files:
            for batch in self.task(batches):
                files.add(batch)
            written = files.close()
        arrays = [
            pa.array([row[at] for row in written], field.type)
            for at, field in enumerate(self.schema)
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)
