"""Numbers as a person reads them."""

from __future__ import annotations

from typing import Any

import pytest

from spark_infer.report.page.numbers import (
    UNKNOWN,
    between,
    count,
    distance,
    duration,
    moment,
    percent,
    value,
)


@pytest.mark.parametrize(
    ("say", "number", "text"),
    [
        (count, 1_234_567, "1,234,567"),
        (count, 0, "0"),
        (count, None, UNKNOWN),
        (value, 0.0, "0"),
        (value, 1234.0, "1,234"),
        (value, 0.123456, "0.1235"),
        (value, -1e300, "-1e+300"),
        (value, "nan", "nan"),
        (value, True, "true"),
        (value, None, UNKNOWN),
        (percent, 0.0, "0.0%"),
        (percent, 1e-9, "<0.1%"),
        (percent, 0.0123, "1.2%"),
        (percent, 0.99999, ">99.9%"),
        (percent, 1.0, "100.0%"),
        (percent, None, UNKNOWN),
        (distance, 0.0004, "0.000"),
        (distance, 12.3456, "12.346"),
        (distance, None, UNKNOWN),
        (duration, 0.0, "0.0 s"),
        (duration, 0.042, "0.04 s"),
        (duration, 59.94, "59.9 s"),
        (duration, 99.96, "1 min 40 s"),
        (duration, 3599.7, "1 h 00 min"),
        (duration, 93_784.0, "26 h 03 min"),
        (duration, None, UNKNOWN),
        (moment, "2018-08-08T04:00:00+00:00", "2018-08-08 04:00:00 UTC"),
        (moment, "noT a time", "noT a time"),
        (moment, "", ""),
    ],
)
def test_a_number_reads_well(say: Any, number: Any, text: str) -> None:
    assert say(number) == text


def test_seconds_between_two_times() -> None:
    assert between("2018-08-08T04:00:00+00:00", "2018-08-09T04:00:01+00:00") == 86_401
    assert between("2018-08-08T04:00:00+00:00", "") is None
