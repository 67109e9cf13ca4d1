"""Formats whose names, texts or times would come back as others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from spark_infer.errors import ConfigError, WarehouseError

pytestmark = pytest.mark.one_spark

APPEND = {"partition_by": [], "keep": [], "mode": "append"}


@pytest.fixture
def zone(spark: SparkSession) -> Iterator[Any]:
    zones: Any = spark.sparkContext._jvm.java.util.TimeZone
    before = zones.getDefault()

    def set_zone(name: str) -> None:
        zones.setDefault(zones.getTimeZone(name))

    yield set_zone
    zones.setDefault(before)


def source(job: Any, columns: str) -> None:
    job.spark.sql("DROP TABLE store.tx")
    job.spark.sql(f"CREATE TABLE store.tx USING parquet AS SELECT {columns} FROM range(3)")


def run(job: Any, format_name: str, key: str, *keep: str) -> int:
    target = APPEND | {"format": format_name, "keep": list(keep)}
    report = job.run(key=[key], target=target, source={"table": "store.tx"}, features={"b": "0"})
    return int(report.rows_out)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("key", "keep"),
    [
        ("id AS `k``x`", []),
        ("id AS k, id AS `w``x`", ["w`x"]),
        ("id AS k, named_struct('f`g', id) AS w", ["w"]),
        ("id AS k, array(named_struct('f`g', id)) AS w", ["w"]),
        ("id AS k, map(1, named_struct('f`g', id)) AS w", ["w"]),
    ],
)
@pytest.mark.parametrize("is_there", [False, True])
def test_orc_loses_names_with_backticks(
    job: Any, key: str, keep: list[str], is_there: bool
) -> None:
    source(job, f"{key}, 1.0D AS a")
    name = "k`x" if "k``x" in key else "k"
    if is_there:
        run(job, "parquet", name, *keep)
        rows = job.spark.table("store.scores").limit(0).collect()
        schema = job.spark.table("store.scores").schema
        job.spark.sql("DROP TABLE store.scores")
        job.spark.createDataFrame(rows, schema).write.format("orc").saveAsTable("store.scores")
    with pytest.raises(WarehouseError, match="whose name has a backtick; rename it"):
        run(job, "orc", name, *keep)
    if not is_there:
        assert run(job, "parquet", name, *keep) == 3
        assert run(job, "parquet", name, *keep) == 0


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("zone_name", ["UTC", "Etc/UTC", "GMT", "Z"])
def test_orc_keeps_times_where_all_clocks_show_utc(job: Any, zone: Any, zone_name: str) -> None:
    zone(zone_name)
    source(job, "timestamp_seconds(id) AS t, 1.0D AS a")
    assert run(job, "orc", "t") == 3
    assert run(job, "orc", "t") == 0


@pytest.mark.nightly
@pytest.mark.parametrize("zone_name", ["Europe/Berlin", "Europe/London", "GMT+1"])
def test_orc_keeps_no_times_elsewhere(job: Any, zone: Any, zone_name: str) -> None:
    source(job, "timestamp_seconds(id) AS t, 1.0D AS a")
    zone(zone_name)
    with pytest.raises(WarehouseError, match=r"Spark runs in zone .*start Spark with -Duser.time"):
        run(job, "orc", "t")
    assert run(job, "parquet", "t") == 3
    zone("UTC")
    assert run(job, "parquet", "t") == 0


@pytest.mark.parametrize("kept", ["w", "named_struct('f', w)", "array(w)", "map(1, w)"])
def test_only_parquet_is_known_to_hold_collated_text(job: Any, kept: str) -> None:
    if int(job.spark.version.partition(".")[0]) < 4:
        pytest.skip("Spark 3 has no collations")
    text = "string(id) COLLATE UTF8_LCASE"
    source(job, f"id AS k, {kept.replace('w', text)} AS w, 1.0D AS a")
    with pytest.raises(WarehouseError, match="which is string collate UTF8_LCASE; cast it"):
        run(job, "orc", "k", "w")


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    "key",
    [
        "named_struct('t', timestamp_micros(id)) AS k",
        "array(timestamp_micros(id)) AS k",
        "named_struct('s', array(named_struct('t', timestamp_micros(id)))) AS k",
    ],
)
def test_times_within_a_key_are_cut_as_those_of_their_own(job: Any, key: str) -> None:
    source(job, f"{key}, 1.0D AS a")
    cut = {"spark.sql.parquet.outputTimestampType": "TIMESTAMP_MILLIS"}
    target = APPEND | {"format": "parquet"}
    settings = {"source": {"table": "store.tx"}, "features": {"b": "0"}, "key": ["k"]}
    with pytest.raises(ConfigError, match="'k' is or holds a timestamp"):
        job.run(target=target, spark=cut, **settings)
    assert job.run(target=target, **settings).rows_out == 3
    assert job.run(target=target, **settings).rows_out == 0


def test_a_blank_at_the_end_of_a_partitions_value_is_refused(job: Any) -> None:
    source(job, "id AS k, IF(id = 0, 'a', 'a ') AS p, 1.0D AS a")
    target = {"partition_by": ["p"], "keep": ["p"], "mode": "append"}
    with pytest.raises(WarehouseError, match=r"p='a ' ends in a blank"):
        job.run(target=target, source={"table": "store.tx"}, features={"b": "0"}, key=["k"])
    assert not job.spark.catalog.tableExists("store.scores")


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        (
            "named_struct('c', string(id))",
            "STRUCT<c: CHAR(4)>",
            "struct<c:char(4)>, not struct<c:s",
        ),
        ("array(string(id))", "ARRAY<CHAR(4)>", r"array<char(4)>, not array<string>"),
        ("named_struct('c', string(id))", "STRUCT<c: VARCHAR(4)>", None),
    ],
)
def test_a_char_inside_a_column_is_no_string(
    job: Any, value: str, kind: str, problem: str | None
) -> None:
    target = {"mode": "append", "partition_by": [], "keep": ["k"]}
    job.spark.sql(
        f"CREATE TABLE store.scores (id INT, k {kind}, score FLOAT, rejected_reason STRING, "
        "bundle_name STRING, bundle_digest STRING, run_id STRING, scored_at TIMESTAMP) "
        "USING parquet"
    )
    if problem is None:
        assert job.run(target=target, features={"k": value}).rows_out == 2
        return
    with pytest.raises(WarehouseError, match=re.escape(problem)):
        job.run(target=target, features={"k": value})
    assert job.scores() == []
