"""pyspark's log of failing queries, which prints what the message says, with its trace, as JSON."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")


class _Filter(logging.Filter):
    """Drops the records of threads that tell failures themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.threads = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(self.threads, "depth", 0)


_filter = _Filter()


@contextmanager
def silent() -> Iterator[None]:
    """Keep pyspark's log silent in this thread; nothing changes for others."""
    try:
        from pyspark.logger import PySparkLogger
    except ImportError:  # Spark 3.5 has no such log.
        yield
        return
    for name in _LOGGERS:
        PySparkLogger.getLogger(name).addFilter(_filter)
    _filter.threads.depth = getattr(_filter.threads, "depth", 0) + 1
    try:
        yield
    finally:
        _filter.threads.depth -= 1
