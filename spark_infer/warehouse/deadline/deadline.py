"""The deadline of a run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pyspark import Accumulator
from pyspark.sql import SparkSession

from spark_infer.model import BatchOptions
from spark_infer.model.deadline import PENDING
from spark_infer.spark.features import Featured
from spark_infer.spark.prediction import Prediction
from spark_infer.spark.tasks.tally import Tally, tally_accumulator
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.config.deadline import time_of_day
from spark_infer.warehouse.deadline.in_time import InTime
from spark_infer.warehouse.deadline.moment import next_moment
from spark_infer.warehouse.deadline.order import ordered
from spark_infer.warehouse.rows.pending import told_apart
from spark_infer.warehouse.rows.staged import Staged


@dataclass(frozen=True)
class Deadline:
    """When the workers of a run stop to ask the model.

    The moment is handed to them in UTC, and each compares it with the clock of its own machine.

    Attributes:
        config: The job file, which says one.
        until: The moment, in UTC.
        tally: What the tasks have counted.
    """

    config: JobConfig
    until: dt.datetime
    tally: Accumulator[Tally[int]]

    @classmethod
    def of(cls, config: JobConfig, spark: SparkSession, started_at: dt.datetime) -> Deadline | None:
        """Return the deadline of a run; None where the job has none.

        Raises:
            ConfigError: The session's time zone is unknown.
        """
        if config.deadline is None:
            return None
        until = next_moment(spark, time_of_day(config.deadline), started_at)
        return cls(config, until, tally_accumulator(spark))

    @property
    def text(self) -> str:
        """The moment, as a report has it."""
        return self.until.isoformat(timespec="seconds")

    def options(self, options: BatchOptions) -> BatchOptions:
        """Return the options of a prediction, with an end."""
        return replace(options, until=self.until.timestamp())

    def ordered(self, rows: Featured, values: Mapping[str, Any]) -> Featured:
        """Return the rows in the order in which they are to be predicted.

        Raises:
            ConfigError: An expression does not fit them.
        """
        by = self.config.order_by
        return replace(rows, df=ordered(rows.df, by, values)) if by else rows

    def left_out(self, prediction: Prediction) -> Prediction:
        """Return what is predicted; of an append without pending rows, which the next run adds."""
        if self.config.target.mode != "append":
            return prediction
        return replace(prediction, task=InTime(prediction.task))

    def counted(self, staged: Staged) -> Staged:
        """Return what is staged, with the rows that wait for the next run told apart."""
        if self.config.target.mode == "append":
            return replace(staged, left_out=self.tally.value.total().get(PENDING, 0))
        return told_apart(staged)
