"""The steps of a run: which one it is in, what each took, and a sign of life meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pyspark import Accumulator

from spark_infer.metrics import Metrics
from spark_infer.warehouse.progress import Counting, Progress, Watch

_log = logging.getLogger(__name__)


class Steps:
    """Measures the steps of a run, and tells of them in the log.

    Args:
        on_step: Is called with the name of each step before it begins, and when it has failed.
            What it raises ends the run.
        on_progress: Is called about twice a second with how far the step is; without it the log
            has a line every ten seconds.

    Attributes:
        current: The step that has begun last; ``""`` before the first.
        seconds: Wall-clock seconds of each step that has ended, well or not.
        is_stopped: Whether ``on_step`` has raised.
        throughput: How many rows were scored when, as JSON data for the report.
    """

    def __init__(
        self,
        on_step: Callable[[str], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._on_step = on_step
        self._on_progress = on_progress
        self._watch: Watch | None = None
        self.current = ""
        self.is_stopped = False
        self.seconds: dict[str, float] = {}
        self.throughput: list[dict[str, float]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step; tell how far it is while it goes on, and log at its end what it took."""
        self._ask(name)
        self.current = name
        start = time.perf_counter()
        self._watch = watch = Watch(name, self._on_progress)
        watch.begin()
        try:
            yield
        except Exception:
            # It may have failed because somebody stops the run. Its error says more.
            with suppress(BaseException):
                self._ask(name)
            raise
        finally:
            watch.end()
            self.seconds[name] = round(time.perf_counter() - start, 3)
        _log.info("%s: %.1f s", name, self.seconds[name])

    @contextmanager
    def counting(self, metrics: Accumulator[Metrics], of_read: int | None) -> Iterator[None]:
        """Have the step that goes on tell of rows as well.

        Args:
            metrics: Where its tasks count.
            of_read: See ``Progress``.
        """
        assert self._watch is not None
        watch, counting = self._watch, Counting(metrics, of_read)
        watch.counting = counting
        try:
            yield
        finally:
            watch.counting = None
            with suppress(Exception):  # It is for the report, and no reason to fail.
                counting.look(watch.seconds)
            self.throughput = [{"seconds": s, "rows": n} for s, n in counting.points]

    def _ask(self, name: str) -> None:
        if self._on_step is None:
            return
        try:
            self._on_step(name)
        except BaseException:
            self.is_stopped = True
            raise
