"""Run batches: start one while another is under way."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from threading import Lock

from spark_infer.backends import Backend, Pending
from spark_infer.model.deadline import PENDING
from spark_infer.model.failures import Failure, Isolation, RerunCost
from spark_infer.model.model import Result
from spark_infer.model.plan import Batch
from spark_infer.model.sizing import BatchSizer


class Late:
    """In the place of what a model says of rows: there was no time to ask."""


class Running:
    """A batch that was started; an ``InFlight``.

    It keeps no tensors: what has to run again is assembled anew.

    Attributes:
        ends_window: Whether it is the last of its window.
        seconds: What it took to run it; known when all results are taken.
    """

    def __init__(
        self,
        batch: Batch,
        outcome: Pending | Failure | Late | None,
        seconds: float,
        isolation: Isolation,
    ) -> None:
        self._window, self._rows, self._length = batch.window, batch.rows, batch.length
        self._longest = batch.longest
        self._outcome = outcome
        self._isolation = isolation
        self._metrics = isolation.metrics
        self.ends_window = batch.ends_window
        self.seconds = seconds

    def results(self) -> Iterator[Result]:
        """Wait for what comes of the rows, part by part."""
        results = self._results()
        while True:
            # What the caller does with a result takes no time of the model.
            start = time.perf_counter()
            result = next(results, None)
            self.seconds += time.perf_counter() - start
            if result is None:
                self._metrics.spent("run", self.seconds)
                return
            yield result

    def _results(self) -> Iterator[Result]:
        outcome, self._outcome = self._outcome, None
        if outcome is None:
            return
        if isinstance(outcome, Late):
            yield Result(self._rows, reason=PENDING, is_late=True)
            return
        if not isinstance(outcome, Failure):
            start = time.perf_counter()
            try:
                outputs = outcome()
            except Exception as error:
                # A model may raise anything.
                outcome = Failure("run", error, time.perf_counter() - start)
            else:
                yield Result(self._rows, outputs, self._longest)
                return
        yield from self._isolation.results(self._window, self._rows, self._length, outcome)


class Run:
    """Starts batches on a backend, and learns from the time that they take.

    One thread starts batches; what comes of them may be taken by another, in the same order.

    Args:
        backend: The model.
        sizer: Learns from how batches went.
        cost: Is told how many rows run.
        isolation: Finds the rows at fault.
        turn: Is held by whoever uses the backend.
    """

    def __init__(
        self,
        backend: Backend,
        sizer: BatchSizer,
        cost: RerunCost,
        isolation: Isolation,
        turn: Lock,
    ) -> None:
        self._backend = backend
        self._sizer = sizer
        self._cost = cost
        self._isolation = isolation
        self._turn = turn

    def started(self, batches: Generator[Batch, None, None]) -> Generator[Running, None, None]:
        """Start one batch after the other."""
        try:
            for batch in batches:
                running = self._start(batch)
                # Its tensors may be large, and are not needed while the next one is awaited.
                del batch
                yield running
        finally:
            batches.close()

    def _start(self, batch: Batch) -> Running:
        if not len(batch.rows):
            return Running(batch, None, 0.0, self._isolation)
        if batch.is_late:
            return Running(batch, Late(), 0.0, self._isolation)
        if batch.error is not None:
            failure = Failure("assemble", batch.error, batch.seconds)
            return Running(batch, failure, 0.0, self._isolation)
        start = time.perf_counter()
        self._cost.count_rows(len(batch.rows))
        outcome: Pending | Failure
        try:
            with self._turn:
                outcome = self._submitted(batch, start)
        except Exception as error:
            # A model may raise anything.
            outcome = Failure("run", error, time.perf_counter() - start)
        return Running(batch, outcome, time.perf_counter() - start, self._isolation)

    def _submitted(self, batch: Batch, start: float) -> Pending:
        pending = self._backend.submit(batch.tensors)
        if not batch.choice.wants_time:
            return pending
        outputs = pending()
        self._learn(batch, batch.seconds + time.perf_counter() - start)
        return lambda: outputs

    def _learn(self, batch: Batch, seconds: float) -> None:
        self._sizer.record(
            batch.choice,
            length=batch.length,
            tokens=len(batch.rows) * batch.length,
            seconds=seconds,
            memory=self._backend.memory() if batch.choice.wants_memory else None,
        )
