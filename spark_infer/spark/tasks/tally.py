"""What tasks have counted, each row of a query once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any, Generic, TypeVar

from pyspark import Accumulator, AccumulatorParam, TaskContext
from pyspark.sql import SparkSession

T = TypeVar("T")
"""What adds up."""


@dataclass
class Tally(Generic[T]):
    """What was counted, by name and by the task that has. One that is repeated takes its own place.

    Attributes:
        tasks: Of each partition the latest attempt, and what that has counted.
    """

    tasks: dict[int, tuple[int, Mapping[str, T]]] = field(default_factory=dict)

    @classmethod
    def of_task(cls, found: Mapping[str, T]) -> Tally[T]:
        """Return what the task that is running has counted."""
        context = TaskContext.get()
        if context is None:
            return cls({0: (0, found)})
        return cls({context.partitionId(): (context.taskAttemptId(), found)})

    def __add__(self, other: Tally[T]) -> Tally[T]:
        tasks = dict(self.tasks)
        for partition, (attempt, found) in other.tasks.items():
            before, known = tasks.get(partition, (attempt, {}))
            if attempt == before:
                tasks[partition] = (attempt, _sum(known, found))
            elif attempt > before:
                tasks[partition] = (attempt, found)
        return Tally(tasks)

    def total(self) -> Mapping[str, T]:
        """Return what was counted of all rows."""
        return reduce(_sum, (found for _, found in self.tasks.values()), {})


def _sum(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    both = {name: add(one[name], other[name]) for name in one.keys() & other.keys()}
    return {**one, **other, **both}


class _TallyParam(AccumulatorParam[Tally[Any]]):
    def zero(self, value: Tally[Any]) -> Tally[Any]:
        return Tally()

    def addInPlace(  # noqa: N802 - pyspark calls it so
        self, value1: Tally[Any], value2: Tally[Any]
    ) -> Tally[Any]:
        return value1 + value2


def tally_accumulator(spark: SparkSession) -> Accumulator[Tally[Any]]:
    """Return an accumulator for one query."""
    return spark.sparkContext.accumulator(Tally(), _TallyParam())
