"""The steps of a run: which one it is in, what each took, and a sign of life meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pyspark import SparkContext

from spark_infer.spark.failures import SPARK_FAILURES

_LIFE_SECONDS = 10.0
_log = logging.getLogger(__name__)


class Steps:
    """Measures the steps of a run, and tells of them in the log.

    Args:
        on_step: Is called with the name of each step before it begins, and when it has failed.
            What it raises ends the run.

    Attributes:
        current: The step that has begun last; ``""`` before the first.
        seconds: Wall-clock seconds of each step that has ended, well or not.
        is_stopped: Whether ``on_step`` has raised.
    """

    def __init__(self, on_step: Callable[[str], None] | None = None) -> None:
        self._on_step = on_step
        self.current = ""
        self.is_stopped = False
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step; log every ten seconds that it goes on, and at its end what it took."""
        self._ask(name)
        self.current = name
        start = time.perf_counter()
        done = threading.Event()
        alive = threading.Thread(target=_tell, args=(name, start, done), daemon=True)
        alive.start()
        try:
            yield
        except Exception:
            # It may have failed because somebody stops the run. Its error says more.
            with suppress(BaseException):
                self._ask(name)
            raise
        finally:
            done.set()
            alive.join()
            self.seconds[name] = round(time.perf_counter() - start, 3)
        _log.info("%s: %.1f s", name, self.seconds[name])

    def _ask(self, name: str) -> None:
        if self._on_step is None:
            return
        try:
            self._on_step(name)
        except BaseException:
            self.is_stopped = True
            raise


def _tell(name: str, start: float, done: threading.Event) -> None:
    while not done.wait(_LIFE_SECONDS):
        _log.info("%s: %.0f s so far%s", name, time.perf_counter() - start, _tasks())


def _tasks() -> str:
    """Return how far Spark is with what it runs, where it runs anything."""
    context = SparkContext._active_spark_context
    if context is None or getattr(context, "_jsc", None) is None:
        return ""  # It is about to start, or has ended.
    try:
        tracker = context.statusTracker()
        stages = [tracker.getStageInfo(number) for number in tracker.getActiveStageIds()]
    except SPARK_FAILURES:
        return ""
    done = sum(stage.numCompletedTasks for stage in stages if stage)
    of = sum(stage.numTasks for stage in stages if stage)
    return f", {done:,} of {of:,} tasks" if of else ""
