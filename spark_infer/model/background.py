"""Run an iterator in a thread of its own, a bounded number of items ahead of its consumer."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

_logger = logging.getLogger("spark_infer")


def in_background(
    items: Iterable[T], *, capacity: int, name: str, stop_seconds: float = 5.0
) -> Generator[T, None, None]:
    """Iterate in a daemon thread while the caller works on the items that came before.

    The thread starts with the first item that is asked for. It makes the next item only when
    there is room for it, and what it raises is raised here, with its traceback, after the items
    made before. When the caller stops early (closes or drops the generator, or fails), the thread
    ends after the item that it is making. The thread closes the iterator it ran, if that has a
    ``close``, however the iteration ends.

    Args:
        items: What to iterate over.
        capacity: Most items that are made and not yet taken; at least 1.
        name: Name of the thread.
        stop_seconds: Longest wait for the thread to end after an early stop. A thread that is
            stuck in ``items`` for longer is left behind; it ends when it gets out.
    """
    assert capacity >= 1, capacity
    link: _Link[T] = _Link()
    # The first item needs no leave.
    for _ in range(capacity - 1):
        link.leave.put(None)
    # The thread must not refer to this generator: it would keep alive what its end waits for.
    thread = threading.Thread(target=_produce, args=(items, link), name=name, daemon=True)
    thread.start()
    try:
        while not isinstance(item := link.made.get(), _End):
            link.leave.put(None)
            yield item
            del item  # or it would be kept while the next one is awaited
        if item.error is not None:
            raise item.error
    finally:
        item = None  # type: ignore[assignment]  # breaks the cycle of error, traceback and frame
        link.stopped = True
        link.leave.put(None)
        # The garbage collector may close this generator in any thread, and at exit, when daemon
        # threads no longer run.
        if thread is not threading.current_thread() and not sys.is_finalizing():
            thread.join(stop_seconds)


@dataclass(frozen=True)
class _End:
    error: BaseException | None


@dataclass
class _Link(Generic[T]):
    """What a thread and its consumer share.

    Attributes:
        made: Items on their way to the consumer, then the end.
        leave: One entry for each further item that the thread may make, and one to wake it up.
        stopped: The consumer takes no more.
    """

    made: SimpleQueue[T | _End] = field(default_factory=SimpleQueue)
    leave: SimpleQueue[None] = field(default_factory=SimpleQueue)
    stopped: bool = False


def _produce(items: Iterable[T], link: _Link[T]) -> None:
    """Iterate until the end, an error or the consumer's stop, and say so at last."""
    try:
        source = iter(items)
        try:
            for item in source:
                link.made.put(item)
                del item  # it is the consumer's now
                link.leave.get()
                if link.stopped:
                    break
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()
    except BaseException as error:
        if link.stopped:
            name = threading.current_thread().name
            _logger.warning("%s failed after its consumer had stopped", name, exc_info=error)
        link.made.put(_End(error))
    else:
        link.made.put(_End(None))
