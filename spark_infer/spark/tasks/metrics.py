"""Metrics that add up across tasks."""

from __future__ import annotations

from pyspark import Accumulator, AccumulatorParam
from pyspark.sql import SparkSession

from spark_infer.metrics import Metrics
from spark_infer.spark.driver.session import check_session


class _MetricsParam(AccumulatorParam[Metrics]):
    def zero(self, value: Metrics) -> Metrics:
        return Metrics()

    def addInPlace(  # noqa: N802 - pyspark calls it so
        self, value1: Metrics, value2: Metrics
    ) -> Metrics:
        return value1 + value2


def metrics_accumulator(spark: SparkSession) -> Accumulator[Metrics]:
    """Return an accumulator for the metrics of one query. A retried task counts again.

    Raises:
        ConfigError: The session is none of this process.
    """
    check_session(spark)
    return spark.sparkContext.accumulator(Metrics(), _MetricsParam())
