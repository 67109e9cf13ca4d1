"""A model need not live in the process that asks it: what crosses is plain data."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from spark_infer.backends import FunctionBackend, Memory, process_memory
from spark_infer.bundle import Output, RaggedInput, ScalarInput, Signature
from spark_infer.engine import Predictor
from spark_infer.errors import TooManyRejects
from spark_infer.metrics import Metrics
from spark_infer.model import BatchOptions, InFlight, LocalModel, Model, Result, Window

SIGNATURE = Signature(
    inputs=[
        ScalarInput("x", columns=["a"], dtype="int64"),
        RaggedInput("r", column="h", dtype="int64"),
    ],
    outputs=[Output("y", dtype="int64"), Output("z", dtype="int64", lengths_of="r")],
)


def function(x: Any, r: Any, r_mask: Any) -> Any:
    if (x % 7 == 3).any():
        raise ValueError("a row of that kind")
    return x[:, 0] + (r * r_mask).sum(1), 2 * r


def serve(connection: Connection) -> None:
    """Run the windows that come through a pipe, one after the other."""
    model = LocalModel(FunctionBackend(function))
    while (asked := connection.recv()) is not None:
        window, options = asked
        metrics = Metrics()
        parts = [
            (list(in_flight.results()), in_flight.ends_window, in_flight.seconds)
            for in_flight in model.run([window], options, metrics)
        ]
        connection.send((parts, metrics))


@dataclass
class Answered:
    found: list[Result]
    ends_window: bool
    seconds: float

    def results(self) -> Iterator[Result]:
        return iter(self.found)


@dataclass
class Client:
    """A model in another process."""

    connection: Connection
    row_independent: bool = True
    stochastic: bool = False
    waits: bool = True
    held: deque[Window] = field(default_factory=deque)

    def run(
        self,
        windows: Iterable[Window],
        options: BatchOptions,
        metrics: Metrics,
        *,
        overlap: bool = False,
    ) -> Generator[InFlight, None, None]:
        for window in windows:
            self.connection.send((window, options))
            parts, counted = self.connection.recv()
            for name, value in vars(metrics + counted).items():
                setattr(metrics, name, value)
            for part in parts:
                yield Answered(*part)

    def memory(self) -> Memory:
        return process_memory()

    def close(self) -> None:
        self.connection.send(None)


@pytest.fixture
def client() -> Iterator[Model]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=serve, args=(theirs,))
    process.start()
    model = Client(ours)
    yield model
    model.close()
    process.join()
    assert process.exitcode == 0


def rows(count: int) -> list[pa.RecordBatch]:
    given = [
        {"a": None if row % 11 == 5 else row, "h": list(range(row % 6))} for row in range(count)
    ]
    schema = pa.schema([("a", pa.int64()), ("h", pa.list_(pa.int64()))])
    return pa.Table.from_pylist(given, schema=schema).to_batches(max_chunksize=37)


@pytest.mark.parametrize("dedupe", [True, False])
def test_a_predictor_does_not_see_where_its_model_is(client: Model, dedupe: bool) -> None:
    options = BatchOptions(window_rows=50, dedupe=dedupe)
    here = Predictor(LocalModel(FunctionBackend(function)), SIGNATURE, options)
    there = Predictor(client, SIGNATURE, options)
    given = rows(400) + rows(100)
    found = [list(predictor.stream(given)) for predictor in (here, there)]
    assert found[0] == found[1]
    assert any(value is None for batch in found[0] for value in batch["y"].to_pylist())
    for name in ("num_rows", "num_rejected", "num_failed", "num_predicted", "num_repeats"):
        assert getattr(here.metrics, name) == getattr(there.metrics, name)


def test_a_tasks_limits_hold_wherever_the_model_is(client: Model) -> None:
    options = BatchOptions(max_rejected_share=0.1)
    with pytest.raises(TooManyRejects, match=r"more than max_rejected_share 0\.1"):
        list(Predictor(client, SIGNATURE, options).stream(rows(2_000)))


def test_rows_that_none_is_left_of(client: Model) -> None:
    schema = pa.schema([("a", pa.int64()), ("h", pa.list_(pa.int64()))])
    empty = pa.Table.from_pylist([], schema=schema).to_batches() or [schema.empty_table()]
    refused = pa.Table.from_pylist([{"a": None, "h": []}] * 3, schema=schema)
    predictor = Predictor(client, SIGNATURE)
    assert [part.num_rows for part in predictor.stream([*empty, refused])] == [0, 3]
    np.testing.assert_equal(predictor.metrics.num_rejected, 3)
