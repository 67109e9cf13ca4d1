"""What Spark raises, as an error of ours with one sentence."""

from __future__ import annotations

from spark_infer.spark.failures.boundary import SPARK_FAILURES, explained, spark_failures
from spark_infer.spark.failures.query_log import silent
from spark_infer.spark.failures.task import task_failures

__all__ = ["SPARK_FAILURES", "explained", "silent", "spark_failures", "task_failures"]
