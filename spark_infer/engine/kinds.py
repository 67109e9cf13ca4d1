"""Kinds of values: Arrow makes one type of a column, and may change values of another kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from spark_infer.bundle.documents import shown

_KINDS: Sequence[tuple[Any, str, str]] = (
    ((bool, np.bool_), "a truth value", "truth values"),
    ((dt.timedelta, np.timedelta64), "a duration", "durations"),
    ((dt.datetime, np.datetime64), "a datetime", "datetimes"),
    (dt.date, "a date", "dates"),
    (dt.time, "a time of day", "times of day"),
    ((int, float, np.integer, np.floating), "a number", "numbers"),
    (Decimal, "a decimal", "decimals"),
    (str, "a text", "texts"),
    ((bytes, bytearray, memoryview), "bytes", "bytes"),
    (Mapping, "a dict", "dicts"),
    ((list, tuple, set, frozenset, np.ndarray), "a list", "lists"),
)
"""Types, what one value is called and what several are; what comes first is no kind below it."""
_MANY = {one: many for _, one, many in _KINDS}
_NUMBERS = {int, float}
_PLAIN = {bool, str, bytes, Decimal, dt.date, dt.datetime, dt.timedelta}
"""Python's own types of one kind, of which Arrow changes no value."""
_CUT = (np.longdouble, np.complexfloating)
_MAX_EXACT = 2**53
_MAX_INTEGER = 2**63 - 1


def check_column(column: object, *, is_frame: bool) -> None:
    """Check a column before Arrow reads it.

    Args:
        column: Values as people hold them.
        is_frame: Whether it is one of a pandas frame, in which NaN is a null.

    Raises:
        TypeError, ValueError: Arrow would change a value.
    """
    if isinstance(column, pa.Array | pa.ChunkedArray):
        return
    dtype: Any = getattr(column, "dtype", None)
    if hasattr(dtype, "categories"):
        check_column(dtype.categories, is_frame=True)
    elif isinstance(dtype, np.dtype):
        is_pandas = is_frame or not isinstance(column, np.ndarray)
        _check_array(column, is_pandas=is_pandas)
    elif dtype is None and isinstance(column, Iterable) and not hasattr(column, "__arrow_array__"):
        _check(list(column), is_pandas=False)


def _check_array(array: Any, *, is_pandas: bool) -> None:
    if array.dtype.hasobject and array.dtype.names is None:
        _check(array.tolist(), is_pandas=is_pandas)
    elif isinstance(array, np.ndarray) and array.dtype.kind in "mM":
        _check_unit(array)


def _check(values: Sequence[Any], *, is_pandas: bool) -> None:
    types = set(map(type, values)) - {type(None)}
    if types <= _NUMBERS or (len(types) == 1 and types <= _PLAIN):
        return
    if any(issubclass(kind, _CUT) for kind in types):
        value = next(value for value in values if isinstance(value, _CUT))
        raise TypeError(f"{value} is {_name(value)}, which Arrow does not hold; give floats")
    values = [value for value in values if not _is_null(value, is_pandas)]
    firsts: dict[str, Any] = {}
    for value in values:
        firsts.setdefault(_kind(value), value)
    _check_kinds(firsts, values)
    if "a dict" in firsts:
        for name in dict.fromkeys(chain.from_iterable(values)):
            _check([value[name] for value in values if name in value], is_pandas=is_pandas)
    elif "a list" in firsts:
        _check_lists(values, is_pandas=is_pandas)
    elif "a number" in firsts:
        _check_numbers(values)
    else:
        _check_times(values)


def _is_null(value: Any, is_pandas: bool) -> bool:
    if value is None or not is_pandas:
        return value is None
    if isinstance(value, float | Decimal | dt.datetime):
        return bool(value != value)
    return type(value).__name__ == "NAType"


def _kind(value: Any) -> str:
    if isinstance(value, np.datetime64) and np.datetime_data(value.dtype)[0] == "D":
        return "a date"
    for types, one, _ in _KINDS:
        if isinstance(value, types):
            return one
    return "a list" if hasattr(value, "dtype") and hasattr(value, "tolist") else _name(value)


def _name(value: object) -> str:
    return f"a {type(value).__name__}"


def _check_kinds(firsts: Mapping[str, Any], values: Iterable[Any]) -> None:
    if len(firsts) < 2:
        return
    if firsts.keys() == {"a number", "a decimal"} and all(
        isinstance(value, Decimal | int) for value in values
    ):
        return
    (one, first), (other, second) = list(firsts.items())[:2]
    raise TypeError(
        f"{_shown(second)} stands beside {one}, {_shown(first)}, and one of them would be changed; "
        f"give all of them as {_MANY.get(other, other)}, or all as {_MANY.get(one, one)} (None for "
        "those that are missing)"
    )


def _check_lists(lists: Iterable[Any], *, is_pandas: bool) -> None:
    """Check what is in lists; what is in a list that is there several times, once."""
    lists = list({id(inner): inner for inner in lists}.values())
    dtypes: set[Any] = {getattr(inner, "dtype", None) for inner in lists}
    if len(dtypes) > 1 or not all(isinstance(dtype, np.dtype) for dtype in dtypes):
        # Arrow looks at the type of an array without values too.
        typed = (dtype for dtype in dtypes if isinstance(dtype, np.dtype) and not dtype.hasobject)
        samples = [np.zeros(1, dtype)[0] for dtype in typed]
        _check([*samples, *chain.from_iterable(lists)], is_pandas=is_pandas)
    elif any(dtype.hasobject for dtype in dtypes):
        _check(list(chain.from_iterable(lists)), is_pandas=is_pandas)
    else:
        for inner in lists:
            _check_array(inner, is_pandas=is_pandas)


def _check_numbers(values: Iterable[Any]) -> None:
    firsts: dict[type, Any] = {}
    for value in values:
        firsts.setdefault(type(value), value)
    if len(firsts) < 2:
        return
    whole = [value for value in firsts.values() if isinstance(value, int | np.integer)]
    if np.float16 in firsts and whole:
        raise TypeError(
            f"{_shown(firsts[np.float16])} of float16 stands beside {_shown(whole[0])}, and one of "
            "them would be changed; give all of them as numbers of Python"
        )
    if all(issubclass(kind, np.unsignedinteger) for kind in firsts):
        return
    floats = [value for value in firsts.values() if isinstance(value, float | np.floating)]
    most = _MAX_EXACT if floats else _MAX_INTEGER
    for value in values:
        if isinstance(value, np.integer) and not -most <= int(value) <= most:
            other = floats[0] if floats else next(v for v in values if type(v) is not type(value))
            raise ValueError(
                f"{value} stands beside {_shown(other)}, and their type would not hold it; give "
                "all of them as floats, or all as integers of one type"
            )


def _check_times(values: Iterable[Any]) -> None:
    for value in values:
        if isinstance(value, np.datetime64 | np.timedelta64):
            _check_unit(np.asarray(value))
        elif isinstance(value, dt.time) and value.tzinfo is not None:
            raise ValueError(f"{value} is a time of day of a zone, which would be lost")
        elif getattr(value, "nanosecond", 0) or getattr(value, "nanoseconds", 0):
            raise ValueError(
                f"{value} has nanoseconds, which would be cut off; give an array of NumPy or a "
                "pandas column of its own type ([ns])"
            )


def _check_unit(array: Any) -> None:
    """Raise where Arrow would take an array's times for others."""
    unit, count = np.datetime_data(array.dtype)
    if count != 1:
        raise ValueError(f"an array counts in {count}{unit}; give one that counts in {unit}")
    if array.dtype.kind == "M" and unit == "D":
        days = array.view(np.int64)
        outside = (abs(days) > np.iinfo(np.int32).max) & ~np.isnat(array)
        if outside.any():
            raise ValueError(
                f"{array[outside][0]} is no date that 32 bits hold as days since 1970-01-01; give "
                "None for dates that are missing"
            )


def _shown(value: object) -> str:
    is_short = isinstance(value, dt.date | dt.time | dt.timedelta | np.generic)
    return str(value) if is_short and not isinstance(value, str | bytes) else shown(value)
