"""When clocks show a time of day next."""

from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import SparkSession

from spark_infer.warehouse.deadline.moment import next_moment

ZONE = "spark.sql.session.timeZone"


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{text}+00:00")


@pytest.mark.parametrize(
    ("zone", "time", "after", "expected"),
    [
        ("UTC", "02:30", "2018-08-08T01:00:00", "2018-08-08T02:30:00"),
        ("UTC", "02:30", "2018-08-08T02:29:59.999999", "2018-08-08T02:30:00"),
        ("UTC", "02:30", "2018-08-08T02:30:00", "2018-08-09T02:30:00"),
        ("UTC", "00:00", "2018-12-31T12:00:00", "2019-01-01T00:00:00"),
        # Another day there than in UTC.
        ("Asia/Tokyo", "02:30", "2018-08-07T16:00:00", "2018-08-07T17:30:00"),
        ("America/New_York", "23:30", "2018-08-08T02:00:00", "2018-08-08T03:30:00"),
        ("+05:45", "02:30", "2018-08-07T20:00:00", "2018-08-07T20:45:00"),
        # Clocks go from 02:00 to 03:00: 02:30 is when it would have been.
        ("Europe/Berlin", "02:30", "2018-03-25T00:30:00", "2018-03-25T01:30:00"),
        # 02:30 is there twice, and counts when it is first.
        ("Europe/Berlin", "02:30", "2018-10-28T00:00:00", "2018-10-28T00:30:00"),
        ("Europe/Berlin", "02:30", "2018-10-28T00:45:00", "2018-10-29T01:30:00"),
        # A day that was left out.
        ("Pacific/Apia", "02:30", "2011-12-29T20:00:00", "2011-12-30T12:30:00"),
    ],
)
def test_it_is_the_next_one(
    spark: SparkSession, zone: str, time: str, after: str, expected: str
) -> None:
    own = spark.newSession()
    own.conf.set(ZONE, zone)
    assert next_moment(own, dt.time.fromisoformat(time), utc(after)) == utc(expected)
