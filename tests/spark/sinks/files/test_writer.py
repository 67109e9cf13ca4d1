"""Runs at the same time, runs that were killed, and sources that change meanwhile."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from spark_infer.errors import WarehouseError
from spark_infer.warehouse.sinks.files.file_table import FileTable
from spark_infer.warehouse.sinks.lock import WriterLock

APPEND = {"mode": "append", "partition_by": [], "keep": []}
BROKEN = {"a": "if(id = 2, double(raise_error('broken')), a)"}


@pytest.fixture(params=["files", "sql"])
def sink(request: pytest.FixtureRequest) -> None:
    """By files and by SQL."""
    if request.param == "sql":
        request.getfixturevalue("by_sql")


@pytest.mark.nightly
@pytest.mark.usefixtures("sink")
def test_three_days_in_threads_of_one_session(spark: SparkSession, job: Any) -> None:
    days = ["2018-08-08", "2018-08-09", "2018-08-10"]
    job.transactions(*(f"{n} {day}" for n, day in enumerate([*days, "2018-08-11"])))
    job.run({"date": "2018-08-11"})
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "static")
    jobs = [job.load({"date": day}) for day in days]
    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            reports = list(pool.map(lambda one: one.run(spark), jobs))
            assert [report.rows_out for report in reports] == [1, 1, 1]
            assert job.scores() == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]
            assert spark.conf.get("spark.sql.sources.partitionOverwriteMode") == "static"
    spark.conf.unset("spark.sql.sources.partitionOverwriteMode")


@pytest.mark.nightly_after(1)
@pytest.mark.usefixtures("sink")
@pytest.mark.parametrize("target", [APPEND, {}])
def test_first_runs_of_the_same_rows_at_once(
    spark: SparkSession, job: Any, target: dict[str, Any]
) -> None:
    """Both succeed, and the rows are there once."""
    jobs = [job.load(target=target) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda one: one.run(spark), jobs))
    expected = [0, 0, 2] if target else [2, 2, 2]
    assert sorted(report.rows_out for report in reports) == expected
    assert job.scores() == [(1, 1.0), (2, 2.0)]


@pytest.mark.usefixtures("sink")
def test_a_second_writer_waits_and_says_so(
    spark: SparkSession, job: Any, caplog: pytest.LogCaptureFixture
) -> None:
    waits = threading.Event()
    caplog.set_level(logging.WARNING)
    caplog.handler.addFilter(lambda record: waits.set() or True)
    with ThreadPoolExecutor(1) as pool:
        with WriterLock(job.location()).held("store.scores"):
            running = pool.submit(job.load().run, spark)
            assert waits.wait(120)
            assert not job.spark.catalog.tableExists("store.scores")
        assert running.result().rows_out == 2
    (said,) = [r.getMessage() for r in caplog.records if "waiting" in r.getMessage()]
    assert said == "another run writes table store.scores; waiting until it is done"


@pytest.mark.usefixtures("by_sql")
def test_a_first_run_that_fails_leaves_what_another_has_filled(
    spark: SparkSession, job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spark_infer.warehouse.sinks.sql.writer import Writer

    create = Writer.create

    def after_another(writer: Writer, *arguments: Any) -> None:
        spark.sql("CREATE TABLE store.scores USING parquet AS SELECT 7 AS id, 7.0 AS score")
        create(writer, *arguments)

    monkeypatch.setattr(Writer, "create", after_another)
    with pytest.raises(WarehouseError, match="cannot be created"):
        job.run()
    assert job.scores() == [(7, 7.0)]


@pytest.mark.usefixtures("by_sql")
def test_a_write_that_fails_leaves_neither_table_nor_folder(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.location().parent.mkdir(exist_ok=True)
    from spark_infer.warehouse.sinks.sql.writer import Writer

    create = Writer.create

    def of_broken_rows(writer: Writer, df: Any) -> None:
        create(writer, df.selectExpr("*", "if(id = 2, raise_error('disk'), 1) AS x"))

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "create", of_broken_rows)
        with pytest.raises(WarehouseError, match=r"'store\.scores' cannot be created: .*disk"):
            job.run()
    assert not job.spark.catalog.tableExists("store.scores")
    assert not list(job.location().glob("**/part-*"))
    job.run()
    assert job.scores() == [(1, 1.0), (2, 2.0)]


@pytest.mark.usefixtures("by_sql")
def test_what_a_killed_first_run_left_is_put_aside(
    job: Any, caplog: pytest.LogCaptureFixture
) -> None:
    WriterLock(job.location()).begin()
    (job.location() / "day=2018-08-08").mkdir(parents=True)
    (job.location() / "day=2018-08-08" / "part-0.parquet").write_text("half")
    (job.location() / ".spark-staging-1").mkdir()
    job.run()
    assert job.scores() == [(1, 1.0), (2, 2.0)]
    (aside,) = job.location().parent.glob(".scores.left-*")
    assert (aside / "day=2018-08-08" / "part-0.parquet").read_text() == "half"
    assert not (aside / ".spark-staging-1").exists()
    assert str(aside) in caplog.text
    shutil.rmtree(aside)


def leave_a_committed_task(job: Any) -> Path:
    """Put a copy of a row's file where an append that is killed leaves it."""
    task = job.location() / "_temporary" / "0" / "task_202001010000_0001_m_000000"
    task.mkdir(parents=True)
    file = next(job.location().glob("part-*.parquet"))
    shutil.copy(file, task / "part-00000-of-the-killed.parquet")
    return job.location() / "_temporary"


@pytest.mark.usefixtures("by_sql")
def test_rows_that_a_killed_append_staged_are_not_published(job: Any) -> None:
    job.run(target=APPEND)
    leave_a_committed_task(job)
    WriterLock(job.location()).begin()
    job.run({"date": "2018-08-09"}, target=APPEND)
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]


@pytest.mark.usefixtures("by_sql")
def test_an_append_of_another_program_is_not_published(job: Any) -> None:
    job.run(target=APPEND)
    staged = leave_a_committed_task(job)
    with pytest.raises(WarehouseError, match="another program is writing into") as caught:
        job.run({"date": "2018-08-09"}, target=APPEND)
    assert caught.value.transient
    assert job.scores() == [(1, 1.0), (2, 2.0)]
    long_ago = time.time() - 2 * 24 * 3600
    for path in [*staged.rglob("*"), staged]:
        os.utime(path, (long_ago, long_ago))
    job.run({"date": "2018-08-09"}, target=APPEND)
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]


@pytest.mark.usefixtures("by_sql")
def test_rows_that_a_killed_append_did_not_tell_the_catalog_of_count_as_there(job: Any) -> None:
    target = {"mode": "append"}
    job.run(target=target)
    files = job.location() / "day=2018-08-08"
    shutil.copytree(files, job.folder / "files")
    job.spark.sql("ALTER TABLE store.scores DROP PARTITION (day=DATE'2018-08-08')")
    shutil.copytree(job.folder / "files", files)
    WriterLock(job.location()).begin()
    assert job.run(target=target).rows_out == 0
    assert job.scores() == [(1, 1.0), (2, 2.0)]


@pytest.mark.nightly
@pytest.mark.usefixtures("by_sql")
def test_staging_of_a_day_ago_is_swept_and_no_younger(job: Any) -> None:
    job.run()
    old, young, grown = (job.location() / f".spark-staging-{n}" for n in range(3))
    long_ago = time.time() - 2 * 24 * 3600
    for folder in (old, young, grown):
        folder.mkdir()
        (folder / "part").write_text("x")
    os.utime(old / "part", (long_ago, long_ago))
    for folder in (old, grown):
        os.utime(folder, (long_ago, long_ago))
    job.run()
    assert [old.exists(), young.exists(), grown.exists()] == [False, True, True]


def test_a_source_that_is_deleted_before_scoring_publishes_nothing(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = job.folder / "tx"
    job.spark.table("store.tx").write.parquet(str(files))
    stage = FileTable.stage

    def after_deletion(self: FileTable, *arguments: Any) -> Any:
        shutil.rmtree(files)
        return stage(self, *arguments)

    monkeypatch.setattr(FileTable, "stage", after_deletion)
    with pytest.raises(WarehouseError, match="scoring failed and the target is as it was"):
        job.run(source={"path": str(files), "filter": "day = :date"})
    assert not job.spark.catalog.tableExists("store.scores")


def test_keys_that_depend_on_the_time_of_reading_are_refused(job: Any) -> None:
    with pytest.raises(WarehouseError, match=r"key .* is computed by .*current_timestamp"):
        job.run(key=["id", "now"], features={"now": "current_timestamp()"})


@pytest.mark.parametrize(
    "expression", ["uuid()", "id + rand()", "monotonically_increasing_id()", "spark_partition_id()"]
)
def test_keys_that_every_run_would_draw_anew_are_refused(job: Any, expression: str) -> None:
    with pytest.raises(WarehouseError, match=r"key \['id', 'drawn'\] .* every run"):
        job.run(key=["id", "drawn"], features={"drawn": expression})


def test_other_columns_and_conditions_may_be_drawn(job: Any) -> None:
    assert job.run(features={"a": "rand()"}, rows="rand() < 2 AND a < 2").rows_out == 2


@pytest.mark.usefixtures("by_sql")
def test_nothing_stays_in_storage(spark: SparkSession, job: Any) -> None:
    before = set(spark.sparkContext._jsc.getPersistentRDDs())
    job.run()
    with pytest.raises(WarehouseError):
        job.run(features=BROKEN)
    assert set(spark.sparkContext._jsc.getPersistentRDDs()) <= before
