"""How far a run is, on the error stream: one line of a terminal, or a line now and then."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from spark_infer.cli.output import is_closed

if TYPE_CHECKING:
    from spark_infer.warehouse.progress import Progress

_LINE_SECONDS = 10.0
"""Between two lines where there is no terminal."""
_CLEAR = "\r\x1b[K"
_log = logging.getLogger("spark_infer")


@contextmanager
def told(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Yield what is to be called with how far the run is.

    Args:
        quiet: Whether nothing is told, and nothing but warnings is logged.
    """
    stream = sys.stderr
    if quiet:
        level = _log.level
        _log.setLevel(logging.WARNING)
        try:
            yield lambda progress: None
        finally:
            _log.setLevel(level)
    elif is_closed(stream) or not stream.isatty():
        yield PlainLines().tell
    else:
        # A signal closes the error stream to all but the last message, and this is to end before.
        own = os.fdopen(os.dup(stream.fileno()), "w")
        line = TerminalLine(own)
        handlers = logging.getLogger().handlers
        for handler in handlers:
            handler.addFilter(line.make_room)
        try:
            yield line.tell
        finally:
            for handler in handlers:
                handler.removeFilter(line.make_room)
            line.end()
            own.close()


class PlainLines:
    """A line of the log every ten seconds of a step."""

    def __init__(self) -> None:
        self._step = ""
        self._last = 0.0

    def tell(self, progress: Progress) -> None:
        """Say how far a step is, if that was not said just now."""
        if progress.step != self._step:
            self._step, self._last = progress.step, 0.0
        if progress.seconds - self._last >= _LINE_SECONDS:
            self._last = progress.seconds
            _log.info("%s", progress)


class TerminalLine:
    """One line of a terminal, written anew each time, above which the log goes on.

    Args:
        stream: The terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._is_there = False
        self._has_ended = False

    def tell(self, progress: Progress) -> None:
        """Write how far a step is."""
        width = shutil.get_terminal_size().columns
        with self._lock:
            if not self._has_ended:
                self._stream.write(f"{_CLEAR}{str(progress)[: width - 1]}")
                self._stream.flush()
                self._is_there = True

    def make_room(self, record: logging.LogRecord) -> bool:
        """Clear the line for one of the log; a filter of a handler, which passes all."""
        with self._lock:
            self._clear()
        return True

    def end(self) -> None:
        """Clear the line, and write none again."""
        with self._lock:
            self._has_ended = True
            self._clear()

    def _clear(self) -> None:
        if not self._is_there:
            return
        self._is_there = False
        try:
            self._stream.write(_CLEAR)
            self._stream.flush()
        except OSError:  # Nobody reads any more; the run goes on.
            self._has_ended = True
