"""Predictions whose rows have left the source do not stay."""

from __future__ import annotations

from typing import Any

import pytest

from spark_infer.errors import ConfigError, WarehouseError

pytestmark = pytest.mark.one_spark

REGIONS = {"keep": ["day", "region"], "partition_by": ["day", "region"]}


def test_a_day_that_has_left_the_source_is_emptied(job: Any) -> None:
    job.run()
    job.run({"date": "2018-08-09"})
    job.transactions("3 2018-08-09")
    assert job.run().rows_out == 0
    assert job.scores() == [(3, 3.0)]
    job.transactions("4 2018-08-08", "3 2018-08-09")
    job.run()
    assert job.scores() == [(3, 3.0), (4, 4.0)]


@pytest.mark.nightly
def test_a_region_that_has_left_a_day_is_emptied(job: Any) -> None:
    job.transactions("1 2018-08-08 EU", "2 2018-08-08 US", "3 2018-08-09 US")
    job.run(target=REGIONS)
    job.run({"date": "2018-08-09"}, target=REGIONS)
    job.transactions("1 2018-08-08 EU")
    job.run(target=REGIONS)
    assert job.scores() == [(1, 1.0), (3, 3.0)]


def test_a_partition_of_which_the_run_is_about_a_part_is_not_emptied(job: Any) -> None:
    target = {"keep": ["day", "region"]}
    job.transactions("1 2018-08-08 EU", "2 2018-08-08 US")
    job.run(target=target)
    job.transactions("3 2018-08-09 US")
    source = {"table": "store.tx", "filter": "day = :date AND region = 'EU'"}
    with pytest.raises(WarehouseError, match="do not meet \"region = 'EU'\""):
        job.run(source=source, target=target)
    assert job.scores() == [(1, 1.0), (2, 2.0)]


@pytest.mark.nightly
def test_a_table_that_is_written_by_sql_keeps_the_stale_rows_and_says_so(job: Any) -> None:
    job.run()
    columns = job.spark.table("store.scores").schema
    job.spark.sql("DROP TABLE store.scores")
    described = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in columns)
    job.spark.sql(
        f"CREATE TABLE store.scores ({described}) USING parquet PARTITIONED BY (day) "
        "CLUSTERED BY (id) INTO 2 BUCKETS"
    )
    job.run()
    job.transactions("3 2018-08-09")
    with pytest.raises(WarehouseError, match=r"no rows any more for day='2018-08-08' .*DROP PART"):
        job.run()
    assert job.scores() == [(1, 1.0), (2, 2.0)]


@pytest.mark.nightly
def test_other_partitions_are_not_asked_for(job: Any) -> None:
    job.run()
    job.transactions("3 2018-08-09")
    job.run({"date": "2018-08-09"})
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_a_day_that_never_had_rows_is_done(job: Any) -> None:
    job.run()
    report = job.run({"date": "2030-01-01"})
    assert (report.rows_in, report.rows_out) == (0, 0)
    assert job.scores() == [(1, 1.0), (2, 2.0)]


def test_rows_narrows_what_is_asked_for(job: Any) -> None:
    job.run()
    job.transactions("3 2018-08-09")
    # The features look back; only the last day is scored.
    source = {"table": "store.tx", "filter": "day <= :date"}
    job.run({"date": "2018-08-09"}, source=source, rows="day = :date")
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]


@pytest.mark.nightly
def test_all_days_that_the_filter_is_about_are_emptied(job: Any) -> None:
    job.run()
    job.run({"date": "2018-08-09"})
    job.transactions("3 2018-08-09")
    source = {"table": "store.tx", "filter": "day <= :date"}
    job.run({"date": "2018-08-09"}, source=source)
    assert job.scores() == [(3, 3.0)]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    "condition",
    [
        "a < 3",  # the target has no such column
        "id < 3",  # names no partition column
        "day = :date AND b = 0",
        "day = :date AND rand(7) < 2",
    ],
)
def test_a_condition_that_cannot_tell_refuses_only_no_rows(job: Any, condition: str) -> None:
    source = {"table": "store.tx", "filter": condition}
    job.run()
    job.transactions("1 2018-08-08")
    job.run(source=source)
    job.transactions()
    with pytest.raises(WarehouseError, match="do not tell which of its partitions"):
        job.run(source=source)


def test_without_a_condition_the_source_says_what_is_covered(job: Any) -> None:
    source = {"table": "store.tx"}
    job.run(source=source)
    job.transactions("4 2018-08-10")
    job.run(source=source)
    assert [row[0] for row in job.scores()] == [1, 2, 3, 4]


def test_a_feature_in_place_of_a_column_is_not_what_the_filter_means(job: Any) -> None:
    # In the source day is a date; in the target it is the first of its month.
    features = {"day": "date(date_trunc('month', day))"}
    job.run(features=features)
    job.run({"date": "2018-08-09"}, features=features, key=["id"])
    assert job.scores() == [(3, 3.0)]


@pytest.mark.nightly
def test_append_adds_and_never_refuses(job: Any) -> None:
    target = {"mode": "append"}
    job.run(target=target)
    job.transactions("3 2018-08-09")
    assert job.run(target=target).rows_out == 0
    assert job.scores() == [(1, 1.0), (2, 2.0)]


OF_DAY = {"source": {"table": "store.tx", "filter": "a < 100 AND day = :date"}}
PARTITIONS = {"partitions": "day = :date"}


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("settings", [{}, {"date": "2018-08-09"}])
def test_partitions_say_what_the_run_is_about(job: Any, settings: dict[str, str]) -> None:
    job.run(source={"table": "store.tx"})
    job.transactions()
    with pytest.raises(WarehouseError, match="do not tell which of its partitions"):
        job.run(settings, **OF_DAY)
    job.run(settings, **OF_DAY, target=PARTITIONS)
    assert job.scores() == ([(1, 1.0), (2, 2.0)] if settings else [(3, 3.0)])


def test_rows_outside_of_partitions_stop_the_run(job: Any) -> None:
    with pytest.raises(
        WarehouseError,
        match=r"rows of day='2018-08-09' do not meet target.partitions \(day = :date\)",
    ):
        job.run(source={"table": "store.tx"}, target=PARTITIONS)
    assert not job.spark.catalog.tableExists("store.scores")
    nothing = {"partitions": "day = :date AND NULL"}
    with pytest.raises(WarehouseError, match=r"rows of day='2018-08-08' do not meet"):
        job.run(target=nothing)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"partitions": "id = 1"}, r"target.partitions \(id = 1\).*id"),
        ({"partitions": "day = :dat"}, r"target.partitions \(day = :dat\).*parameters: :date"),
        ({"partitions": "day = :date LIMIT 1"}, r"target.partitions"),
        ({"mode": "append", "partitions": "day = :date"}, "belongs to mode overwrite"),
    ],
)
def test_partitions_that_cannot_tell_are_refused_before_a_row_is_read(
    job: Any, target: dict[str, Any], message: str
) -> None:
    broken = {"table": "store.tx", "filter": "raise_error('read') IS NULL"}
    with pytest.raises(ConfigError, match=message):
        job.run(source=broken, target=target)
