"""A model in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable
from types import NoneType

from spark_infer.backends import Backend, Memory
from spark_infer.bundle.documents import check_kind, shown
from spark_infer.errors import ConfigError
from spark_infer.metrics import Metrics
from spark_infer.model.background import in_background
from spark_infer.model.failures import Isolation, RerunCost
from spark_infer.model.model import Window
from spark_infer.model.options import BatchOptions
from spark_infer.model.plan import Plan
from spark_infer.model.run import Run, Running
from spark_infer.model.sizing import BatchSizer

_AHEAD = 2
"""Batches that are assembled, or run, before the next stage takes them."""
_STOCK_SECONDS = 1.0
"""From one look at the memory to the next."""


class LocalModel:
    """Runs rows on a backend of this process. Threads may share it.

    Args:
        backend: The loaded model.
        sizer: What is known of its batch sizes; None to begin anew.

    Raises:
        ConfigError: An argument is of another kind.
    """

    def __init__(self, backend: Backend, sizer: BatchSizer | None = None) -> None:
        if not callable(getattr(backend, "submit", None)):
            raise ConfigError(
                f"a model needs a backend, got {shown(backend)}; load a bundle's model with "
                "load_model(path)"
            )
        wanted = "a BatchSizer or None"
        check_kind(sizer, (BatchSizer, NoneType), name="sizer", wanted=wanted)
        self._backend = backend
        self._sizer = sizer or BatchSizer()
        self._sizer.note_idle(backend.memory())
        self._cost = RerunCost()
        self._turn = threading.Lock()
        self._stock_taken = -_STOCK_SECONDS
        self.row_independent = backend.row_independent
        self.stochastic = backend.stochastic
        self.waits = not backend.runs_at_once

    def run(
        self,
        windows: Iterable[Window],
        options: BatchOptions,
        metrics: Metrics,
        *,
        overlap: bool = False,
    ) -> Generator[Running, None, None]:
        """Run rows of windows, see ``Model``."""
        isolation = Isolation(self._backend, options, self._sizer, self._cost, metrics, self._turn)
        run = Run(self._backend, self._sizer, self._cost, isolation, self._turn)
        looks = self._backend.runs_at_once
        plan = Plan(options, self._sizer, self._cost, metrics, looks=looks)
        batches = plan.batches(windows)
        if overlap:
            batches = in_background(batches, capacity=_AHEAD, name="spark_infer assemble")
        running = run.started(batches)
        if overlap:
            running = in_background(running, capacity=_AHEAD, name="spark_infer run")
        try:
            for in_flight in running:
                self._take_stock(metrics)
                yield in_flight
            self._take_stock(metrics, at_last=True)
        finally:
            running.close()
            self._sizer.keep()

    def _take_stock(self, metrics: Metrics, *, at_last: bool = False) -> None:
        """Count what is the same for all batches; now and then, for it asks the system."""
        now = time.monotonic()
        if now < self._stock_taken + _STOCK_SECONDS and not at_last:
            return
        self._stock_taken = now
        peak = self._backend.memory().peak_bytes
        metrics.peak_memory_bytes = max(metrics.peak_memory_bytes, peak)
        metrics.learned |= self._sizer.learned()
        # A worker of Spark may end with its task, and without a word.
        self._sizer.keep(at_last=at_last)

    def memory(self) -> Memory:
        """Return the memory of the device on which it runs."""
        return self._backend.memory()

    def close(self) -> None:
        """Give back the memory that is kept for later batches. It can be used again."""
        self._backend.release()
