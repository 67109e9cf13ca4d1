from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spark_infer.engine.table import as_table
from spark_infer.errors import SignatureError


def objects(*values: object) -> Any:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def refused(column: Any, message: str) -> None:
    inner = [{"b": value} for value in column]
    for given in (column, objects(*column), [list(column)], [objects(*column)], inner):
        with pytest.raises(SignatureError, match=message):
            as_table({"a": given}, where="rows")
    with pytest.raises(SignatureError, match=message):
        as_table(pd.DataFrame({"a": pd.Series(list(column), dtype=object)}), where="rows")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.bool_(True), 1),
        (True, 1),
        (True, 0.5),
        (True, Decimal("1.5")),
        (np.timedelta64(5, "s"), 1),
        (np.timedelta64("NaT"), np.int8(1)),
        (np.datetime64("NaT"), np.float32(1)),
        (date(2020, 1, 2), 1),
        (date(2020, 1, 2), np.int8(1)),
        (date(2020, 1, 2), np.bool_(True)),
        (date(2020, 1, 2), Decimal(1)),
        (date(2020, 1, 2), np.timedelta64(1, "D")),
        (datetime(2020, 1, 2), 1),
        (datetime(2020, 1, 2), Decimal(1)),
        (time(1), np.bool_(True)),
        (time(1), np.float16(1)),
        (pd.Timestamp(0), 1),
        ("a", b"b"),
        (0.5, Decimal("0.5")),
        ([1], 1),
        ({"b": 1}, 1),
    ],
    ids=repr,
)
def test_values_of_two_kinds_are_refused(one: Any, other: Any) -> None:
    refused([one, other], "stands beside .* and one of them would be changed; give all of them as")
    refused([other, one], "stands beside .* and one of them would be changed; give all of them as")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([np.longdouble(1) / 3, 1.0], "is a longdouble, which Arrow does not hold; give floats"),
        ([np.complex128(1j), 1], "is a complex128, which Arrow does not hold"),
        ([np.float16(0.5), 1], r"0.5 of float16 stands beside 1, and one"),
        ([np.uint64(2**63), 0.5], "9223372036854775808 stands beside 0.5, and their type would"),
        ([np.uint64(2**63), -1], "9223372036854775808 stands beside -1, and their type would"),
        ([pd.Timestamp(1), None], "has nanoseconds, which would be cut off; give an array"),
        ([pd.Timedelta(1), timedelta(1)], "has nanoseconds, which would be cut off"),
        ([np.datetime64("9999999-01-01"), None], "9999999-01-01 is no date that 32 bits hold"),
        ([np.datetime64(5, "10s"), None], "an array counts in 10s; give one that counts in s"),
        ([time(1, tzinfo=timezone.utc), None], "is a time of day of a zone, which would be lost"),
    ],
    ids=repr,
)
def test_values_that_would_be_cut_are_refused(column: Any, message: str) -> None:
    refused(column, message)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array(["9999999-01-01"], "M8[D]"), "9999999-01-01 is no date that 32 bits hold"),
        (np.array(["-9999999-01-01", "NaT"], "M8[D]"), "is no date that 32 bits hold"),
        (np.array([1], "M8[7D]"), "an array counts in 7D; give one that counts in D"),
        (np.array([1], "m8[10ms]"), "an array counts in 10ms"),
    ],
    ids=repr,
)
def test_times_of_an_array_that_arrow_does_not_hold_are_refused(array: Any, message: str) -> None:
    for column in (array, [array], [array, None], [{"b": array}]):
        with pytest.raises(SignatureError, match=message):
            as_table({"a": column}, where="rows")


@pytest.mark.parametrize(
    "typed",
    [np.array(["2020-01-02"], "M8[D]"), np.array([2**64 - 1], np.uint64), np.array([True])],
    ids=repr,
)
def test_an_empty_array_of_another_type_changes_nothing(typed: Any) -> None:
    for column in ([typed, np.array([])], [np.array([]), typed]):
        with pytest.raises(SignatureError, match="stands beside"):
            as_table({"a": column}, where="rows")


@pytest.mark.parametrize(
    "column",
    [
        [1, 0.5, None],
        [Decimal("1.5"), 1],
        [np.float16(0.5), 0.25, np.float32(0.5)],
        [np.uint64(2**64 - 1), np.uint8(1)],
        [np.int64(5), 0.5],
        [datetime(2020, 1, 2), pd.Timestamp("2020-01-02 03:04:05.123456")],
        [[1], [0.5], (2,), None],
        ["a", np.str_("b"), None],
        [{"b": 1}, {"b": 0.5}],
    ],
    ids=repr,
)
def test_values_of_one_kind_are_kept(column: Any) -> None:
    found = as_table({"a": column}, where="rows").to_pydict()["a"]
    assert [tuple(v) if isinstance(v, list) else v for v in found] == [
        tuple(v) if isinstance(v, list) else v for v in column
    ]


def test_nan_of_a_frame_stands_beside_all() -> None:
    for value in ("a", date(2020, 1, 2), True, time(1)):
        frame = pd.DataFrame({"a": pd.Series([value, float("nan"), None, pd.NA], dtype=object)})
        expected = {"a": [value, None, None, None]}
        assert as_table(frame, where="rows").to_pydict() == expected
        assert as_table({"a": frame["a"]}, where="rows").to_pydict() == expected
