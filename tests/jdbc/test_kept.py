"""Runs that the gate stops wait in the database, for somebody who decides."""

from __future__ import annotations

from typing import Any

import pytest

from spark_infer.errors import GateError, WarehouseError
from spark_infer.warehouse.sinks.jdbc import staging
from tests.jdbc.test_modes import APPEND, DELETE, FIRST, MERGE, OVERWRITE

NEVER = {"check": "range", "column": "score", "max": 0}


def stopped(job: Any, **changes: Any) -> str:
    """Run a job that its gate stops, and return the run."""
    with pytest.raises(GateError, match="are kept for seven days"):
        job.run(gate=[NEVER], **changes)
    (file, *_) = sorted((job.folder / "reports").glob("target-*Z-*.json"), reverse=True)
    return str(file.stem.removeprefix("target-"))


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize("target", [OVERWRITE, APPEND, MERGE, DELETE])
def test_a_run_is_published_all_the_same(job: Any, target: dict[str, Any]) -> None:
    run = stopped(job, target=target)
    (kept,) = job.tables()
    logged = f"SELECT relpersistence FROM pg_class WHERE relname = '{kept}'"
    assert job.server.sql(logged) == [("p",)]
    one = job.load(gate=[NEVER], target=target)
    one.recover(job.spark)
    assert job.tables() == [kept]
    assert one.publish(run, job.spark).rows == 3
    assert job.scores() == FIRST
    assert job.tables() == ["scores"]
    with pytest.raises(WarehouseError, match="it is published already"):
        one.publish(run, job.spark)


def test_a_run_is_dropped(job: Any) -> None:
    run = stopped(job, target=MERGE)
    job.load(gate=[NEVER], target=MERGE).drop(run, job.spark)
    assert job.tables() == []
    with pytest.raises(WarehouseError, match="it was dropped"):
        job.load(gate=[NEVER], target=MERGE).drop(run, job.spark)


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", [OVERWRITE, MERGE])
def test_what_a_later_run_has_written_is_not_replaced(job: Any, target: dict[str, Any]) -> None:
    run = stopped(job, target=target)
    job.transactions("1 8 100", "2 8", "3 9")
    job.run(target=target)
    with pytest.raises(WarehouseError, match=r"run .* has since written rows that run"):
        job.load(gate=[NEVER], target=target).publish(run, job.spark)
    assert job.scores() == [(1, 8, 200.0), *FIRST[1:]]
    assert len(job.tables()) == 2  # It is still kept.


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


def test_an_append_leaves_out_what_a_later_run_has_added(job: Any) -> None:
    run = stopped(job, target=APPEND)
    job.transactions("1 8 100")
    job.run(target=APPEND)
    assert job.load(gate=[NEVER], target=APPEND).publish(run, job.spark).rows == 2
    assert job.scores() == [(1, 8, 200.0), *FIRST[1:]]


def test_what_is_kept_for_long_enough_is_dropped(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(job, target=MERGE)
    monkeypatch.setattr(staging, "KEPT_DAYS", 0)
    job.load(target=MERGE).recover(job.spark)
    assert job.tables() == []


def test_the_gate_measures_what_is_staged(job: Any) -> None:
    gate = [
        {"check": "rows", "min": 3, "max": 3},
        {"check": "range", "column": "score", "min": 2, "max": 6},
        {"check": "sql", "name": "days", "expression": "min(day) = :date AND sum(score) = 12"},
        {"check": "ks", "max": 0.1},
    ]
    report = job.run(gate=gate, target=MERGE)
    assert [check["outcome"] for check in report.gate[:3]] == ["passed"] * 3
