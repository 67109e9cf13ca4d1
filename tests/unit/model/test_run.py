"""Batches that are started by one thread and finished by another."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.backends import Array, HostBackend, Memory, Pending
from spark_infer.bundle import Output, RaggedInput, ScalarInput, Signature
from spark_infer.engine import Predictor
from spark_infer.errors import PredictionError
from spark_infer.model import BatchOptions, LocalModel
from spark_infer.model.sizing import BatchSizer, Choice, LearnedSize

SIGNATURE = Signature(
    inputs=[
        ScalarInput("x", columns=["a"], dtype="int64"),
        RaggedInput("r", column="h", dtype="int64", mask=False),
    ],
    outputs=[Output("y", dtype="int64"), Output("z", dtype="int64", lengths_of="r")],
)


class Device(HostBackend):
    """Runs a batch when its outputs are waited for, as a GPU reports its own errors only then."""

    def __init__(self, bad: set[int]) -> None:
        self._bad = bad
        self._busy = threading.Lock()

    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        assert self._busy.acquire(blocking=False), "two threads run batches at once"
        try:
            x, r = tensors["x"][:, 0], tensors["r"]
            if self._bad & set(x.tolist()):
                raise ValueError("bad")
            return [x + 1, r * 2]
        finally:
            self._busy.release()


class LateDevice(Device):
    """Fails when its outputs are waited for."""

    runs_at_once = False

    def submit(self, tensors: Mapping[str, Array]) -> Pending:
        try:
            outputs = self.run(tensors)
        except ValueError as raised:
            error = raised

            def fail() -> Sequence[Array]:
                raise error

            return fail
        return lambda: outputs


def batches(num_rows: int, size: int) -> list[pa.RecordBatch]:
    rows = [{"a": row, "h": [row] * (row % 5)} for row in range(num_rows)]
    schema = pa.schema([("a", pa.int64()), ("h", pa.list_(pa.int64()))])
    return pa.Table.from_pylist(rows, schema=schema).to_batches(max_chunksize=size)


@pytest.mark.parametrize("device", [Device, LateDevice])
@given(
    num_rows=st.integers(1, 60),
    size=st.integers(1, 60),
    bad=st.sets(st.integers(0, 59), max_size=8),
    batch_size=st.just("auto") | st.integers(1, 20),
    overlap=st.booleans(),
)
def test_failures_at_any_time_cost_their_own_rows_alone(
    device: type[Device], num_rows: int, size: int, bad: set[int], batch_size: Any, overlap: bool
) -> None:
    options = BatchOptions(batch_size=batch_size, overlap=overlap, max_rejected_share=1.0)
    predictor = Predictor(LocalModel(device(bad)), SIGNATURE, options)
    found = [
        row
        for predicted in predictor.stream(batches(num_rows, size))
        for row in predicted.to_pylist()
    ]
    assert found == [
        {"y": None, "z": None, "rejected_reason": "run: ValueError: bad"}
        if row in bad
        else {"y": row + 1, "z": [2 * row] * (row % 5), "rejected_reason": None}
        for row in range(num_rows)
    ]


def test_the_first_failure_ends_it_when_none_is_allowed() -> None:
    for device in (Device, LateDevice):
        options = BatchOptions(on_error="fail", overlap=True)
        with pytest.raises(PredictionError, match="failed on a batch"):
            list(Predictor(LocalModel(device({3})), SIGNATURE, options).stream(batches(5, 5)))


def test_seconds_of_a_stage_are_counted_once() -> None:
    predictor = Predictor(
        LocalModel(Device(set())), SIGNATURE, BatchOptions(batch_size=4, overlap=True)
    )
    list(predictor.stream(batches(100, 10)))
    seconds = predictor.metrics.seconds
    assert set(seconds) == {"wait", "assemble", "run", "unpack"}
    assert all(np.isfinite(value) and value > 0 for value in seconds.values())


def test_once_settled_a_device_is_not_waited_for_batch_by_batch() -> None:
    """The next batch is submitted before the outputs of the last one are asked for."""
    events: list[str] = []

    class Recorder(LateDevice):
        def submit(self, tensors: Mapping[str, Array]) -> Pending:
            outputs = super().submit(tensors)
            events.append("submit")

            def wait() -> Sequence[Array]:
                events.append("wait")
                return outputs()

            return wait

    sizer = BatchSizer(learned={16: LearnedSize(64, None, {32: 1.0, 64: 1.1}, settled=True)})
    options = BatchOptions(overlap=True, dedupe=False)
    predictor = Predictor(LocalModel(Recorder(set()), sizer), SIGNATURE, options)
    assert sum(found.num_rows for found in predictor.stream(batches(2_000, 500))) == 2_000
    assert len(events) > 20
    assert events != ["submit", "wait"] * (len(events) // 2)


def test_what_was_learned_is_kept_when_a_stream_ends_and_else_not_too_often() -> None:
    kept: list[set[int]] = []
    sizer = BatchSizer(on_keep=lambda known: kept.append(set(known)), clock=lambda: 0.0)
    predictor = Predictor(LocalModel(Device(set()), sizer), SIGNATURE, BatchOptions(dedupe=False))
    for length in (64, 256):
        sizer.lower(length, 1 << 20)
        assert not kept or length not in kept[-1]
        assert sum(found.num_rows for found in predictor.stream(batches(40, 10))) == 40
        assert length in kept[-1]
    num_kept = len(kept)
    for length in (1024, 4096):
        sizer.lower(length, 1 << 20)
        predictor.predict(batches(40, 40)[0])
        stream = predictor.stream(batches(40, 10))
        next(stream)
        stream.close()
    assert len(kept) == num_kept
    list(predictor.stream(batches(40, 10)))
    assert {64, 256, 1024, 4096} <= kept[-1]


class Wanting(LateDevice):
    """Counts how often its memory is asked for."""

    num_asked = 0

    def memory(self) -> Memory:
        self.num_asked += 1
        return Memory(1, 100)


def test_times_and_memory_are_taken_of_the_batches_that_were_chosen_for_them() -> None:
    recorded = []

    class Watched(BatchSizer):
        def record(self, choice: Choice, **what: Any) -> None:
            recorded.append((choice, what))
            super().record(choice, **what)

    sizer = Watched(learned={4: LearnedSize(64, None, {64: 1.0}, settled=True)})
    options = BatchOptions(overlap=False, dedupe=False)
    list(Predictor(LocalModel(Wanting(set()), sizer), SIGNATURE, options).stream(batches(500, 100)))
    assert recorded == []
    sizer = Watched(start_tokens=64)
    device = Wanting(set())
    list(Predictor(LocalModel(device, sizer), SIGNATURE, options).stream(batches(500, 100)))
    assert {choice.purpose for choice, _ in recorded} == {"trial", "compare"}
    assert all(what["memory"] == Memory(1, 100) for _, what in recorded)
    # Once when the model is made, and once at least to take stock.
    assert device.num_asked >= len(recorded) + 2
    assert all(what["tokens"] <= choice.tokens for choice, what in recorded)
