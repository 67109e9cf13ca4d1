"""A step is watched from a thread that never reaches into it."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

pytest.importorskip("pyspark")

from spark_infer.metrics import Metrics
from spark_infer.warehouse.progress import Counting, Progress, Watch
from spark_infer.warehouse.progress import watch as module
from spark_infer.warehouse.steps import Steps


class Counted:
    """What an accumulator holds."""

    value = Metrics(num_rows=7, num_read=9)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(module, "_LIFE_SECONDS", 0.001)


def threads() -> int:
    return threading.active_count()


def test_rows_are_told_while_they_are_counted() -> None:
    seen: list[Progress] = []
    told = threading.Event()

    def on_progress(progress: Progress) -> None:
        seen.append(progress)
        told.set()

    before, steps = threads(), Steps(None, on_progress)
    metrics: Any = Counted()
    with steps.step("score"), steps.counting(metrics, 18):
        told.clear()
        assert told.wait(10)
        counting = seen[-1]
    assert threads() == before
    assert (counting.step, counting.rows, counting.share) == ("score", 7, 0.5)
    number = len(seen)
    with steps.step("keys"):
        pass
    assert [progress.step for progress in seen[number:]] in ([], ["keys"])


@pytest.mark.parametrize("error", [ValueError("no"), BrokenPipeError(), OSError("closed")])
def test_what_goes_wrong_is_logged_once(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[Progress] = []

    def on_progress(progress: Progress) -> None:
        calls.append(progress)
        raise error

    steps = Steps(None, on_progress)
    with caplog.at_level(logging.WARNING), steps.step("score"):
        while not caplog.records:
            pass
    assert [record.getMessage() for record in caplog.records] == [
        "how far step score is cannot be told"
    ]
    assert len(calls) == 1
    assert "score" in steps.seconds


def test_metrics_that_cannot_be_read_do_not_end_the_step(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        @property
        def value(self) -> Metrics:
            raise RuntimeError("stopped")

    metrics: Any = Broken()
    steps = Steps(None, lambda progress: None)
    with caplog.at_level(logging.WARNING), steps.step("score"), steps.counting(metrics, None):
        while not caplog.records:
            pass
    assert "score" in steps.seconds


def test_somebody_who_does_not_return_does_not_hold_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_END_SECONDS", 0.01)
    held, called = threading.Event(), threading.Event()

    def on_progress(progress: Progress) -> None:
        called.set()
        held.wait(60)

    steps = Steps(None, on_progress)
    with steps.step("score"):
        assert called.wait(10)
    assert "score" in steps.seconds
    held.set()


def test_without_anybody_the_log_is_told(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch("score", None)
    metrics: Any = Counted()
    watch.counting = Counting(metrics, None)
    caplog.set_level(logging.INFO, logger=module.__name__)
    watch.begin()
    while not caplog.records:
        pass
    watch.end()
    assert caplog.records[0].getMessage().startswith("score: 0 s so far, 7 rows")


def test_a_context_that_is_about_to_start_has_no_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    context = object.__new__(module.SparkContext)
    monkeypatch.setattr(module.SparkContext, "_active_spark_context", context)
    assert module.tasks_now() == (0, 0)
