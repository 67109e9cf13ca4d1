"""A run that publishes after another one was killed while it did."""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from spark_infer.warehouse.quarantine import Quarantine
from spark_infer.warehouse.sinks.files import file_table, publication
from spark_infer.warehouse.sinks.files.file_table import FileTable
from spark_infer.warehouse.sinks.files.partition import Partitions
from spark_infer.warehouse.sinks.files.run_folder import RunFolder

pytestmark = pytest.mark.one_spark
APPEND = {"mode": "append"}
WHOLE = {"mode": "append", "partition_by": [], "keep": []}
REJECTING = "if(id = {}, CAST(NULL AS DOUBLE), a)"
BEGUN = (file_table, "publish")
MOVE = (publication, "_move")
POINT = (Partitions, "point")
END = (RunFolder, "end_publishing")


class Crash(BaseException):
    """Ends a run as a kill does."""


@contextmanager
def before(
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    other: Callable[[], Any],
    *,
    time: int = 1,
) -> Iterator[None]:
    """Have another run do something before one takes a step of publishing for the n-th time."""
    step, times = getattr(owner, name), itertools.count(1)

    def late(*arguments: Any) -> Any:
        if next(times) == time:
            other()
        return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, late)
        yield


def killed(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, run: Callable[[], Any]) -> None:
    """Have a run die before a step of publishing."""

    def dies(*_: Any, **__: Any) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dies)
        # A process that is killed tidies nothing up, and the system drops its locks.
        patch.setattr(RunFolder, "end", lambda run: os.close(run._alive))
        with pytest.raises(Crash):
            run()


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(
    ("target", "step"),
    [
        *((APPEND, step) for step in (BEGUN, POINT, END)),
        *((WHOLE, step) for step in (BEGUN, MOVE, END)),
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_rows_of_a_killed_append_are_not_added_twice(
    job: Any,
    monkeypatch: pytest.MonkeyPatch,
    target: dict[str, Any],
    step: tuple[Any, str],
    first: bool,
) -> None:
    source = {"source": {"table": "store.tx"}, "target": target}
    if not first:
        job.run(target=target)
    other = lambda: killed(monkeypatch, *step, lambda: job.run(**source))  # noqa: E731
    with before(monkeypatch, FileTable, "publish", other):
        job.run(**source)
    expected = [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert job.scores() == expected
    job.run(**source)
    assert job.scores() == expected


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("step", [BEGUN, POINT, END])
def test_a_killed_overwrite_does_not_come_back(
    job: Any, monkeypatch: pytest.MonkeyPatch, step: tuple[Any, str]
) -> None:
    job.run()
    old = {"features": {"b": "7"}}
    other = lambda: killed(monkeypatch, *step, lambda: job.run(**old))  # noqa: E731
    with before(monkeypatch, FileTable, "publish", other):
        job.run()
    assert job.scores() == [(1, 1.0), (2, 2.0)]
    assert job.load().recover(job.spark) == ()
    job.run({"date": "2018-08-09"})
    assert job.scores() == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_a_killed_quarantine_does_not_come_back(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rejecting: dict[str, Any] = {
        "quarantine": {"table": "store.rejects"},
        "batch": {"max_rejected_share": 1.0},
    }

    def features(number: int) -> dict[str, Any]:
        return {"features": {"a": REJECTING.format(number)}}

    job.run(**rejecting, **features(1))
    other = lambda: killed(  # noqa: E731
        monkeypatch, file_table, "publish", lambda: job.run(**rejecting, **features(2))
    )
    with before(monkeypatch, Quarantine, "published", other):
        last = job.run(**rejecting, **features(1))
    job.run({"date": "2018-08-09"}, **rejecting)
    found = job.spark.sql("SELECT id, run_id FROM store.rejects").collect()
    assert [tuple(row) for row in found] == [(1, last.run_id)]


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_a_quarantine_is_of_the_run_that_has_written_the_target(
    job: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    goes_on = threading.Event()
    caplog.set_level(logging.WARNING)
    caplog.handler.addFilter(
        lambda record: "waiting" not in record.getMessage() or goes_on.set() or True
    )
    rejecting: dict[str, Any] = {
        "target": {"mode": mode},
        "quarantine": {"table": "store.rejects"},
        "batch": {"max_rejected_share": 1.0},
    }
    one, two = (
        job.load(**rejecting, features={"a": REJECTING.format(number)}) for number in (1, 2)
    )
    with ThreadPoolExecutor(1) as pool:
        running: list[Any] = []

        def other() -> None:
            running.append(pool.submit(two.run, job.spark))
            running[0].add_done_callback(lambda _: goes_on.set())
            # Without a lock the other run would write both tables now.
            assert goes_on.wait(120)

        # The quarantine is written before.
        with before(monkeypatch, FileTable, "publish", other, time=2):
            one.run(job.spark)
        running[0].result()
    job.spark.sql("REFRESH TABLE store.rejects")
    quarantined = job.spark.sql("SELECT id FROM store.rejects").collect()
    assert quarantined == job.spark.sql("SELECT id FROM store.scores WHERE score IS NULL").collect()
    assert len(quarantined) == 1


def test_a_partition_that_is_left_alone_keeps_what_another_run_has_quarantined(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, Any] = {
        "source": {"table": "store.tx"},
        "incremental": {"by": "content"},
        "quarantine": {"table": "store.rejects"},
        "batch": {"max_rejected_share": 1.0},
    }
    job.run(**changes)
    one = job.load(**changes, features={"a": "if(id = 3, 7.0D, a)"})
    other = lambda: job.run(**changes, features={"a": REJECTING.format(1)})  # noqa: E731
    with before(monkeypatch, Quarantine, "published", other):
        one.run(job.spark)
    quarantined = job.spark.sql("SELECT id FROM store.rejects").collect()
    assert [tuple(row) for row in quarantined] == [(1,)]
    assert job.scores() == [(1, None), (2, 2.0), (3, 7.0)]
    job.run(**changes)
    job.spark.sql("REFRESH TABLE store.rejects")
    assert job.spark.table("store.rejects").count() == 0
