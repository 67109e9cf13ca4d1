"""Parameters in SQL: the same values in Spark, whatever the zone of a machine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_infer.errors import ConfigError
from spark_infer.spark.failures import spark_failures
from spark_infer.warehouse.config import ParameterConfig

_ZONE = "spark.sql.session.timeZone"

BINDING = {"spark.sql.legacy.parameterSubstitution.constantsOnly": "true"}
"""Settings of the session that binds: parameters in the plan, as Spark did before 4.1.

Since then they become text that is parsed again. That text names the hour that clocks repeat
without its offset, and it depends on ``spark.sql.timestampType`` and on
``spark.sql.parser.escapedStringLiterals``.
"""


def with_session_zone(
    spark: SparkSession, declared: Mapping[str, ParameterConfig], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Attach the session's time zone to each timestamp that was given without an offset.

    After this a datetime with an offset is a timestamp, and one without is a timestamp_ntz.

    Raises:
        ConfigError: The session's zone is unknown, its clocks skip or repeat the time, or another
            setting of the session is wrong.
    """
    rules = _rules(spark)
    return {
        name: _in_session_zone(spark, rules, name, value)
        if declared[name].type == "timestamp" and value.utcoffset() is None
        else value
        for name, value in values.items()
    }


def sql_with(spark: SparkSession, query: str, values: Mapping[str, Any]) -> DataFrame:
    """Return a query with its ``:name`` parameters bound, as literals of Spark's own making.

    Args:
        spark: A session with the settings ``BINDING``.
        query: SQL text.
        values: What ``with_session_zone`` returned.
    """
    return spark.sql(query, args={name: _literal(value) for name, value in values.items()})


def _literal(value: Any) -> Column:
    """Return a literal that was not read in the zone of this machine, of its JVM or of a session.

    The bridge to the JVM would take dates and times apart in the machine's zone, in which some of
    them do not exist.
    """
    if isinstance(value, dt.datetime):
        if value.utcoffset() is None:
            return F.expr(f"TIMESTAMP_NTZ'{value.replace(tzinfo=None).isoformat(' ')}'")
        utc = value.astimezone(dt.timezone.utc).replace(tzinfo=None)
        return F.expr(f"TIMESTAMP_LTZ'{utc.isoformat(' ')}Z'")
    if isinstance(value, dt.date):
        return F.expr(f"DATE'{value.isoformat()}'")
    return F.lit(value)


def _in_session_zone(
    spark: SparkSession, rules: Any, name: str, moment: dt.datetime
) -> dt.datetime:
    offsets = [
        dt.timezone(dt.timedelta(seconds=offset.getTotalSeconds()))
        for offset in rules.getValidOffsets(_local(spark, moment))
    ]
    if len(offsets) == 1:
        return moment.replace(tzinfo=offsets[0], fold=0)
    zone = spark.conf.get(_ZONE)
    problem = "does not exist" if not offsets else "is there twice"
    examples = " or ".join(moment.replace(tzinfo=offset).isoformat() for offset in offsets)
    raise ConfigError(
        f"parameter {name!r}: {moment.isoformat(' ')} {problem} in the session's time zone {zone}, "
        f"whose clocks change then; give it with an offset, such as {examples or 'Z for UTC'}"
    )


def _rules(spark: SparkSession) -> Any:
    """Return the session zone's rules, as Spark reads the zone."""
    # The first look at the session's configuration finds any setting of a wrong type.
    with spark_failures("Spark's configuration is wrong", kind=ConfigError):
        zone = spark.conf.get(_ZONE)
        utils = _jvm(spark).org.apache.spark.sql.catalyst.util.DateTimeUtils
        return utils.getZoneId(zone).getRules()


def _local(spark: SparkSession, moment: dt.datetime) -> Any:
    return _jvm(spark).java.time.LocalDateTime.parse(moment.replace(tzinfo=None).isoformat())


def _jvm(spark: SparkSession) -> Any:
    return spark.sparkContext._jvm
