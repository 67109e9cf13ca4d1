"""Run batches: start one while another is under way, and put what comes out in its window."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from spark_infer.backends import Backend
from spark_infer.engine.failures import Failure, FailureLimits, Isolation
from spark_infer.engine.metrics import Metrics
from spark_infer.engine.options import BatchOptions
from spark_infer.engine.sizing import BatchSizer
from spark_infer.engine.work import Result, Work, count
from spark_infer.tensors.arrow.leaves import Array, Rows

Finish = Callable[[], None]


@dataclass(frozen=True)
class Batch:
    """Rows that run together.

    Attributes:
        work: The window they belong to.
        rows: Their positions in it.
        length: Padded length, summed over the ragged inputs; 1 without any.
        tensors: What the model gets.
        seconds: What it took to assemble them.
        error: Why there are no tensors.
    """

    work: Work
    rows: Rows
    length: int
    tensors: dict[str, Array]
    seconds: float = 0.0
    error: Exception | None = None


class Runner:
    """Runs batches on a backend.

    One thread starts batches, and one, which may be another, finishes them in the same order.

    Args:
        backend: The model.
        options: What to do with rows that fail, and when to give up.
        sizer: Learns from how batches went.
        metrics: Where to count.

    Attributes:
        limits: When there are too many failures.
        observes: Whether the time of every batch is recorded.
    """

    def __init__(
        self, backend: Backend, options: BatchOptions, sizer: BatchSizer, metrics: Metrics
    ) -> None:
        self._backend = backend
        self._learns = options.batch_size == "auto"
        self.observes = self._learns and backend.runs_at_once
        self._sizer = sizer
        self.limits = FailureLimits(options)
        self._isolation = Isolation(backend, options, sizer, self.limits, metrics)
        # A batch that fails when it is finished runs again while others are started.
        self._turn = threading.Lock()
        self.count_into(metrics)

    def count_into(self, metrics: Metrics) -> None:
        """Count into these metrics from now on."""
        self._metrics = metrics
        self._isolation.metrics = metrics

    def max_rows(self) -> int | None:
        """Return the most rows that a batch should have, where rows fail; None where none do."""
        return self._isolation.cost.max_rows()

    def start(self, batch: Batch) -> Finish:
        """Start a batch. What is returned waits for its outputs and puts them in the window.

        Raises:
            PredictionError: The model failed and the options say stop, or it returned something
                that does not fit the signature; also raised by what is returned.
        """
        start = time.perf_counter()
        self._isolation.cost.count_rows(count(batch.rows))
        with self._turn:
            if batch.error is not None:
                get_results = self._again(batch, "assemble", batch.error, batch.seconds)
            else:
                get_results = self._submit(batch)
        started = time.perf_counter() - start

        def finish() -> None:
            # Only this thread adds to the window and to the seconds of the stage.
            start = time.perf_counter()
            results = get_results()
            seconds = started + time.perf_counter() - start
            batch.work.run_seconds += seconds
            self._metrics.spent("run", seconds)
            with self._metrics.timed("unpack"):
                for result in results:
                    for reason in batch.work.put(result):
                        self.limits.count_reject(reason)

        return finish

    def _submit(self, batch: Batch) -> Callable[[], list[Result]]:
        start = time.perf_counter()
        longest = batch.work.longest(batch.tensors)
        is_wanted = self._is_wanted(batch)
        try:
            pending = self._backend.submit(batch.tensors)
            outputs = pending() if is_wanted else None
        except Exception as error:
            # A model may raise anything.
            return self._again(batch, "run", error, time.perf_counter() - start)
        if outputs is not None:
            self._learn(batch, batch.seconds + time.perf_counter() - start)
            return lambda: [Result(batch.rows, outputs, longest)]

        def wait() -> list[Result]:
            start = time.perf_counter()
            try:
                return [Result(batch.rows, pending(), longest)]
            except Exception as error:
                # A model may raise anything.
                with self._turn:
                    return self._again(batch, "run", error, time.perf_counter() - start)()

        return wait

    def _again(
        self, batch: Batch, stage: str, error: Exception, seconds: float
    ) -> Callable[[], list[Result]]:
        failure = Failure(stage, error, seconds)
        results = list(self._isolation.results(batch.work, batch.rows, batch.length, failure))
        return lambda: results

    def _is_wanted(self, batch: Batch) -> bool:
        """Tell whether the time of a batch is to be recorded."""
        rows = count(batch.rows)
        return self.observes or (
            self._learns and self._sizer.is_wanted(batch.length, rows * batch.length, rows)
        )

    def _learn(self, batch: Batch, seconds: float) -> None:
        rows = count(batch.rows)
        tokens = rows * batch.length
        is_trial = self._sizer.is_trial(batch.length, tokens, rows)
        memory = self._backend.memory() if is_trial else None
        self._sizer.record(batch.length, tokens, rows, seconds, memory=memory)
