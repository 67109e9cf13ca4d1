"""Ctrl-C and SIGTERM: the run ends in order, with one line, and leaves nothing running."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GRACE_SECONDS = 60.0
_LAST_SECONDS = 5.0


class Stopped(BaseException):
    """A signal ended the command."""


class Stop:
    """Runs a command that signals can stop.

    The command runs in a thread of its own, so that this one is free for signals. When one comes,
    Spark's jobs are cancelled: the call that waits for them fails, and all is cleared away as after
    any failure. A command that is between two steps ends there. A second signal, or a minute
    without an end, ends the process as it is.

    Attributes:
        signal: The signal that came, or None.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def check(self, step: str) -> None:
        """End the command before its next step, when a signal has come.

        Raises:
            Stopped: One has.
        """
        if self.signal is not None:
            raise Stopped(f"nothing was written, it was before step {step!r}")

    def run(self, command: Callable[[], object]) -> None:
        """Run a command to its end, and raise what it raises.

        Raises:
            Stopped: A signal came, and the command has not said what that meant for it.
        """
        raised: list[BaseException] = []
        # Not join: a thread whose join was cut off counts as ended (Python before 3.13).
        done = threading.Event()

        def work() -> None:
            try:
                command()
            except BaseException as error:
                raised.append(error)
            finally:
                done.set()

        with self._watching():
            try:
                threading.Thread(target=work, daemon=True).start()
                done.wait()
            except Stopped:
                self._cancel(done)
        if raised:
            raise raised[0]
        if not done.is_set():
            raise Stopped("it did not end in time")

    def end(self) -> NoReturn:
        """End Spark's JVM where this process has started one, and then the process.

        Its exit code is what a shell says of a process that a signal ended: 130 or 143.
        """
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        sys.stderr.flush()
        # What threads say about a JVM that goes away is no news.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stderr__.fileno() if sys.__stderr__ else 2)
        jvm = sys.modules.get("spark_infer.spark.driver.jvm")
        if jvm is not None:
            jvm.end()
        os._exit(128 + (self.signal or 0))

    @contextmanager
    def _watching(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.signal is not None:
            self.end()
        self.signal = signal.Signals(number)
        raise Stopped

    def _cancel(self, done: threading.Event) -> None:
        # Before Spark is up nothing can be half done, and its start cannot be cancelled.
        patience = _LAST_SECONDS if _context() is None else _GRACE_SECONDS
        deadline = time.monotonic() + patience
        while not done.wait(0.2) and time.monotonic() < deadline:
            with contextlib.suppress(Exception):  # Whatever fails here, the command will end.
                _context().cancelAllJobs()


def _context() -> Any:
    """Return the running context. Nothing is imported: without the module there is none."""
    kind = getattr(sys.modules.get("pyspark"), "SparkContext", None)
    return getattr(kind, "_active_spark_context", None)
