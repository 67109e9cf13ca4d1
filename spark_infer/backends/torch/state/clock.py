"""Whether a model's code asks for the time: a program would keep the time at which it was saved."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from spark_infer.backends.torch.state.code import UserCode

_FUNCTIONS = (time.time, time.time_ns)
_METHODS = frozenset({"now", "today", "utcnow"})


class ClockWatch:
    """Notes where the user's code asks for the time. What only measures how long it takes may.

    Args:
        code: Whose code counts.

    Attributes:
        found: The first place, or None: function, file and line.
    """

    def __init__(self, code: UserCode) -> None:
        self.found: str | None = None
        self._code = code

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch what this thread runs in the block."""
        before = sys.getprofile()
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(before)

    def _note(self, frame: FrameType, event: str, called: Any) -> None:
        if event != "c_call" or self.found is not None or not _tells_time(called):
            return
        if self._code.has(frame.f_globals.get("__name__")):
            place = f"{frame.f_code.co_filename}, line {frame.f_lineno}"
            self.found = f"{called.__qualname__}() in {place}"


def _tells_time(called: Any) -> bool:
    if called in _FUNCTIONS:
        return True
    owner = getattr(called, "__self__", None)
    return isinstance(owner, type) and issubclass(owner, dt.date) and called.__name__ in _METHODS
