"""A task whose time is over: it reads its rows to the end, and asks nobody about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("pyspark")

import spark_infer as si
from spark_infer.backends import FunctionBackend
from spark_infer.engine import Predictor
from spark_infer.metrics import Metrics
from spark_infer.model import BatchOptions, LocalModel, deadline
from spark_infer.model.deadline import PENDING
from spark_infer.spark.tasks.predict_task import PredictTask
from spark_infer.spark.tasks.tally import Tally

SIGNATURE = si.Signature(inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("y")])


class Reference:
    """A model that moves the clock, in the place of a bundle's."""

    def __init__(self, clock: list[float], **options: Any) -> None:
        self.options = BatchOptions(until=10.0, batch_size=1, **options)
        self.clock = clock
        self.loaded = 0

    def predictor(self, signature: Any, packed: Any, metrics: Metrics) -> Predictor:
        def model(x: Any) -> Any:
            self.clock[0] += 1
            return x

        self.loaded += 1
        return Predictor(
            LocalModel(FunctionBackend(model)), signature, self.options, metrics=metrics
        )


class Added:
    """Takes what a task has counted."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def add(self, other: Any) -> None:
        self.value = self.value + other


def batches(clock: list[float], seconds: float) -> Iterator[pa.RecordBatch]:
    for start in (0, 3, 6):
        numbers = list(range(start, start + 3))
        yield pa.RecordBatch.from_arrays(
            [pa.array(numbers, pa.float32()), pa.array([f"k{n}" for n in numbers])],
            names=["0", "1"],
        )
        clock[0] += seconds


@pytest.mark.parametrize(
    ("start", "seconds", "predicted"), [(0.0, 0.0, 9), (8.0, 0.0, 2), (0.0, 5.0, 5), (10.0, 0.0, 0)]
)
@pytest.mark.parametrize("overlap", [False])
def test_each_row_comes_back_with_a_prediction_or_as_pending(
    monkeypatch: pytest.MonkeyPatch, start: float, seconds: float, predicted: int, overlap: bool
) -> None:
    clock = [start]
    monkeypatch.setattr(deadline, "now", lambda: clock[0])
    metrics, pending = Added(Metrics()), Added(Tally())
    reference: Any = Reference(clock, overlap=overlap)
    accumulators: Any = metrics, pending
    task = PredictTask(
        reference,
        SIGNATURE,
        frozenset(),
        1,
        ("key",),
        accumulators[0],
        "task",
        None,
        None,
        accumulators[1],
    )
    found = [row for batch in task(batches(clock, seconds)) for row in batch.to_pylist()]
    assert [row["key"] for row in found] == [f"k{n}" for n in range(9)]
    for n, row in enumerate(found):
        late = n >= predicted
        assert row["y"] == (None if late else n)
        assert row["rejected_reason"] == (PENDING if late else None)
    assert reference.loaded == (1 if predicted else 0)
    assert pending.value.total() == {PENDING: 9 - predicted}
    assert metrics.value.num_rows == 9
    assert metrics.value.num_pending == 9 - predicted
    assert metrics.value.num_rejected == 0
