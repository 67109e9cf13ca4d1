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
from typing import Any, NoReturn, TextIO

_STDERR = 2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GRACE_SECONDS = 60.0
_START_SECONDS = 1.0
_POLL_SECONDS = 0.2


class Stopped(BaseException):
    """A signal ended the command."""


class Stop:
    """Runs a command that signals can stop.

    The command runs in a thread of its own, so that this one is free for signals. When one comes,
    Spark's jobs and a database's statements are cancelled: the call that waits for them fails, and
    all is cleared away as after any failure. A command that is between two steps ends there. A
    second signal, or a minute without an end, ends the process as it is.

    Attributes:
        signal: The signal that came, or None.
        stream: The error stream. After a signal it is the only one: what threads say about a JVM
            that goes away, perhaps by the same signal, is no news.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.stream: TextIO = sys.stderr
        self._unfinished = "it did not end in time"

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
                # With a limit: a signal that another thread receives wakes nobody.
                while not done.wait(_POLL_SECONDS):
                    pass
            except Stopped:
                self._cancel(done)
        if raised:
            raise raised[0]
        if not done.is_set():
            raise Stopped(self._unfinished)

    def end(self) -> NoReturn:
        """End Spark's JVM where this process has started one, and then the process.

        Its exit code is what a shell says of a process that a signal ended: 130 or 143.
        """
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self.stream.flush()
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
        sys.stderr.flush()
        self.stream = os.fdopen(os.dup(_STDERR), "w")
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDERR)
        raise Stopped

    def _cancel(self, done: threading.Event) -> None:
        deadline = time.monotonic() + _GRACE_SECONDS
        if _context() is None:
            # Nothing can be half done, and the start of Spark cannot be cancelled.
            deadline = time.monotonic() + _START_SECONDS
            self._unfinished = "nothing was written, Spark was still starting"
        while not done.wait(_POLL_SECONDS) and time.monotonic() < deadline:
            with contextlib.suppress(Exception):  # Whatever fails here, the command will end.
                _context().cancelAllJobs()
                _cancel_statements()


def _cancel_statements() -> None:
    """Have the call of a database fail that waits for one, such as for another's lock."""
    connection = sys.modules.get("spark_infer.warehouse.sinks.jdbc.postgresql.connection")
    if connection is not None:
        connection.cancel_all()


def _context() -> Any:
    """Return the running context. Nothing is imported: without the module there is none."""
    kind = getattr(sys.modules.get("pyspark"), "SparkContext", None)
    return getattr(kind, "_active_spark_context", None)
