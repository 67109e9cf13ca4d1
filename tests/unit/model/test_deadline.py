"""A model is asked for nothing after a moment; what it was not asked for is not rejected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import spark_infer as si
from spark_infer.backends import FunctionBackend
from spark_infer.engine import Predictor
from spark_infer.errors import ConfigError
from spark_infer.metrics import Metrics
from spark_infer.model import BatchOptions, LocalModel, deadline
from spark_infer.model.deadline import PENDING

DENSE = si.Signature(inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("y")])
RAGGED = si.Signature(
    inputs=[si.RaggedInput("x", column="a", dtype="float32")], outputs=[si.Output("y")]
)
NOON = 1_000.0


class Clock:
    """Shows noon after some batches."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
        self.batches = batches
        self.asked = 0
        monkeypatch.setattr(deadline, "now", self.now)

    def now(self) -> float:
        return NOON if self.asked >= self.batches else NOON - 1

    def model(self, x: Any, *_: Any) -> Any:
        self.asked += 1
        return x.reshape(len(x), -1).sum(1)


def predicted(
    clock: Clock, rows: list[Any], signature: si.Signature = DENSE, **options: Any
) -> tuple[list[dict[str, Any]], Metrics]:
    options = {"batch_size": 1, "until": NOON, "dedupe": False} | options
    model = LocalModel(FunctionBackend(clock.model))
    predictor = Predictor(model, signature, BatchOptions(**options))
    found = [row for batch in predictor.stream(rows) for row in batch.to_pylist()]
    return found, predictor.metrics


def done(*values: float) -> list[dict[str, Any]]:
    return [{"y": value, "rejected_reason": None} for value in values]


LATE = {"y": None, "rejected_reason": PENDING}


def test_rows_after_it_are_pending_and_no_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, 2)
    found, metrics = predicted(
        clock, [{"a": [1.0, 2.0, 3.0]}, {"a": [4.0]}], on_error="fail", max_rejected_share=0.0
    )
    assert found == [*done(1.0, 2.0), LATE, LATE]
    assert clock.asked == 2
    assert (metrics.num_rows, metrics.num_predicted, metrics.num_pending) == (4, 2, 2)
    assert (metrics.num_rejected, metrics.num_failed, metrics.num_batches) == (0, 0, 2)


@pytest.mark.parametrize("batches", [0, 3])
def test_before_it_and_after_it(monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    clock = Clock(monkeypatch, batches)
    found, _ = predicted(clock, [{"a": [1.0, 2.0]}])
    assert found == (done(1.0, 2.0) if batches else [LATE, LATE])
    assert clock.asked == min(batches, 2)


def test_rows_that_are_rejected_stay_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found, metrics = predicted(Clock(monkeypatch, 1), [{"a": [1.0, None, 3.0]}])
    assert found == [
        *done(1.0),
        {"y": None, "rejected_reason": "column 'a' is null"},
        LATE,
    ]
    assert (metrics.num_rejected, metrics.num_pending) == (1, 1)


def test_repeats_wait_with_the_row_that_they_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, 1)
    rows = [{"a": [1.0, 2.0, 1.0, 2.0, 2.0]}]
    found, metrics = predicted(clock, rows, dedupe=True)
    assert found == [*done(1.0), LATE, *done(1.0), LATE, LATE]
    assert (metrics.num_pending, metrics.num_failed) == (3, 0)
    # Nobody remembers that there was no time.
    clock.asked, clock.batches = 0, 10
    assert predicted(clock, rows, dedupe=True)[0] == done(1.0, 2.0, 1.0, 2.0, 2.0)


def test_ragged_rows_in_any_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, 2)
    rows = [{"a": [[1.0], [1.0, 2.0], [3.0], [1.0, 2.0, 3.0]]}]
    found, metrics = predicted(clock, rows, RAGGED, batch_size=2, overlap=False)
    assert sum(row == LATE for row in found) == metrics.num_pending == 4 - metrics.num_predicted
    assert all(row["y"] is not None or row == LATE for row in found)


@pytest.mark.parametrize("overlap", [True, False])
def test_none_is_never_over(monkeypatch: pytest.MonkeyPatch, overlap: bool) -> None:
    clock = Clock(monkeypatch, 0)
    found, _ = predicted(clock, [{"a": [1.0, 2.0]}], until=None, overlap=overlap)
    assert found == done(1.0, 2.0)


def test_threads_end_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, 5)
    rows = [{"a": np.arange(50, dtype=np.float32)}] * 4
    found, metrics = predicted(clock, rows, overlap=True)
    assert len(found) == 200
    late = [row == LATE for row in found]
    assert metrics.num_pending == sum(late) >= 190
    assert late == sorted(late)


@pytest.mark.parametrize("until", ["02:30", True, [1]])
def test_what_is_no_moment_is_refused(until: Any) -> None:
    with pytest.raises(ConfigError, match="until must be a time in seconds since 1970"):
        BatchOptions(until=until)
