"""Looks at a step from a thread of its own, and tells how far it is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pyspark import Accumulator, SparkContext

from spark_infer.metrics import Metrics
from spark_infer.spark.failures import SPARK_FAILURES
from spark_infer.warehouse.progress.progress import Progress

_LOOK_SECONDS = 0.5
"""Between two looks, and two calls of whoever has asked for it."""
_LIFE_SECONDS = 10.0
"""Between two lines of the log where nobody has."""
_END_SECONDS = 5.0
"""How long a step that has ended waits for whoever is being told of it."""
_MAX_POINTS = 240
_log = logging.getLogger(__name__)


@dataclass
class Counting:
    """What is counted while rows are scored.

    Attributes:
        metrics: What the tasks that have ended have counted.
        of_read: See ``Progress``.
        points: How many rows there were when, as far as that has changed: seconds and rows.
    """

    metrics: Accumulator[Metrics]
    of_read: int | None
    points: list[tuple[float, int]] = field(default_factory=list)

    def look(self, seconds: float) -> Metrics:
        """Return what is counted, and remember how many rows that is."""
        counted = self.metrics.value
        before = self.points[-1][1] if self.points else 0
        if counted.num_rows > before:
            self.points.append((round(seconds, 3), counted.num_rows))
        if len(self.points) > _MAX_POINTS:
            del self.points[-2::-2]
        return counted


class Watch:
    """Tells of one step until it ends. Nothing that goes wrong here reaches the step.

    Args:
        step: The step.
        on_progress: Who is told, about twice a second; None for a line of the log every ten
            seconds.
    """

    def __init__(self, step: str, on_progress: Callable[[Progress], None] | None) -> None:
        self.counting: Counting | None = None
        """What is counted, once it is."""
        self._step = step
        self._on_progress = on_progress
        self._start = time.perf_counter()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def begin(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def end(self) -> None:
        """Stop to tell: nobody is told afterwards, unless it takes him seconds to listen."""
        self._done.set()
        self._thread.join(_END_SECONDS)

    @property
    def seconds(self) -> float:
        """Seconds since the step has begun."""
        return time.perf_counter() - self._start

    def now(self) -> Progress:
        """Return how far the step is."""
        counting, seconds = self.counting, self.seconds
        tasks, of_tasks = tasks_now()
        if counting is None:
            return Progress(step=self._step, seconds=seconds, tasks=tasks, of_tasks=of_tasks)
        counted = counting.look(seconds)
        return Progress(
            step=self._step,
            seconds=seconds,
            rows=counted.num_rows,
            num_read=counted.num_read,
            of_read=counting.of_read,
            tasks=tasks,
            of_tasks=of_tasks,
        )

    def _tell(self) -> None:
        told = 0.0
        while not self._done.wait(_LOOK_SECONDS):
            try:
                if self._on_progress is not None:
                    self._on_progress(self.now())
                elif self.seconds - told >= _LIFE_SECONDS:
                    told = self.seconds
                    _log.info("%s", self.now())
                elif (counting := self.counting) is not None:
                    counting.look(self.seconds)
            except Exception:
                _log.warning("how far step %s is cannot be told", self._step, exc_info=True)
                return


def tasks_now() -> tuple[int, int]:
    """Return how many tasks have ended of those that Spark works at, and how many these are."""
    context = SparkContext._active_spark_context
    if context is None or getattr(context, "_jsc", None) is None:
        return 0, 0  # It is about to start, or has ended.
    try:
        tracker = context.statusTracker()
        stages = [tracker.getStageInfo(number) for number in tracker.getActiveStageIds()]
    except SPARK_FAILURES:
        return 0, 0
    done = sum(stage.numCompletedTasks for stage in stages if stage)
    return done, sum(stage.numTasks for stage in stages if stage)
