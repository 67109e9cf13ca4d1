"""Spark configuration for a session that is running already."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from spark_infer.errors import ConfigError
from spark_infer.spark.failures import SPARK_FAILURES

_WAREHOUSE = "spark.sql.warehouse.dir"
_SQL = "spark.sql."
_HADOOP = "spark.hadoop."


def submitted() -> SparkConf:
    """Return the configuration that spark-submit brought: none when it did not start us."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return SparkConf(loadDefaults=False)
    SparkContext._ensure_initialized()
    return SparkConf()


def configure(spark: SparkSession, conf: Mapping[str, str]) -> None:
    """Give a running session a configuration, but for what spark-submit was given.

    Settings of SQL are set. Those that Spark reads when it starts, and Hadoop's, decide which
    tables and files a query finds: they must be as ``conf`` says. The others (memory, cores, jars,
    the master) belong to whoever started the application, and are left as they are.

    Args:
        spark: The session, which is changed.
        conf: Spark configuration.

    Raises:
        ConfigError: A setting can no longer be made.
        PySparkException: Spark refuses a value.
    """
    decided = submitted()
    utility = spark._jvm.org.apache.spark.sql.internal.SQLConf  # type: ignore[union-attr]
    for key, wanted in conf.items():
        if decided.contains(key):
            continue
        if key.startswith(_SQL) and not utility.isStaticConfigKey(key):
            spark.conf.set(key, wanted)
        elif key.startswith((_SQL, _HADOOP)):
            actual = _actual(spark, key)
            if not _is_same(actual, _qualified(spark, wanted) if key == _WAREHOUSE else wanted):
                has = "does not set it" if actual is None else f"has {actual!r}"
                raise ConfigError(
                    f"{key} must be {wanted!r} and can be set only when Spark starts, and the "
                    f"Spark session {has}; start the session with it, or leave it out of spark"
                )


def _actual(spark: SparkSession, key: str) -> str | None:
    if key.startswith(_HADOOP):
        return spark.sparkContext.getConf().get(key)
    try:
        value = spark.conf.get(key)  # Or its default, which get(key, None) would not say.
    except SPARK_FAILURES:
        return None
    return _qualified(spark, value) if value and key == _WAREHOUSE else value


def _is_same(actual: str | None, wanted: str) -> bool:
    words = ("true", "false")
    return actual == wanted or (wanted.lower() in words and str(actual).lower() == wanted.lower())


def _qualified(spark: SparkSession, folder: str) -> str:
    """Return a folder as Spark notes it when it starts: with its file system, and absolute."""
    path = spark._jvm.org.apache.hadoop.fs.Path(folder)  # type: ignore[union-attr]
    system = path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
    return str(system.makeQualified(path).toString())


@contextmanager
def with_setting(spark: SparkSession, key: str, value: str) -> Iterator[None]:
    """Have a setting of a session's own for a while, which others do not use meanwhile."""
    before = spark.conf.get(key, None)
    spark.conf.set(key, value)
    try:
        yield
    finally:
        if before is None:
            spark.conf.unset(key)
        else:
            spark.conf.set(key, before)
