"""The causes of a Spark error, read from its text: the JVM may be gone when it is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from py4j.protocol import Py4JJavaError

_CALLING = re.compile(r"\AAn error occurred while calling [^\n]*\n: ?")
_NEXT = re.compile(r"\nCaused by: ")
_FRAMES = re.compile(r"\n[ \t]+(?:at |\.\.\. \d+ more)|\nDriver stacktrace:")
_HEAD = re.compile(r"((?:[a-z_]\w*\.)+[A-Z][\w$]*)(?:: (.*)|:?)\Z", re.DOTALL)
# In the first line: further down stand messages, which may say anything.
_LOST_TASK = re.compile(
    r"[^\n]*?Lost task \S+ in stage \S+ \(TID \d+\)(?: \([^)]*\))?: (.*)", re.DOTALL
)
_TRACEBACK = "Traceback (most recent call last):\n"


@dataclass(frozen=True)
class Cause:
    """One link of the chain.

    Attributes:
        kind: Class of a Java exception, in full; of a Python exception, as the traceback ends;
            ``""`` where there is none.
        message: What it says, which may be nothing.
    """

    kind: str
    message: str


def causes(error: BaseException) -> list[Cause]:
    """Return the causes of an error, the outermost first."""
    text = _CALLING.sub("", _text(error))
    return [_cause(_FRAMES.split(block, maxsplit=1)[0]) for block in _NEXT.split(text)]


def _text(error: BaseException) -> str:
    """Return an error's message with the trace of the JVM."""
    # What pyspark has made of an exception keeps its trace, and shows it on request only.
    trace = getattr(error, "_stackTrace", None)
    if isinstance(trace, str) and trace:
        return trace
    try:
        return str(error)
    except Exception:
        # The text of a Java exception is asked for when it is needed, and the JVM may be gone.
        return error.errmsg if isinstance(error, Py4JJavaError) else type(error).__name__


def _cause(text: str) -> Cause:
    text = text.strip()
    if lost := _LOST_TASK.fullmatch(text):
        return _cause(lost[1])
    if _TRACEBACK in text:
        return _raised(text.rpartition(_TRACEBACK)[2])
    head = _HEAD.match(text)
    return Cause(head[1], (head[2] or "").strip()) if head else Cause("", text)


def _raised(traceback: str) -> Cause:
    """Return the exception in which a Python traceback ends."""
    lines = traceback.splitlines()
    ends = [number for number, line in enumerate(lines) if line and not line[0].isspace()]
    last = "\n".join(lines[ends[0] :]) if ends else traceback
    kind, _, message = last.partition(": ")
    return Cause(kind.strip(), message.strip())
