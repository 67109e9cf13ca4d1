"""The types of values, and how each is read from text or from Python."""

from __future__ import annotations

import datetime as dt
import math
import operator
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from spark_infer.warehouse.values.unquoted import Unquoted, is_null, shown

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_MOMENT = re.compile(
    _DAY.pattern + r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
    r"(?: ?(Z|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?))?)?"
)
_NO_SQL = re.compile(r"(?:\s|;|--[^\n]*(?:\n|$)|/\*(?:[^*]|\*(?!/))*\*/)*")
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True}
_BOOLEANS |= {"false": False, "no": False, "off": False, "0": False}
_MAX_BIGINT = 2**63 - 1


def read(kind: str, value: Any, expected: str | None = None) -> Any:
    """Return a value of a type, from text or from Python.

    Text from the command line, the environment and a file is read in the same way. Nothing is cut
    off, rounded to another day or taken for the text of another value.

    Args:
        kind: A key of ``KINDS``.
        value: What was given.
        expected: What the message says is expected. Default: the type and an example.

    Raises:
        ValueError: The value is none of this type; the message says what it must be.
    """
    try:
        return KINDS[kind].read(value)
    except (ValueError, TypeError, OverflowError) as error:
        detail = f": {error}" if isinstance(error, _Misread) else ""
        expected = expected or f"a {kind} such as {KINDS[kind].example}"
        raise ValueError(f"must be {expected}, got {shown(value)}{detail}") from None


def as_written(value: Any) -> str:
    """Return the text that stands in the file, whatever YAML would take it for.

    Raises:
        ValueError: There is none: the value is a list, a mapping or null.
    """
    if is_null(value):
        raise ValueError(f"must be text, got {shown(value)}, which is null; leave the key out")
    if isinstance(value, str):
        return _unicode(str(value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return read("string", value, "text") if isinstance(value, int) else str(value)
    raise ValueError(f"must be text, got {shown(value)}")


def sql(value: Any) -> str:
    """Return SQL text.

    Raises:
        ValueError: It is none, or nothing but comments.
    """
    text: str = read("string", value, "SQL text")
    if _NO_SQL.fullmatch(text):
        raise ValueError(f"is no SQL ({shown(text)}); leave the key out, or write an expression")
    return text


class _Misread(ValueError):
    """Says more than that a value is not of the type."""


class _Kind(NamedTuple):
    read: Callable[[Any], Any]
    example: str


def _text(value: Any) -> str:
    if isinstance(value, Unquoted):
        raise _Misread(f"YAML takes that for {value.what}; quote it: '{value}'")
    if isinstance(value, str):
        return _unicode(value)
    return str(_integer(value))


def _unicode(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise _Misread("half of a character is missing; write it as UTF-8") from None
    return text


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise _Misread("true and false are not numbers")
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value):
            raise ValueError
        _refuse_leading_zero(value)
        if len(value) > len(str(_MAX_BIGINT)) + 1:
            raise _Misread("it has more than 64 bits")
    number = int(value) if isinstance(value, str) else operator.index(value)
    if not -_MAX_BIGINT - 1 <= number <= _MAX_BIGINT:
        raise _Misread("it has more than 64 bits")
    return number


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise _Misread("true and false are not numbers")
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError
        _refuse_leading_zero(value)
    number = float(value)
    if not math.isfinite(number):
        raise _Misread("a number that is finite in 64 bits is expected")
    if number == 0 and isinstance(value, str) and re.search("[1-9]", re.split("[eE]", value)[0]):
        raise _Misread("it is too small for 64 bits")
    return number


def _refuse_leading_zero(text: str) -> None:
    if _LEADING_ZERO.match(text):
        raise _Misread("a leading zero can mean base eight; leave it out")


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else str(operator.index(value))
    if word not in _BOOLEANS:
        raise ValueError
    return _BOOLEANS[word]


def _date(value: Any) -> dt.date:
    if isinstance(value, dt.datetime):
        raise _Misread("a date has no time of day and no offset")
    if isinstance(value, dt.date):
        return value
    match = _DAY.fullmatch(value)
    if match is None:
        if _MOMENT.fullmatch(value):
            raise _Misread("a date has no time of day and no offset")
        raise ValueError
    return dt.date(*map(int, match.groups()))


def _timestamp(value: Any) -> dt.datetime:
    moment = _moment(value)
    if moment.utcoffset() is not None:
        moment.astimezone(dt.timezone.utc)  # raises where that leaves the years 1 to 9999
    return moment


def _timestamp_ntz(value: Any) -> dt.datetime:
    moment = _moment(value)
    if moment.tzinfo is not None:
        raise _Misread("a timestamp_ntz has no zone; leave the offset out or declare a timestamp")
    return moment


def _moment(value: Any) -> dt.datetime:
    if isinstance(value, dt.datetime):
        # pandas' timestamps are datetimes: with nanoseconds, and one of them is no time at all.
        if getattr(value, "nanosecond", 0) or value != value:
            raise _Misread("microseconds are the finest that Spark has")
        return value
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001
    match = _MOMENT.fullmatch(value)
    if match is None:
        raise ValueError
    *numbers, fraction, offset = match.groups("0")
    year, month, day, hour, minute, second = map(int, numbers)
    zone = None if match[8] is None else _zone(offset)
    return dt.datetime(year, month, day, hour, minute, second, int(fraction.ljust(6, "0")), zone)


def _zone(offset: str) -> dt.timezone:
    if offset == "Z":
        return dt.timezone.utc
    # Zones had offsets with seconds before they had standard time.
    digits = offset[1:].replace(":", "").ljust(6, "0")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    if hours > 18 or minutes > 59 or seconds > 59:
        raise _Misread("an offset lies between -18:00 and +18:00")
    size = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return dt.timezone(-size if offset[0] == "-" else size)


KINDS = {
    "string": _Kind(_text, "'text'"),
    "int": _Kind(_integer, "7"),
    "float": _Kind(_float, "0.5"),
    "bool": _Kind(_bool, "true or false"),
    "date": _Kind(_date, "2018-08-08"),
    "timestamp": _Kind(_timestamp, "2018-08-08T04:00:00"),
    "timestamp_ntz": _Kind(_timestamp_ntz, "2018-08-08T04:00:00"),
}
"""The types of parameters: how each is read, and an example."""
