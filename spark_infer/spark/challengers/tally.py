"""What the tasks have counted of challengers, each row of a task once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import add

from pyspark import Accumulator, AccumulatorParam, TaskContext
from pyspark.sql import SparkSession

from spark_infer.spark.challengers.disagreement import Disagreement

Found = dict[str, Disagreement]
"""By the challengers' names."""


@dataclass
class Tally:
    """What was counted, by the task that has. A task that is repeated takes its own place.

    Attributes:
        tasks: Of each partition the latest attempt, and what that has found.
    """

    tasks: dict[int, tuple[int, Found]] = field(default_factory=dict)

    @classmethod
    def of_task(cls, found: Found) -> Tally:
        """Return what the task that is running has found."""
        context = TaskContext.get()
        if context is None:
            return cls({0: (0, found)})
        return cls({context.partitionId(): (context.taskAttemptId(), found)})

    def __add__(self, other: Tally) -> Tally:
        tasks = dict(self.tasks)
        for partition, (attempt, found) in other.tasks.items():
            before, known = tasks.get(partition, (attempt, {}))
            if attempt == before:
                tasks[partition] = (attempt, _sum(known, found))
            elif attempt > before:
                tasks[partition] = (attempt, found)
        return Tally(tasks)

    def total(self) -> Found:
        """Return what was found of all rows."""
        return reduce(_sum, (found for _, found in self.tasks.values()), {})


def _sum(one: Found, other: Found) -> Found:
    names = dict.fromkeys([*one, *other])
    return {n: add(one.get(n, Disagreement()), other.get(n, Disagreement())) for n in names}


class _TallyParam(AccumulatorParam[Tally]):
    def zero(self, value: Tally) -> Tally:
        return Tally()

    def addInPlace(self, value1: Tally, value2: Tally) -> Tally:  # noqa: N802 - pyspark's name
        return value1 + value2


def tally_accumulator(spark: SparkSession) -> Accumulator[Tally]:
    """Return an accumulator for the challengers of one query."""
    return spark.sparkContext.accumulator(Tally(), _TallyParam())
