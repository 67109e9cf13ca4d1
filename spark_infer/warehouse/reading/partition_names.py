"""Names of partitions, and whether Spark reads them as the values that they say."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any
from urllib.parse import unquote

from pyspark.sql.types import (
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    FractionalType,
    IntegerType,
    IntegralType,
    LongType,
    ShortType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_FRACTION = re.compile(r"-?(0|[1-9][0-9]*)(\.0|\.[0-9]*[1-9])?")
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DAY = re.compile(_DATE)
_TIME = re.compile(rf"{_DATE}([ T][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]+)?)?)?")
_BITS: dict[type[DataType], int] = {ByteType: 8, ShortType: 16, IntegerType: 32, LongType: 64}
_CUT = ByteType | ShortType
"""Integers of which Spark cuts off what they do not hold, where a folder names them."""
_WHOLE = re.compile(r"[+-]?[0-9]+")
_SOME_DAY = r"[+-]?[0-9]{4,5}(-[0-9]{1,2}(-[0-9]{1,2})?)?"
_CLOCK = r"[ T][0-9]{1,2}(:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]{0,6})?)?)?"
_ZONE = r"( ?(Z|UTC|GMT|[+-](0?[0-9]|1[0-7])(:[0-5][0-9])?))?"
_DECLARED: dict[type[DataType], re.Pattern[str]] = {
    DateType: re.compile(_SOME_DAY),
    TimestampType: re.compile(f"{_SOME_DAY}({_CLOCK}{_ZONE})?"),
    TimestampNTZType: re.compile(f"{_SOME_DAY}({_CLOCK})?"),
}
"""What a day or time may be written like, so that Spark neither cuts it nor adds today's date.

Years of more digits, and zones by their names, may be some that Spark makes null of.
"""
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")
_EXACT = Context(prec=400, traps=[])
"""Of more digits than a name of a folder has."""
_NULL = "__HIVE_DEFAULT_PARTITION__"


def partition_columns(schema: Any) -> StructType:
    """Return the partition columns of a relation, of which the JVM has the schema."""
    return StructType.fromJson(json.loads(schema.json()))


def is_said(name: str, kind: DataType) -> bool:
    """Tell whether a folder's name says the value of the declared type that Spark reads.

    What it refuses by itself is none of its matter. Of a decimal it takes the digits and forgets
    where the point is.
    """
    text = unquote(name)
    if text == _NULL:
        return True
    if isinstance(kind, BinaryType):  # Spark takes the bytes of %3A for the name's own.
        return name == text
    if isinstance(kind, DecimalType):
        number = _decimal(text)
        if number is None:
            return True
        digits = number.as_tuple()
        return digits.exponent == -kind.scale and len(digits.digits) <= kind.precision
    if isinstance(kind, _CUT):
        return _WHOLE.fullmatch(text) is None or _holds(kind, text)
    form = _DECLARED.get(type(kind))
    return form is None or form.fullmatch(text) is not None


def is_cast(name: str, kind: DataType) -> bool:
    """Tell whether the name of a catalog's partition says the value that Spark casts it to.

    A cast rounds a decimal, cuts a day, adds today's date to a time, and makes null of what it does
    not understand, unless ``spark.sql.ansi.enabled`` is true.
    """
    text = unquote(name)
    if text == _NULL:
        return True
    if isinstance(kind, DecimalType):
        number = _decimal(text)
        if number is None:
            return False
        digits = number.scaleb(kind.scale, _EXACT)
        return digits == digits.to_integral_value() and digits.copy_abs() < 10**kind.precision
    if isinstance(kind, IntegralType):
        return _WHOLE.fullmatch(text) is not None and _holds(kind, text)
    if isinstance(kind, FractionalType):
        return text in _NO_NUMBERS or _decimal(text) is not None
    if isinstance(kind, BooleanType):
        return text.lower() in ("true", "false")
    form = _DECLARED.get(type(kind))
    return form is None or (form.fullmatch(text) is not None and _is_in_calendar(text))


def is_kept(name: str, kind: DataType) -> bool:
    """Return whether a value of the type is written like this, so that it says the same."""
    text = unquote(name)
    if text == _NULL:
        return True
    if isinstance(kind, DateType):
        return _DAY.fullmatch(text) is not None
    if isinstance(kind, TimestampType | TimestampNTZType):
        return _TIME.fullmatch(text) is not None
    if isinstance(kind, IntegralType | DecimalType):
        return _INTEGER.fullmatch(text) is not None
    if isinstance(kind, FractionalType):
        is_plain = _FRACTION.fullmatch(text) is not None
        return is_plain and Decimal(repr(float(text))) == Decimal(text)
    return True


def _decimal(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _holds(kind: DataType, text: str) -> bool:
    most = 1 << _BITS[type(kind)] - 1
    return -most <= int(text) < most


def _is_in_calendar(text: str) -> bool:
    """Tell whether there is such a day, and such a time in it, as digits say in their order.

    Years beyond 9999 have the days of those before.
    """
    numbers = [int(digits) for digits in re.findall("[0-9]+", text)[:6]]
    year, month, day, hour, minute, second = [*numbers, *(0, 1, 1, 0, 0, 0)[len(numbers) :]]
    try:
        datetime(2000 + year % 400, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return False
    return True
