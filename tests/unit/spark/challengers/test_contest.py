"""Challengers in a task: what becomes of the champion's rows when they fail, or reading does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("pyspark")

import spark_infer as si
from spark_infer.backends import FunctionBackend
from spark_infer.engine import Predictor
from spark_infer.model import BatchOptions, LocalModel
from spark_infer.spark.challengers import Challenger, Contest
from spark_infer.spark.challengers.shared import Shared
from spark_infer.spark.columns.arrival import Arrival
from spark_infer.spark.tasks.tally import Tally

SIGNATURE = si.Signature(inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("score")])


class Reference:
    """Loads a model of a function, or raises."""

    def __init__(self, function: Callable[[Any], Any], options: BatchOptions) -> None:
        self.function = function
        self.options = options

    def predictor(self, signature: Any, packed: Any, metrics: Any) -> Predictor:
        model = LocalModel(FunctionBackend(self.function))
        return Predictor(model, signature, self.options, metrics=metrics)


class Added:
    """Takes what a task has counted."""

    def __init__(self) -> None:
        self.tally = Tally()

    def add(self, tally: Tally) -> None:
        self.tally = self.tally + tally


def batches(*sizes: int) -> Iterator[pa.RecordBatch]:
    at = 0
    for size in sizes:
        numbers = [float(n) for n in range(at, at + size)]
        yield pa.RecordBatch.from_arrays([pa.array(numbers), pa.array(numbers)], names=["0", "1"])
        at += size


def scored(batch: pa.RecordBatch) -> pa.RecordBatch:
    reasons = pa.nulls(batch.num_rows, pa.string())
    return pa.RecordBatch.from_arrays(
        [batch.column(0).cast(pa.float32()), reasons], names=["score", "rejected_reason"]
    )


def run(
    function: Callable[[Any], Any], rows: Iterator[pa.RecordBatch], **options: Any
) -> tuple[list[list[float | None]], Any]:
    """Run a challenger beside a champion that says what it reads."""
    reference: Any = Reference(
        function, BatchOptions(on_error="reject", max_rejected_share=1.0, **options)
    )
    challenger = Challenger("next", reference, SIGNATURE, {"score": "number"}, 0.1, True)
    added: Any = Added()
    arrival = Arrival(SIGNATURE, frozenset(), (1,))
    contest = Contest([(challenger, arrival)], added).begin(rows)
    assert contest.column_names == ["next_score"]
    found = []
    try:
        for batch in contest.champion:
            (column,) = contest.beside(scored(batch))
            assert len(column) == batch.num_rows
            found.append(column.to_pylist())
    finally:
        contest.close()
    return found, added.tally.total()["next"]


@pytest.mark.parametrize("overlap", [False, True])
def test_predictions_come_in_step(overlap: bool) -> None:
    found, told = run(lambda x: x + 1, batches(2, 0, 3), overlap=overlap)
    assert found == [[1.0, 2.0], [], [3.0, 4.0, 5.0]]
    assert (told.rows, told.compared, told.failed) == (5, 5, 0)
    assert told.run_seconds > 0


def test_rows_that_it_rejects_are_its_own() -> None:
    def model(x: Any) -> Any:
        if (x == 1).any():
            raise ValueError("one is none of mine")
        return x

    found, told = run(model, batches(3))
    assert found == [[0.0, None, 2.0]]
    assert (told.compared, told.by_challenger, told.failed) == (2, 1, 0)
    assert "one is none of mine" in told.problem


@pytest.mark.parametrize("overlap", [False, True])
def test_one_that_fails_as_a_whole_has_nulls_from_then_on(overlap: bool) -> None:
    def model(x: Any) -> Any:
        return x.reshape(1, -1) if (x == 2).any() else x

    found, told = run(model, batches(2, 2, 2), overlap=overlap)
    assert found[2] == [None, None]
    assert sum(len(rows) for rows in found) == told.rows == 6
    assert told.failed >= 4
    assert told.compared + told.failed == 6
    assert told.problem.startswith("PredictionError: ")


def test_one_that_cannot_be_loaded_has_nulls(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(*_: Any) -> Any:
        raise MemoryError("no room")

    monkeypatch.setattr(Reference, "predictor", loaded)
    found, told = run(lambda x: x, batches(1, 1))
    assert found == [[None], [None]]
    assert (told.failed, told.by_challenger, told.problem) == (2, 2, "MemoryError: no room")


@pytest.mark.parametrize("overlap", [False, True])
def test_what_reading_raises_is_no_challengers_failure(overlap: bool) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from batches(2)
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="the file is gone"):
        run(lambda x: x, broken(), overlap=overlap)


def test_everybody_gets_each_record_batch_once_whoever_asks() -> None:
    shared = Shared(batches(*[1] * 200), 4)
    shared.leave(3)
    found: list[list[float]] = [[] for _ in range(4)]

    def take(number: int) -> None:
        for batch in shared.of(number):
            found[number] += batch.column(0).to_pylist()

    threads = [threading.Thread(target=take, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[:3] == [[float(n) for n in range(200)]] * 3
    assert found[3] == []
