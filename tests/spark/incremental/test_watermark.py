"""Rows that have come since the target was written are read, by a column that grows."""

from __future__ import annotations

from typing import Any

import pytest

from spark_infer.errors import ConfigError, WarehouseError

pytestmark = pytest.mark.one_spark
APPEND = {"mode": "append", "partition_by": [], "keep": ["day", "region"]}


def appends(column: str = "day", lateness: str | None = None, **changes: Any) -> dict[str, Any]:
    late = {} if lateness is None else {"lateness": lateness}
    incremental = {"by": "watermark", "column": column, **late}
    return {"target": APPEND, "incremental": incremental, **changes}


def test_rows_below_it_are_not_read(job: Any) -> None:
    assert job.counts(**appends()) == (3, None, 0, 3)
    job.transactions("3 3 0 9 EU", "4 4 0 8 EU", "5 5 0 9 EU", "6 6 0 10 EU")
    # Not rows 4, which is late, and 5, which is as high as the highest.
    assert job.counts(**appends()) == (1, None, 0, 1)
    assert [row[0] for row in job.rows()] == [1, 2, 3, 6]
    assert job.counts(**appends()) == (0, None, 0, 0)


def test_rows_may_be_late_and_none_is_doubled(job: Any) -> None:
    job.run(**appends(lateness="1 day"))
    job.transactions("3 3 0 9 EU", "4 4 0 8 EU", "5 5 0 9 EU", "6 6 0 10 EU")
    assert job.counts(**appends(lateness="1 day"))[0] == 2
    assert [row[0] for row in job.rows()] == [1, 2, 3, 5, 6]


@pytest.mark.nightly
def test_a_row_without_a_value_is_read_each_time(job: Any) -> None:
    changes = appends("ts", features={"ts": "if(id = 2, NULL, b)"})
    changes["target"] = APPEND | {"keep": ["ts"]}
    job.transactions("1 1 5 8 EU")
    job.run(**changes)
    job.transactions("1 1 5 8 EU", "2 2 0 8 EU", "3 3 4 8 EU")
    for added in (1, 0):
        assert job.counts(**changes)[0] == added
    assert [row[0] for row in job.rows("id, ts")] == [1, 2]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    "expression", ["day", "cast(day AS TIMESTAMP)", "cast(day AS TIMESTAMP_NTZ)"]
)
def test_a_value_in_the_future_does_not_hide_what_comes_until_then(
    job: Any, expression: str
) -> None:
    late = f"if(id = 2, {expression.replace('day', 'make_date(9000, 1, 1)', 1)}, {expression})"
    changes = appends("ts", features={"ts": late})
    changes["target"] = APPEND | {"keep": ["ts"]}
    job.run(**changes)
    job.transactions("4 4 0 10 EU", "5 5 0 8 EU")
    assert job.counts(**changes)[0] == 1
    assert [row[0] for row in job.rows("id, ts")] == [1, 2, 3, 4]


@pytest.mark.nightly
def test_timestamps_count_to_the_microsecond_whatever_the_zone(job: Any) -> None:
    ts = "timestamp_micros(1533686400000000 + b)"
    changes = appends("ts", "1 second", features={"ts": ts})
    changes["target"] = APPEND | {"keep": ["ts"]}
    job.transactions("1 1 5000000 8 EU")
    job.run(**changes)
    job.transactions("2 2 4000000 8 EU", "3 3 4000001 8 EU")
    job.spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    try:
        assert job.counts(**changes)[0] == 1
    finally:
        job.spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert [row[0] for row in job.rows("id, ts")] == [1, 3]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    ("first", "lateness"),
    [
        ("date'0001-01-02'", "2 days"),
        ("timestamp_ntz'0001-01-02 00:00:00.000001'", "2 days"),
        ("timestamp_ntz'-0005-01-02 00:00:00'", None),
        ("timestamp_micros(-9223372036854775808)", "1 second"),
    ],
)
def test_times_that_python_does_not_have(job: Any, first: str, lateness: str | None) -> None:
    changes = appends("ts", lateness, features={"ts": f"if(id < 4, {first}, date'2018-08-08')"})
    changes["target"] = APPEND | {"keep": ["ts"]}
    job.run(**changes)
    job.transactions("3 3 0 8 EU", "4 4 0 8 EU")
    assert job.counts(**changes)[0] == 1
    assert [row[0] for row in job.rows("id, score")] == [1, 2, 3, 4]


@pytest.mark.nightly
def test_windows_see_the_rows_below_it(job: Any) -> None:
    features = {"a": "sum(a) OVER (PARTITION BY region)"}
    job.run(**appends(features=features))
    job.transactions("1 1 0 8 EU", "2 2 0 8 EU", "3 3 0 9 EU", "4 4 0 10 EU")
    job.run(**appends(features=features))
    assert job.rows()[3] == (4, 10, 10.0)


@pytest.mark.nightly
def test_only_rows_that_the_run_is_about_tell_how_far_it_has_come(job: Any) -> None:
    job.transactions("1 1 0 20 EU", "2 2 0 8 US")
    job.run(**appends())
    job.transactions("3 3 0 9 US")
    changes = appends(source={"table": "store.tx", "filter": "region = 'US'"})
    assert job.counts(**changes)[0] == 1


def test_conditions_that_the_target_cannot_tell_are_refused(job: Any) -> None:
    job.run(**appends())
    with pytest.raises(WarehouseError, match=r"incremental\.by: watermark: source\.filter and"):
        job.run(**appends(rows="a > 0"))


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(
    ("column", "lateness", "message"),
    [
        ("day", "2 hours", "is a date, of which it must be whole days, got '2 hours'"),
        ("day", "2", "a number with its unit, such as 2 hours, got '2'"),
        ("id", "2 days", "is int, of which it must be a number alone, got '2 days'"),
        ("region", None, "'region' is string; a watermark is a timestamp"),
    ],
)
def test_columns_and_lateness_that_do_not_fit_are_refused(
    job: Any, column: str, lateness: str | None, message: str
) -> None:
    job.run(**appends())
    with pytest.raises(ConfigError, match=message):
        job.run(**appends(column, lateness))
