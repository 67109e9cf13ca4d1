"""The one sentence that a Spark error is told by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from spark_infer.spark.failures.causes import Cause
from spark_infer.spark.failures.records import unreadable
from spark_infer.spark.failures.task import PASSING

_OURS = re.compile(rf"(spark_infer\.errors|{re.escape(PASSING)})\.(\w+)")
_SAYS_NOTHING = re.compile(
    r"Job aborted\.?|Writing job aborted\.?|Task failed while writing rows.*"
    r"|\[(?:TASK_WRITE_FAILED|WRITING_JOB_ABORTED)\].*|Exception thrown in awaitResult:?"
    r"|An error occurred while calling .*|Error while instantiating .*|Unable to instantiate .*"
    r"|Could not execute broadcast in .*|java\.\S+",
    re.DOTALL,
)
_SAYS_HALF = re.compile(r"\[FAILED_READ_FILE\.(?:NO_HINT|CANNOT_READ_FILE_FOOTER)\]")
_PREFIX = re.compile(r"(?:[a-z_]\w*\.)+[A-Z][\w$]*: ")
_END = re.compile(r" ?\(?SQLSTATE: \w+\)?|\n")
_NAMED = {
    "java.io.EOFException": "a Python worker ended without a word: it was killed, perhaps for "
    "memory, or it crashed",
    "java.lang.OutOfMemoryError": "the JVM has run out of memory",
    "java.lang.StackOverflowError": "the query is nested too deeply for Spark",
}
_CRASHED = "Python worker exited unexpectedly (crashed)"


@dataclass(frozen=True)
class Raised:
    """What spark_infer raised in a task.

    Attributes:
        kind: Bare name of the class.
        message: What it says, one line.
        is_passing: Whether it passes by itself.
    """

    kind: str
    message: str
    is_passing: bool


def ours(causes: Sequence[Cause]) -> Raised | None:
    """Return what spark_infer raised in a task, or None."""
    for cause in reversed(causes):
        if match := _OURS.fullmatch(cause.kind):
            # What follows the line is Spark's: SQLSTATE.
            return Raised(match[2], cause.message.partition("\n")[0], match[1] == PASSING)
    return None


def sentence(causes: Sequence[Cause]) -> str:
    """Return what spark_infer raised in a task, or what the first cause with a sentence says."""
    if raised := ours(causes):
        return raised.message
    if told := unreadable(causes):
        return told
    words = [text for text in map(_words, causes) if text]
    if not words:
        kinds = [cause.kind for cause in causes if cause.kind]
        return _NAMED.get(kinds[-1], kinds[-1]) if kinds else "Spark gives no reason"
    if len(words) > 1 and _SAYS_HALF.match(words[0]):
        return f"{words[0].rstrip('.')}: {words[1]}"
    return words[0]


def _words(cause: Cause) -> str:
    """Return the sentence of a cause, or nothing where it has none."""
    text = cause.message.strip()
    while prefix := _PREFIX.match(text):
        text = text[prefix.end() :]
    if text.startswith(_CRASHED):
        return _NAMED["java.io.EOFException"]
    if not text and cause.kind in _NAMED:
        return _NAMED[cause.kind]
    if not text or _SAYS_NOTHING.fullmatch(text):
        return ""
    text = _END.split(text, maxsplit=1)[0].strip()
    # An exception of Python says little without its class, as KeyError: 'a'.
    is_python = cause.kind and "." not in cause.kind
    return f"{cause.kind}: {text}" if is_python else text
