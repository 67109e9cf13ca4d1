"""Runs that the gate stops stay on a branch of the table, for somebody who decides."""

from __future__ import annotations

import datetime as dt
import os
from typing import Any

import pytest

from spark_infer.bundle.cache.locks import take
from spark_infer.errors import GateError, WarehouseError
from spark_infer.warehouse.sinks.iceberg import alive, workspace
from spark_infer.warehouse.sinks.iceberg.branches import Branches
from spark_infer.warehouse.sinks.iceberg.iceberg_table import IcebergTable
from spark_infer.warehouse.sinks.iceberg.workspace import Workspace
from tests.iceberg.test_modes import APPEND, DELETE, FIRST, MERGE, OVERWRITE
from tests.iceberg.test_others import Killed, before, kill

NEVER = {"check": "range", "column": "score", "max": 0}


def stopped(job: Any, **changes: Any) -> str:
    """Run a job that its gate stops, and return the run."""
    with pytest.raises(GateError, match="are kept for seven days"):
        job.run(gate=[NEVER], **changes)
    (file, *_) = sorted((job.folder / "reports").glob("target-*Z-*.json"), reverse=True)
    return str(file.stem.removeprefix("target-"))


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", [OVERWRITE, APPEND, MERGE, DELETE])
def test_a_run_is_published_all_the_same(job: Any, target: dict[str, Any]) -> None:
    # The first one makes the table for its branch, and no reader sees a row.
    run = stopped(job, target=target)
    assert job.scores() == []
    one = job.load(gate=[NEVER], target=target)
    one.recover(job.spark)
    assert len(job.branches()) == 2
    assert one.publish(run, job.spark).rows == 3
    assert job.scores() == FIRST
    assert job.branches() == ["main"]
    with pytest.raises(WarehouseError, match="it is published already"):
        one.publish(run, job.spark)
    # One of a table that is there leaves it as it was.
    job.transactions("1 8 100", "2 8", "3 9", "4 9")
    run = stopped(job, target=target)
    assert job.scores() == FIRST
    assert one.publish(run, job.spark).rows == (1 if target is APPEND else 4)
    assert job.scores()[-1] == (4, 9, 8.0)
    assert job.branches() == ["main"]


def test_a_run_is_dropped(job: Any) -> None:
    job.run(target=MERGE)
    job.transactions("1 8 100")
    run = stopped(job, target=MERGE)
    one = job.load(gate=[NEVER], target=MERGE)
    held = take(job.runs() / run)
    with pytest.raises(WarehouseError, match="another process works with run"):
        one.publish(run, job.spark)
    os.close(held)
    one.drop(run, job.spark)
    assert (job.scores(), job.branches()) == (FIRST, ["main"])
    with pytest.raises(WarehouseError, match="it was dropped"):
        one.drop(run, job.spark)


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", [OVERWRITE, MERGE])
def test_what_a_later_run_has_written_is_not_replaced(job: Any, target: dict[str, Any]) -> None:
    run = stopped(job, target=target)
    job.transactions("1 8 100", "2 8", "3 9")
    job.run(target=target)
    with pytest.raises(WarehouseError, match=r"run .* has since written (rows|partitions) that"):
        job.load(gate=[NEVER], target=target).publish(run, job.spark)
    assert job.scores() == [(1, 8, 200.0), *FIRST[1:]]
    assert len(job.branches()) == 2  # It is still kept.


def test_a_day_that_was_emptied_since_is_not_filled_again(job: Any) -> None:
    of_a_day = {"source": {"table": "store.tx", "filter": "day = :date"}, "target": OVERWRITE}
    job.run(**of_a_day)
    run = stopped(job, **of_a_day)
    job.transactions("3 9")
    job.run(**of_a_day)
    assert job.scores() == []
    with pytest.raises(WarehouseError, match=r"with the same parameters was published since run"):
        job.load(gate=[NEVER], **of_a_day).publish(run, job.spark)
    assert job.scores() == []


def test_what_others_wrote_since_stays(job: Any) -> None:
    run = stopped(job, target=APPEND)
    job.transactions("1 8 100")
    job.run(target=APPEND)
    assert job.load(gate=[NEVER], target=APPEND).publish(run, job.spark).rows == 2
    assert job.scores() == [(1, 8, 200.0), *FIRST[1:]]


def test_what_is_kept_for_long_enough_is_dropped(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stopped(job, target=MERGE)
    monkeypatch.setattr(workspace, "KEPT_DAYS", 0)
    monkeypatch.setattr(alive, "_DAY", dt.timedelta(0))
    one = job.load(gate=[NEVER], target=MERGE)
    one.recover(job.spark)
    assert job.branches() == ["main"]
    with pytest.raises(WarehouseError, match="seven days are over"):
        one.publish(run, job.spark)


def killed(
    monkeypatch: pytest.MonkeyPatch, job: Any, run: str, owner: type, name: str, **changes: Any
) -> Any:
    """Publish a run until a step at which the process is killed, and return the job."""
    one = job.load(gate=[NEVER], **changes)
    sinks: list[Any] = []
    with monkeypatch.context() as patched:
        patched.setattr(IcebergTable, "discard", lambda sink, ignored: sinks.append(sink))
        before(patched, owner, name, kill)
        with pytest.raises(Killed):
            one.publish(run, job.spark)
    os.close(sinks[-1]._workspace._alive._held[1])  # As the system does.
    return one


@pytest.mark.parametrize("target", [OVERWRITE, APPEND, DELETE])
def test_one_whose_publication_is_killed_is_kept(
    monkeypatch: pytest.MonkeyPatch, job: Any, target: dict[str, Any]
) -> None:
    job.run(target=target)
    job.transactions("1 8", "2 8", "3 9", "4 9")
    run = stopped(job, target=target)
    one = killed(monkeypatch, job, run, Branches, "fast_forward", target=target)
    assert (job.scores(), len(job.branches())) == (FIRST, 3)
    assert one.publish(run, job.spark).rows == (1 if target is APPEND else 4)
    assert job.scores() == [*FIRST, (4, 9, 8.0)]
    assert job.branches() == ["main"]


def test_one_whose_publication_is_killed_can_be_dropped(
    monkeypatch: pytest.MonkeyPatch, job: Any
) -> None:
    job.run(target=MERGE)
    run = stopped(job, target=MERGE)
    killed(monkeypatch, job, run, Branches, "fast_forward", target=MERGE).drop(run, job.spark)
    assert (job.scores(), job.branches()) == (FIRST, ["main"])


@pytest.mark.parametrize("step", ["drop", "_forget"])
def test_one_that_is_published_is_not_published_again(
    monkeypatch: pytest.MonkeyPatch, job: Any, step: str
) -> None:
    run = stopped(job, target=OVERWRITE)
    one = killed(monkeypatch, job, run, Workspace, step, target=OVERWRITE)
    job.spark.sql("DELETE FROM ice.lake.scores WHERE id = 2")
    for decide in (one.publish, one.drop):
        with pytest.raises(WarehouseError, match="it is published already"):
            decide(run, job.spark)
    assert job.scores() == [FIRST[0], FIRST[2]]


def test_one_whose_branch_somebody_has_dropped(job: Any) -> None:
    run = stopped(job, target=MERGE)
    job.spark.sql(f"ALTER TABLE ice.lake.scores DROP BRANCH `spark_infer_{run}_0`")
    with pytest.raises(WarehouseError, match=f"nothing is kept of run {run}"):
        job.load(gate=[NEVER], target=MERGE).publish(run, job.spark)
