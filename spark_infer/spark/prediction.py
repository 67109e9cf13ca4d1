"""Rows with what a model predicts of them, before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.types as pat
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

Task = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""What runs over the rows of a task."""


@dataclass(frozen=True)
class Prediction:
    """Rows that a function predicts in the workers when they are asked for.

    Attributes:
        rows: Maps the rows by a function that returns rows of a schema, as ``mapInArrow`` does.
        task: What predicts them.
        schema: Of what that returns.
        constants: Columns behind these that are alike in all rows: texts, and points in time.
        num_rows: Rows that the workers read, those that a filter leaves out among them; None where
            Spark reads them, and nobody has counted.
    """

    rows: Callable[[Task, StructType], DataFrame]
    task: Task
    schema: StructType
    constants: tuple[tuple[str, pa.Scalar], ...] = ()
    num_rows: int | None = None

    def with_constants(self, constants: Iterable[tuple[str, pa.Scalar]]) -> Prediction:
        """Return it with more of these columns."""
        return replace(self, constants=(*self.constants, *constants))

    @cached_property
    def df(self) -> DataFrame:
        """The rows as they come back to Spark."""
        predicted = self.rows(self.task, self.schema)
        if not self.constants:
            return predicted
        # Not withColumns, which puts them in the place of columns whose names are much like theirs.
        return predicted.select("*", *(_literal(value).alias(n) for n, value in self.constants))


def _literal(value: pa.Scalar) -> Column:
    if pat.is_timestamp(value.type):
        return F.timestamp_micros(F.lit(value.value))
    return F.lit(value.as_py())
