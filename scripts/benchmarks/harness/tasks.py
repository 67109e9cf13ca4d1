"""How long the tasks of a Spark job took."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from pyspark.sql import SparkSession


def task_seconds(spark: SparkSession, action: Callable[[], object]) -> list[float]:
    """Run an action; return the run time of each task of the stage that took most of the work."""
    context = spark.sparkContext
    group = str(uuid.uuid4())
    context.setJobGroup(group, "task_seconds")
    action()
    scala = context._jsc.sc()
    # What tasks tell reaches the store by a queue.
    scala.listenerBus().waitUntilEmpty()
    tracker = context.statusTracker()
    jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(group)]
    stages = {stage for job in jobs if job is not None for stage in job.stageIds}
    store = scala.statusStore()
    return max((_stage_seconds(store, stage) for stage in stages), key=sum)


def _stage_seconds(store: Any, stage: int) -> list[float]:
    tasks = store.taskList(stage, 0, 2**31 - 1)
    metrics = [tasks.apply(place).taskMetrics() for place in range(tasks.size())]
    return [found.get().executorRunTime() / 1000 for found in metrics if found.isDefined()]
