"""How text and Python's values become values of a type, and what does not."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pyspark")

from spark_infer.warehouse.values import KINDS, Unquoted, read

UTC = dt.timezone.utc
HALF_PAST = dt.timezone(dt.timedelta(hours=-3, minutes=-30))
BEFORE_STANDARD_TIME = dt.timezone(dt.timedelta(minutes=53, seconds=28))
AFTER_IT = dt.timezone(-dt.timedelta(minutes=53, seconds=28))
DAY, NOON = dt.date(2018, 8, 8), dt.datetime(2018, 8, 8, 12)


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("string", "", ""),
        ("string", "NO", "NO"),
        ("int", "-0", 0),
        ("int", "+7", 7),
        ("int", Unquoted("7", "a number"), 7),
        ("int", "9223372036854775807", 2**63 - 1),
        ("int", "-9223372036854775808", -(2**63)),
        ("int", np.int32(5), 5),
        ("float", "1e-3", 0.001),
        ("float", ".5", 0.5),
        ("float", "0e9", 0.0),
        ("float", 3, 3.0),
        ("float", np.float32(0.5), 0.5),
        ("bool", "Yes", True),
        ("bool", Unquoted("off", "true or false"), False),
        ("bool", "1", True),
        ("bool", 0, False),
        ("date", Unquoted("2018-08-08", "a date or a time"), DAY),
        ("timestamp", "2018-08-08 12:00", NOON),
        ("timestamp", "2018-08-08", dt.datetime(2018, 8, 8)),
        ("timestamp", DAY, dt.datetime(2018, 8, 8)),
        ("timestamp", "2018-08-08T12:00:00.5", NOON.replace(microsecond=500_000)),
        ("timestamp", "2018-08-08T12:00:00Z", NOON.replace(tzinfo=UTC)),
        ("timestamp", "2018-08-08 12:00:00 -0330", NOON.replace(tzinfo=HALF_PAST)),
        ("timestamp", "2018-08-08 12:00:00+00:53:28", NOON.replace(tzinfo=BEFORE_STANDARD_TIME)),
        ("timestamp", "2018-08-08 12:00:00-005328", NOON.replace(tzinfo=AFTER_IT)),
        ("timestamp_ntz", "2018-08-08T12:00:00.000001", NOON.replace(microsecond=1)),
    ],
)
def test_what_is_of_the_type_is_read(kind: str, given: Any, value: Any) -> None:
    found = read(kind, given)
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, dt.datetime):
        assert found.utcoffset() == value.utcoffset()


WRONG = [
    ("string", Unquoted("NO", "true or false"), "got NO without quotes: .* quote it: 'NO'"),
    ("string", False, "not numbers"),
    ("string", 1.5, "got "),
    ("string", DAY, "got "),
    ("string", ["a"], "got "),
    ("string", "\ud800", "UTF-8"),
    ("int", "1_000", "got "),
    ("int", " 7 ", "got "),
    ("int", "٣", "got "),
    ("int", "1e3", "got "),
    ("int", "7.0", "got "),
    ("int", "0x10", "got "),
    ("int", "", "got "),
    ("int", "7\n", "got "),
    ("int", "0123", "leading zero"),
    ("int", Unquoted("010", "a number"), "leading zero"),
    ("int", str(2**63), "64 bits"),
    ("int", -(2**63) - 1, "64 bits"),
    ("int", "9" * 10_000, r"9\.\.\.9*': it has more than 64 bits"),
    ("int", True, "true and false are not numbers"),
    ("int", 7.0, "got "),
    ("float", "nan", "got "),
    ("float", "inf", "got "),
    ("float", float("nan"), "finite"),
    ("float", "1e999", "finite"),
    ("float", 10**400, "got "),
    ("float", "1e-999", "too small"),
    ("float", "1_0.5", "got "),
    ("float", "00.5", "leading zero"),
    ("float", "٣.5", "got "),
    ("float", True, "true and false are not numbers"),
    ("bool", "2", "got "),
    ("bool", "", "got "),
    ("bool", 2, "got "),
    ("bool", 1.0, "got "),
    ("date", NOON, "no time of day"),
    ("date", dt.datetime(2018, 8, 8), "no time of day"),
    ("date", "2018-08-08T00:00:00", "no time of day"),
    ("date", Unquoted("2018-08-08 00:00:00Z", "a date or a time"), "no time of day"),
    ("date", "2018-8-8", "got "),
    ("date", "20180808", "got "),
    ("date", "2018-W32-3", "got "),
    ("date", "2018-02-29", "got "),
    ("date", "0000-01-01", "got "),
    ("date", 20180808, "got "),
    ("timestamp", "2018-08-08T24:00:00", "got "),
    ("timestamp", "2018-08-08T05", "got "),
    ("timestamp", "2018-08-08T05:00:60", "got "),
    ("timestamp", "2018-08-08T05:00:00.1234567", "got "),
    ("timestamp", "2018-08-08T05:00:00 Europe/Berlin", "got "),
    ("timestamp", "2018-08-08T05:00:00+19:00", "between -18:00 and"),
    ("timestamp", "0001-01-01T00:00:00+01:00", "got "),
    ("timestamp", "9999-12-31T23:00:00-01:00", "got "),
    ("timestamp", 1_533_697_200, "got "),
    ("timestamp", pd.Timestamp("2018-08-08T05:00:00.000000001"), "finest"),
    ("timestamp", pd.NaT, "finest"),
    ("timestamp_ntz", "2018-08-08T12:00:00Z", "has no zone"),
    ("timestamp_ntz", NOON.replace(tzinfo=UTC), "has no zone"),
]


@pytest.mark.parametrize(("kind", "given", "problem"), WRONG)
def test_what_is_not_of_the_type_is_refused(kind: str, given: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=f"(?s)^must be a {kind} such as .*{problem}") as caught:
        read(kind, given)
    assert len(str(caught.value)) < 400


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_bigint_is_read_back(number: int) -> None:
    assert read("int", str(number)) == number
    assert read("string", str(number)) == str(number)


@given(st.datetimes(timezones=st.none() | st.just(HALF_PAST), min_value=dt.datetime(2, 1, 1)))
def test_every_timestamp_is_read_back(moment: dt.datetime) -> None:
    for separator in "T ":
        assert read("timestamp", moment.isoformat(separator)) == moment


@given(st.text(max_size=12))
def test_text_is_read_exactly_or_refused(text: str) -> None:
    for kind, exact in (("int", int), ("float", Fraction)):
        try:
            found = read(kind, text)
        except ValueError:
            continue
        assert found == (exact(text) if kind == "int" else float(exact(text)))
    try:
        assert str(read("date", text)) == text
    except ValueError:
        assert not text[:4].isdigit() or "-" not in text or len(text) != 10


def test_examples_are_of_their_types() -> None:
    for name, kind in KINDS.items():
        for example in kind.example.split(" or "):
            read(name, example)
