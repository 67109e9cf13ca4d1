"""A report tells what its source held."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from spark_infer.warehouse.history import snapshot_of

pytestmark = pytest.mark.one_spark


def parquet(spark: SparkSession, folder: Path) -> Path:
    rows = spark.range(0, 100, 1, 2).selectExpr("id", "id % 4 AS day")
    rows.write.partitionBy("day").parquet(str(folder))
    return folder


def test_a_run_keeps_it(job: Any) -> None:
    first = job.run()
    (part,) = first.snapshot
    assert (part["kind"], part["num_files"], part["num_partitions"]) == ("files", 3, 0)
    assert part["place"].endswith("store.tx")
    assert part["num_bytes"] > 0
    assert job.run().snapshot == first.snapshot
    job.spark.sql("INSERT INTO store.tx VALUES (9, 9.0D, 0, DATE'2018-08-08', 'EU')")
    (other,) = job.run().snapshot
    assert (other["num_files"], other["digest"] != part["digest"]) == (4, True)


def test_partitions_that_a_filter_leaves_out_are_none_of_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    folder = parquet(spark, tmp_path / "rows")
    df = spark.read.parquet(str(folder))
    (whole,), (part,) = snapshot_of(df), snapshot_of(df.where("day = 2"))
    assert (whole["num_partitions"], part["num_partitions"]) == (4, 1)
    assert part["num_files"] == len([*folder.glob("day=2/*.parquet")])
    assert part["num_bytes"] == sum(p.stat().st_size for p in folder.glob("day=2/*.parquet"))
    assert part["place"] == folder.as_uri().replace("file://", "file:")
    assert part["digest"] != whole["digest"]


@pytest.mark.parametrize("form", ["csv", "json", "orc"])
def test_files_of_other_formats_have_one(spark: SparkSession, tmp_path: Path, form: str) -> None:
    path = str(tmp_path / "rows")
    spark.range(10).write.format(form).save(path)
    (part,) = snapshot_of(spark.read.format(form).load(path))
    assert (part["kind"], part["num_partitions"]) == ("files", 0)
    assert part["num_files"] >= 1


def test_a_view_has_those_of_all_its_tables(spark: SparkSession, tmp_path: Path) -> None:
    one, other = (parquet(spark, tmp_path / name) for name in ("one", "other"))
    df = spark.read.parquet(str(one)).join(spark.read.parquet(str(other)), "id")
    assert [Path(part["place"]).name for part in snapshot_of(df)] == ["one", "other"]


def test_of_others_nothing_is_known(spark: SparkSession, tmp_path: Path) -> None:
    assert snapshot_of(spark.range(3)) == []
    folder = parquet(spark, tmp_path / "rows")
    df = spark.read.parquet(str(folder))
    chosen = df.where("day = (SELECT max(id) FROM range(3))")
    (part,) = snapshot_of(chosen)
    assert (part["digest"], "num_files" in part) == ("", False)


def test_what_has_gone_does_not_stop_a_run_here(spark: SparkSession, tmp_path: Path) -> None:
    folder = parquet(spark, tmp_path / "rows")
    df = spark.read.parquet(str(folder))
    shutil.rmtree(folder)
    assert snapshot_of(df)[0]["num_files"] >= 4  # As Spark has listed them.


def test_too_many_files_are_not_listed(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark_infer.warehouse.history.snapshot._MAX_FILES", 3)
    (part,) = snapshot_of(spark.read.parquet(str(parquet(spark, tmp_path / "rows"))))
    assert (part["kind"], part["digest"]) == ("files", "")
