"""Steps are measured, told in the log, and can end a run before they begin."""

from __future__ import annotations

import logging

import pytest

pytest.importorskip("pyspark")

from spark_infer.warehouse import steps as module
from spark_infer.warehouse.progress import watch
from spark_infer.warehouse.steps import Steps


def test_each_step_is_one_line_with_its_seconds(caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps()
    with caplog.at_level(logging.INFO, logger=module.__name__):
        with steps.step("check"):
            assert steps.current == "check"
        with steps.step("score"):
            pass
    assert [record.getMessage() for record in caplog.records] == ["check: 0.0 s", "score: 0.0 s"]
    assert list(steps.seconds) == ["check", "score"]


def test_a_long_step_gives_signs_of_life(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_LIFE_SECONDS", 0.01)
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0.01)
    steps = Steps()
    with caplog.at_level(logging.INFO, logger=watch.__name__), steps.step("score"):
        while len(caplog.records) < 2:
            pass
    assert caplog.records[0].getMessage().startswith("score: 0 s so far")


def test_a_step_that_fails_is_measured_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps()
    caplog.set_level(logging.INFO, logger=module.__name__)
    with pytest.raises(ValueError, match="broken"), steps.step("keys"):
        raise ValueError("broken")
    assert not caplog.records
    assert steps.current == "keys"
    assert "keys" in steps.seconds


def test_a_run_can_be_ended_before_a_step() -> None:
    class Ended(Exception):
        pass

    def on_step(name: str) -> None:
        if name == "write":
            raise Ended

    steps = Steps(on_step)
    with steps.step("score"):
        pass
    with pytest.raises(Ended), steps.step("write"):
        pytest.fail("the step began")
    assert steps.current == "score"


def test_a_step_that_fails_while_somebody_stops_the_run_keeps_its_error() -> None:
    asked: list[str] = []

    def on_step(name: str) -> None:
        asked.append(name)
        if len(asked) > 1:
            raise KeyboardInterrupt

    steps = Steps(on_step)
    with pytest.raises(ValueError, match="cancelled"), steps.step("score"):
        raise ValueError("cancelled")
    assert asked == ["score", "score"]
    assert steps.is_stopped
