"""Which attempt of a task has sent a row, so that one that is repeated doubles none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
from pyspark import Accumulator, AccumulatorParam, TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import LongType, StructType

from spark_infer.spark.names import unused
from spark_infer.spark.prediction import Prediction, Task

Counts = dict[int, int]
"""Rows by the attempt that has sent them."""


class _CountsParam(AccumulatorParam[Counts]):
    def zero(self, value: Counts) -> Counts:
        return {}

    def addInPlace(  # noqa: N802 - pyspark calls it so
        self, value1: Counts, value2: Counts
    ) -> Counts:
        for attempt, rows in value2.items():
            value1[attempt] = value1.get(attempt, 0) + rows
        return value1


@dataclass(frozen=True)
class _Marking:
    """Predicts, and says in each row which attempt does."""

    task: Task
    name: str
    counts: Accumulator[Counts]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        assert context is not None
        attempt, rows = int(context.taskAttemptId()), 0
        for batch in self.task(batches):
            rows += batch.num_rows
            marks = pa.repeat(pa.scalar(attempt, pa.int64()), batch.num_rows)
            yield pa.RecordBatch.from_arrays(
                [*batch.columns, marks], names=[*batch.schema.names, self.name]
            )
        self.counts.add({attempt: rows})


@dataclass(frozen=True)
class Attempts:
    """Rows that know their attempts, and what Spark tells of those that count.

    Spark counts one attempt of each task of an action: what others have sent, that failed, were
    repeated or went on although nobody waited for them, is told apart by its number.

    Attributes:
        df: The rows.
        column: The column with the attempt's number.
        counts: Rows by attempt, once the query has run.
    """

    df: DataFrame
    column: str
    counts: Accumulator[Counts]

    @classmethod
    def of(cls, spark: SparkSession, prediction: Prediction) -> Attempts:
        """Return the rows of a prediction."""
        taken = [*prediction.schema.names, *(name for name, _ in prediction.constants)]
        (column,) = unused(taken, 1)
        counts = spark.sparkContext.accumulator({}, _CountsParam())
        marked = replace(
            prediction,
            task=_Marking(prediction.task, column, counts),
            schema=StructType([*prediction.schema.fields]).add(column, LongType(), nullable=False),
        )
        return cls(marked.df, column, counts)
