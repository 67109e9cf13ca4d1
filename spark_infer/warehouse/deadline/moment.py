"""The next moment at which clocks show a time of day."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pyspark.sql import SparkSession

from spark_infer.errors import ConfigError
from spark_infer.spark.failures import spark_failures

_ZONE = "spark.sql.session.timeZone"


def next_moment(spark: SparkSession, time: dt.time, after: dt.datetime) -> dt.datetime:
    """Return when a session's clocks show a time of day next, in UTC.

    A time that clocks skip is when it would have been by the clock before they were set (02:30 is
    03:30 by the new one); one that they show twice counts when it is shown first.

    Args:
        spark: The session, in whose time zone the time is.
        time: Hours and minutes.
        after: A moment; the other is later.

    Raises:
        ConfigError: The session's time zone is unknown.
    """
    jvm: Any = spark.sparkContext._jvm
    start = round(after.timestamp() * 1_000_000)
    with spark_failures("Spark's configuration is wrong", kind=ConfigError):
        utils = jvm.org.apache.spark.sql.catalyst.util.DateTimeUtils
        zone = utils.getZoneId(spark.conf.get(_ZONE))
        day = jvm.java.time.Instant.ofEpochSecond(start // 1_000_000).atZone(zone).toLocalDate()
        while True:
            # Java takes the earlier offset of two, and goes on by the gap where there is none.
            moment = day.atTime(time.hour, time.minute).atZone(zone).toInstant().getEpochSecond()
            if moment * 1_000_000 > start:
                return dt.datetime.fromtimestamp(moment, dt.timezone.utc)
            day = day.plusDays(1)
