"""Kills, and others that write the table between a run's steps."""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JError
from pyspark.sql import DataFrameWriterV2, SparkSession

from spark_infer.errors import ConfigError, WarehouseError
from spark_infer.warehouse.run_id import new_run_id
from spark_infer.warehouse.sinks.iceberg.branches import Branches
from spark_infer.warehouse.sinks.iceberg.iceberg_table import IcebergTable
from spark_infer.warehouse.sinks.iceberg.workspace import Workspace
from tests.iceberg.test_modes import (
    APPEND,
    COLUMNS,
    DELETE,
    FIRST,
    MERGE,
    MODES,
    ONE_DAY,
    OVERWRITE,
)

ROW = "NULL, 'other', '', 'other', current_timestamp()"


class Killed(BaseException):
    """Ends a run as a kill does: nothing of it is cleared away."""


def before(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, act: Callable[[], None]
) -> None:
    """Do something before a step of the sink, the first time."""
    step = getattr(owner, name)
    todo = [act]

    def patched(*arguments: Any) -> Any:
        while todo:
            todo.pop()()
        return step(*arguments)

    monkeypatch.setattr(owner, name, patched)


def kill() -> None:
    raise Killed


def killed(
    monkeypatch: pytest.MonkeyPatch, job: Any, owner: type, name: str, **changes: Any
) -> Any:
    """Run a job that is killed; return its sink, whose process still seems to live."""
    sinks: list[Any] = []
    with monkeypatch.context() as patched:
        patched.setattr(IcebergTable, "discard", lambda sink, ignored: sinks.append(sink))
        before(patched, owner, name, kill)
        with pytest.raises(Killed):
            job.run(**changes)
    return sinks[0]


def insert(job: Any, *rows: str) -> Callable[[], None]:
    """Return what adds rows as another program does: ``1 8 2.5``."""
    values = ", ".join(
        "({}, DATE'2018-08-{:0>2}', {}F, {})".format(*row.split(), ROW) for row in rows
    )
    return lambda: job.spark.sql(f"INSERT INTO ice.lake.scores VALUES {values}").collect()


STEPS = [
    (IcebergTable, "_ours"),
    (IcebergTable, "check_rows"),
    (Branches, "fast_forward"),
]


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(("owner", "name"), STEPS)
@pytest.mark.parametrize("target", [OVERWRITE, APPEND, DELETE])
def test_a_run_that_is_killed_changes_nothing_until_it_has_published(
    monkeypatch: pytest.MonkeyPatch, job: Any, target: dict[str, Any], owner: type, name: str
) -> None:
    job.run(target=target)
    job.transactions("1 8", "2 8", "3 9", "4 9")
    killed(monkeypatch, job, owner, name, target=target)
    assert job.scores() == FIRST
    assert len(job.branches()) > 1
    job.run(target=target)
    assert job.scores() == [*FIRST, (4, 9, 8.0)]


def test_branches_of_runs_that_were_killed_are_dropped(
    monkeypatch: pytest.MonkeyPatch, job: Any
) -> None:
    job.run(target=MERGE)
    sink = killed(monkeypatch, job, Branches, "fast_forward", target=MERGE)
    assert len(job.branches()) == 3
    job.spark.sql("ALTER TABLE ice.lake.scores CREATE BRANCH spark_infer_of_somebody")
    place = folder(job) / "_spark_infer"
    assert len(list(place.iterdir())) == 1
    assert job.load(target=MERGE).recover(job.spark) == ()
    assert len(job.branches()) == 4
    _, descriptor = sink._workspace._alive._held
    os.close(descriptor)  # As the system does when the process ends.
    assert job.load(target=MERGE).recover(job.spark) == ()
    assert job.branches() == ["main", "spark_infer_of_somebody"]
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(("hours", "count"), [(23, 2), (25, 1)])
def test_without_a_local_folder_a_run_is_dead_after_a_day(
    monkeypatch: pytest.MonkeyPatch, job: Any, hours: int, count: int
) -> None:
    job.run(target=APPEND)
    then = dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=hours)
    branch = f"spark_infer_{new_run_id(then)}_0"
    job.spark.sql(f"ALTER TABLE ice.lake.scores CREATE BRANCH `{branch}`")
    monkeypatch.setattr(Workspace, "_local", lambda ignored: None)
    # What the branch is at was committed by the first run, just now.
    found = Branches.of_runs
    monkeypatch.setattr(
        Branches,
        "of_runs",
        lambda branches: {
            run: [branch._replace(changed=then) for branch in made]
            for run, made in found(branches).items()
        },
    )
    job.load(target=APPEND).recover(job.spark)
    assert len(job.branches()) == count


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize("target", MODES)
@pytest.mark.parametrize("owner", [(IcebergTable, "_create"), (IcebergTable, "check_rows")])
def test_a_first_run_that_is_killed_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, job: Any, target: dict[str, Any], owner: tuple[type, str]
) -> None:
    killed(monkeypatch, job, *owner, target=target)
    assert job.spark.sql("SHOW TABLES IN ice.lake").collect() == []
    job.run(target=target)
    assert job.scores() == FIRST


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", [OVERWRITE, APPEND, MERGE])
@pytest.mark.parametrize(("owner", "name"), [(IcebergTable, "stage"), *STEPS[1:]])
def test_others_rows_are_kept(
    monkeypatch: pytest.MonkeyPatch, job: Any, target: dict[str, Any], owner: type, name: str
) -> None:
    job.run(target=target)
    job.transactions("1 8", "2 8", "4 8")
    before(monkeypatch, owner, name, insert(job, "9 10 0.5"))
    job.run(source=ONE_DAY, target=target)
    assert job.scores() == [(1, 8, 2.0), (2, 8, 4.0), (3, 9, 6.0), (4, 8, 8.0), (9, 10, 0.5)]
    assert job.branches() == ["main"]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(("owner", "name"), [(IcebergTable, "stage"), *STEPS[1:]])
def test_an_append_does_not_add_a_key_that_another_has_added(
    monkeypatch: pytest.MonkeyPatch, job: Any, owner: type, name: str
) -> None:
    job.run(target=APPEND)
    job.transactions("4 8", "5 8")
    before(monkeypatch, owner, name, insert(job, "4 8 0.5"))
    assert job.run(target=APPEND).rows_out == 1
    assert job.scores() == [*FIRST, (4, 8, 0.5), (5, 8, 10.0)]


def test_a_merge_updates_a_row_that_another_has_added(
    monkeypatch: pytest.MonkeyPatch, job: Any
) -> None:
    job.run(target=MERGE)
    job.transactions("4 8", "5 8")
    before(monkeypatch, Branches, "fast_forward", insert(job, "4 8 0.5"))
    assert job.run(target=MERGE).rows_out == 2
    assert job.scores() == [*FIRST, (4, 8, 8.0), (5, 8, 10.0)]


@pytest.mark.nightly
def test_a_key_that_another_repeats_stops_a_merge(
    monkeypatch: pytest.MonkeyPatch, job: Any
) -> None:
    job.run(target=MERGE)
    before(monkeypatch, Branches, "fast_forward", insert(job, "1 8 0.5"))
    with pytest.raises(WarehouseError, match="several rows of one key"):
        job.run(target=MERGE)
    assert len(job.scores()) == 4
    assert job.branches() == ["main"]


def test_an_overwrite_does_not_lose_a_row_that_it_is_not_about(
    monkeypatch: pytest.MonkeyPatch, job: Any
) -> None:
    job.run(target=OVERWRITE)
    before(monkeypatch, Branches, "fast_forward", insert(job, "70 8 0.5"))
    with pytest.raises(WarehouseError, match="'id < 50', and this run, which is not about them"):
        job.run(source={"table": "store.tx", "filter": "id < 50"}, target=OVERWRITE)
    assert job.scores() == [*FIRST, (70, 8, 0.5)]


def test_columns_that_another_changes_stop_the_run(
    monkeypatch: pytest.MonkeyPatch, job: Any
) -> None:
    job.run(target=APPEND)
    job.transactions("4 8")
    alter = "ALTER TABLE ice.lake.scores ADD COLUMN note STRING"
    before(monkeypatch, IcebergTable, "publish", lambda: job.spark.sql(alter))
    with pytest.raises(WarehouseError, match="column 'note' is not written"):
        job.run(target=APPEND)
    assert job.scores() == FIRST


def test_one_that_always_writes_first_stops_the_run(
    monkeypatch: pytest.MonkeyPatch, job: Any
) -> None:
    job.run(target=APPEND)
    job.transactions("4 8")
    monkeypatch.setattr("spark_infer.warehouse.sinks.iceberg.iceberg_table._MAX_ATTEMPTS", 2)
    forward = Branches.fast_forward

    def late(branches: Branches, *branch: Any) -> bool:
        insert(job, "9 10 0.5")()
        return forward(branches, *branch)

    monkeypatch.setattr(Branches, "fast_forward", late)
    with pytest.raises(WarehouseError, match="others have written it 2 times") as raised:
        job.run(target=APPEND)
    assert raised.value.transient
    assert job.branches() == ["main"]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", [OVERWRITE, APPEND, MERGE])
@pytest.mark.parametrize(("owner", "name"), [(IcebergTable, "check_rows"), STEPS[2]])
def test_what_somebody_rolls_back_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch, job: Any, target: dict[str, Any], owner: type, name: str
) -> None:
    job.run(target=target)
    (first,) = job.snapshots()
    insert(job, "7 10 1")()
    job.transactions("1 8", "2 8", "3 9", "4 9")
    back = f"CALL ice.system.rollback_to_snapshot('lake.scores', {first})"
    before(monkeypatch, owner, name, lambda: job.spark.sql(back))
    job.run(target=target)
    assert job.scores() == [*FIRST, (4, 9, 8.0)]
    assert job.branches() == ["main"]


def test_an_answer_that_is_lost(monkeypatch: pytest.MonkeyPatch, job: Any) -> None:
    job.run(target=APPEND)
    job.transactions("4 8")
    forward = Branches.fast_forward

    def twice(branches: Branches, *branch: Any) -> bool:
        return forward(branches, *branch) and forward(branches, *branch)

    monkeypatch.setattr(Branches, "fast_forward", twice)
    assert job.run(target=APPEND).rows_out == 1
    assert job.scores() == [*FIRST, (4, 8, 8.0)]


def test_expiring_snapshots_leaves_the_branch_of_a_run_alone(
    monkeypatch: pytest.MonkeyPatch, job: Any
) -> None:
    job.run(target=OVERWRITE)
    job.spark.sql(
        "ALTER TABLE ice.lake.scores SET TBLPROPERTIES ('history.expire.max-ref-age-ms'='1', "
        "'history.expire.max-snapshot-age-ms'='1')"
    )
    expire = (
        "CALL ice.system.expire_snapshots(table => 'lake.scores', older_than => "
        "TIMESTAMP '2999-01-01', retain_last => 1)"
    )
    before(monkeypatch, Branches, "fast_forward", lambda: job.spark.sql(expire).collect())
    job.transactions("2 8 100")
    job.run(source=ONE_DAY, target=OVERWRITE)
    assert job.scores() == [(2, 8, 200.0), (3, 9, 6.0)]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("there", [True, False])
def test_two_runs_of_different_days_at_once(job: Any, there: bool) -> None:
    if there:
        job.run(target=OVERWRITE)
    job.transactions("1 8 100", "3 9 100")
    jobs = []
    for day in (8, 9):
        job.config["parameters"]["date"]["default"] = f"2018-08-0{day}"
        jobs.append(job.load(source=ONE_DAY, target=OVERWRITE))
    failed = []

    def run(one: Any) -> None:
        try:
            one.run(job.spark)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=[one]) for one in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert job.scores() == [(1, 8, 200.0), (3, 9, 200.0)]
    assert job.branches() == ["main"]


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(
    ("owner", "name"), [(IcebergTable, "_create"), (DataFrameWriterV2, "create")]
)
def test_a_table_that_another_makes_meanwhile(
    monkeypatch: pytest.MonkeyPatch, job: Any, owner: type, name: str
) -> None:
    create = f"CREATE TABLE ice.lake.scores ({COLUMNS}) USING iceberg"

    def make() -> None:
        job.spark.sql(create)
        insert(job, "2 8 0.5")()

    before(monkeypatch, owner, name, make)
    assert job.run(target=APPEND).rows_out == 2
    assert job.scores() == [(1, 8, 2.0), (2, 8, 0.5), (3, 9, 6.0)]


def test_a_session_without_extensions_is_refused(monkeypatch: pytest.MonkeyPatch, job: Any) -> None:
    monkeypatch.setattr(
        "spark_infer.warehouse.sinks.iceberg.find._STATEMENT", "ALTER TABLE t KNOWS NOTHING"
    )
    with pytest.raises(ConfigError, match=r"IcebergSparkSessionExtensions in spark\.sql\.ext"):
        job.run(target=APPEND)


def folder(job: Any) -> Path:
    described = job.spark.sql("DESCRIBE TABLE EXTENDED ice.lake.scores").collect()
    (place,) = (row["data_type"] for row in described if row["col_name"] == "Location")
    return Path(place.removeprefix("file:"))


@pytest.mark.parametrize("times", [1, 9, 10])
def test_a_branch_is_made_though_others_write_at_the_same_moment(
    monkeypatch: pytest.MonkeyPatch, job: Any, times: int
) -> None:
    job.run(target=APPEND)
    job.transactions("4 9")
    statement, failing = SparkSession.sql, [times]

    def sql(spark: SparkSession, text: str, *arguments: Any, **options: Any) -> Any:
        if "CREATE BRANCH" in text and failing[0]:
            failing[0] -= 1
            raise Py4JError("CommitFailedException: Table metadata refresh is required")
        return statement(spark, text, *arguments, **options)

    monkeypatch.setattr(SparkSession, "sql", sql)
    if times < 10:
        assert job.run(target=APPEND).rows_out == 1
    else:
        with pytest.raises(WarehouseError, match="metadata refresh is required"):
            job.run(target=APPEND)
    assert job.branches() == ["main"]
