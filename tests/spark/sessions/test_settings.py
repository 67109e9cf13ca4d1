"""A job file's ``spark:`` section in a session that is running already."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pyspark import SparkConf
from pyspark.sql import SparkSession

import spark_infer as si
from spark_infer.errors import ConfigError
from spark_infer.spark.driver import settings
from spark_infer.spark.driver.session import own_session

ZONE = "spark.sql.session.timeZone"


def test_a_job_runs_with_its_zone_and_the_users_session_keeps_its_own(
    spark: SparkSession, tmp_path: Path, linear: si.Bundle
) -> None:
    rows = "SELECT id, 1D AS a, 1 AS b, timestamp_seconds(1533686400 + id * 3600) AS ts"
    spark.sql(f"{rows} FROM range(24)").write.parquet(str(tmp_path / "rows"))
    spark.sql("CREATE DATABASE zoned")
    job = {
        "name": "zoned",
        "parameters": {"t": {"type": "timestamp"}},
        "source": {"path": str(tmp_path / "rows"), "filter": "ts >= :t"},
        "key": ["id"],
        "bundle": {"path": str(linear.path)},
        "target": {"table": "zoned.scores", "mode": "append"},
        "report": {"path": str(tmp_path / "reports")},
        "spark": {ZONE: "Europe/Berlin", "spark.master": "local[7]"},
    }
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(job))
    try:
        report = si.ScoringJob.load(file, t="2018-08-08T05:00:00").run(spark)
        # Five o'clock in Berlin is three o'clock in UTC.
        assert report.rows_out == 21
        assert spark.conf.get(ZONE) == "UTC"
        job["spark"] = {"spark.sql.extensions": "a.B"}
        file.write_text(yaml.safe_dump(job))
        with pytest.raises(
            ConfigError, match=r"^spark.sql.extensions must be 'a.B' and can be set"
        ):
            si.ScoringJob.load(file, t="2018-08-08T05:00:00").run(spark)
    finally:
        spark.sql("DROP DATABASE zoned CASCADE")


def test_settings_of_sql_are_set_and_those_of_the_launch_left(spark: SparkSession) -> None:
    wished = {
        ZONE: "Asia/Tokyo",
        "spark.sql.shuffle.partitions": "3",
        "spark.sql.catalog.other": "org.example.Other",
        "spark.master": "yarn",
        "spark.driver.memory": "64g",
        "spark.executor.cores": "9",
        "spark.jars": "a.jar",
        "spark.task.cpus": "4",
        "spark.ui.enabled": "true",
    }
    own = own_session(spark, {}, wished)
    for key, value in list(wished.items())[:3]:
        assert (own.conf.get(key), spark.conf.get(key, "")) != (value, value)
        assert own.conf.get(key) == value
    assert spark.sparkContext.master == "local[2]"


@pytest.mark.parametrize(
    ("key", "wanted", "has"),
    [
        ("spark.sql.extensions", "a.B", "does not set it"),
        ("spark.sql.catalogImplementation", "hive", "has 'in-memory'"),
        ("spark.sql.warehouse.dir", "/elsewhere", "has 'file:/"),
        ("spark.hadoop.fs.s3a.endpoint", "x", "does not set it"),
    ],
)
def test_what_only_a_start_can_set_must_be_so(
    spark: SparkSession, key: str, wanted: str, has: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        own_session(spark, {}, {key: wanted})
    assert str(caught.value) == (
        f"{key} must be {wanted!r} and can be set only when Spark starts, and the Spark session "
        f"{has if 'file' not in has else repr_of_warehouse(spark)}; start the session with it, or "
        "leave it out of spark"
    )


def repr_of_warehouse(spark: SparkSession) -> str:
    return f"has {str(spark.conf.get('spark.sql.warehouse.dir'))!r}"


def test_what_is_so_is_fine(spark: SparkSession) -> None:
    folder = str(spark.conf.get("spark.sql.warehouse.dir")).removeprefix("file:")
    wished = {
        "spark.sql.warehouse.dir": folder,
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.hive.thriftServer.singleSession": "False",
    }
    own_session(spark, {}, wished)


def test_what_spark_submit_was_given_wins(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = SparkConf(loadDefaults=False).set(ZONE, "UTC").set("spark.sql.extensions", "c.D")
    monkeypatch.setattr(settings, "submitted", lambda: given)
    wished = {ZONE: "Asia/Tokyo", "spark.sql.extensions": "a.B", "spark.sql.ansi.enabled": "false"}
    own = own_session(spark, {}, wished)
    assert own.conf.get(ZONE) == "UTC"
    assert own.conf.get("spark.sql.ansi.enabled") == "false"
