"""Texts that Spark reads as the time of the run where it makes dates and timestamps of them."""

from __future__ import annotations

import re

# Spark trims more than Python does: whatever is no printable character of ASCII.
_EDGE = "".join(c for c in map(chr, range(0x3001)) if c.isspace() or c < " " or c == "\x7f")
# Of texts without edges: two parts of a pattern that both take spaces would try all ways to share
# them. What follows may be any zone that Java knows (Japan, Zulu, EST5EDT, UTC+1).
_MOMENT = re.compile(r"(now|today|tomorrow|yesterday)(?![A-Za-z])\s*\S*", re.IGNORECASE)
# Spark puts the day of the run in front of a time alone.
_TIME_OF_DAY = re.compile(r"T[0-9]{1,2}(:.*)?|[0-9]{1,2}:.*", re.DOTALL)
_DATE = re.compile(r"[+-]?\d{4,7}(-\d{1,2}(-\d{1,2}([ T][\w .:/+-]*)?)?)?")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[01][0-7]{2}|.)", re.DOTALL)
_LETTERS = {"b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "0": "\0"}


def is_moment(text: str) -> bool:
    """Return whether Spark may read a text as the time of the run."""
    return _MOMENT.fullmatch(text.strip(_EDGE)) is not None


def is_time_of_day(text: str) -> bool:
    """Return whether Spark may read a text as a time on the day of the run."""
    return _TIME_OF_DAY.fullmatch(text.strip(_EDGE)) is not None


def is_date(text: str) -> bool:
    """Return whether a text is a date in digits, or begins with one."""
    return _DATE.fullmatch(text.strip()) is not None


def value_of(literal: str) -> str:
    """Return the value of a string literal as Spark reads it."""
    if literal[0] in "rR":
        return literal[2:-1]
    return _ESCAPE.sub(_unescaped, literal[1:-1])


def _unescaped(match: re.Match[str]) -> str:
    escaped = match[1]
    if escaped[0] in "uU" and len(escaped) > 1:
        # No character has a greater number than this.
        return chr(min(int(escaped[1:], 16), 0x10FFFF))
    if len(escaped) == 3:
        return chr(int(escaped, 8))
    return _LETTERS.get(escaped, escaped)
