"""Runs that the gate stops stay on a branch of the table, for somebody who decides."""

from __future__ import annotations

import datetime as dt
import os
from typing import Any

import pytest

from spark_infer.bundle.cache.locks import take
from spark_infer.errors import GateError, WarehouseError
from spark_infer.warehouse.sinks.iceberg import alive, workspace
from tests.iceberg.test_modes import APPEND, DELETE, FIRST, MERGE, OVERWRITE

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
