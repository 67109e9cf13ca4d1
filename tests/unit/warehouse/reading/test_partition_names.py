"""Names of folders, and whether Spark reads them as the values of a declared type that they say."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

from pyspark.sql.types import (
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from spark_infer.warehouse.reading.partition_names import is_cast, is_said

DAY = "2018-08-08"


@pytest.mark.parametrize(
    ("kind", "said", "others"),
    [
        (
            DecimalType(10, 2),
            ["1.25", "-0.10", "7.00"],
            ["1.5", "7", "1.239", "1E2", "123456789.25"],
        ),
        (DecimalType(3, 0), ["7", "-123"], ["1.0", "1234", "1E1"]),
        (DecimalType(20, 4), ["12345678901.2500"], ["1.25", "123456789012345678.2500"]),
        (ByteType(), ["127", "-128", "007", "+5"], ["128", "-129", "256"]),
        (ShortType(), ["32767", "-32768"], ["32768", "40000", "-32769"]),
        (DateType(), [DAY, "2018-8-8", "2018-08", "2018"], [f"{DAY} junk", f"{DAY}T10", "T10"]),
        (
            TimestampType(),
            [DAY, f"{DAY} 10:00:00", f"{DAY}T10:00", f"{DAY} 10:00:00.5+05:00", f"{DAY} 10:00 UTC"],
            ["10:00", "T12", f"{DAY} junk", "10:00:00.5"],
        ),
        (TimestampNTZType(), [DAY, f"{DAY} 10:00:00.25"], ["10:00", f"{DAY} 10:00:00Z"]),
        (BinaryType(), ["a b", "ü"], ["a%3Ab"]),
        (StringType(), ["007", "a%3Ab", "10:00"], []),
        (IntegerType(), ["007", "5"], []),
        (DoubleType(), ["1.5", "1e5"], []),
        (BooleanType(), ["true"], []),
    ],
    ids=lambda value: str(value) if isinstance(value, DataType) else "",
)
def test_a_name_says_a_value_of_the_declared_type(
    kind: DataType, said: list[str], others: list[str]
) -> None:
    found = {name: is_said(name, kind) for name in (*said, *others)}
    assert found == {name: name in said for name in found}


def test_what_spark_itself_refuses_or_takes_for_null_is_left_to_it() -> None:
    for kind in (DecimalType(9, 2), ByteType(), DateType(), TimestampType(), BinaryType()):
        assert is_said("__HIVE_DEFAULT_PARTITION__", kind)
    assert is_said("many", DecimalType(9, 2))
    assert is_said("5d", ByteType())


@pytest.mark.parametrize(
    ("kind", "said", "others"),
    [
        (
            DecimalType(9, 2),
            ["1.25", "1.5", "7", "1E2", "1.250"],
            ["1.505", "12345678.25", "1_0", "1E9999999"],
        ),
        (DecimalType(38, 0), ["9" * 38, "-" + "9" * 38], ["1" + "0" * 38, "NaN", "Infinity"]),
        (ByteType(), ["127", "-128", "007"], ["128", "1.5", "x", ""]),
        (IntegerType(), ["+5", "2147483647"], ["2147483648", "5d"]),
        (LongType(), ["9223372036854775807"], ["9223372036854775808", "1e3"]),
        (DoubleType(), ["1.5", ".5", "1e5", "NaN", "-Infinity"], ["x", "", "1_0", "NaN5"]),
        (BooleanType(), ["true", "FALSE"], ["maybe", ""]),
        (
            DateType(),
            [DAY, "2018-8-8", "2018", "12018-02-03"],
            ["2018-13-01", "2018-02-30", "9999999-01-01"],
        ),
        (
            TimestampType(),
            [DAY, f"{DAY} 10%3A00%3A00", f"{DAY} 10:00:00.123456+05:00"],
            ["10%3A00", f"{DAY} 25:00:00", f"{DAY} 10:61", "2018-02-29 10:00:00"],
        ),
        (
            TimestampType(),
            [f"{DAY} 10:00{zone}" for zone in ("Z", "-3", " UTC", "+17:59", " GMT", "-05:30")],
            [f"{DAY} 10:00{zone}" for zone in (" PM", "am", "+25:00", "+18:30", " No/Where")],
        ),
        (
            TimestampType(),
            ["+12018-08-08 10:00:00.775807", "-0044-03-15"],
            ["300000-01-01", "-300000-01-01", f"{DAY} 10:00:00.1234567"],
        ),
        (
            TimestampNTZType(),
            [f"{DAY} 10:00"],
            [f"{DAY} 10:00:00Z", f"{DAY} 10:00:00.1234567", "300000-01-01"],
        ),
        (BinaryType(), ["a%3Ab"], []),
        (StringType(), ["10:00", ""], []),
    ],
    ids=lambda value: str(value) if isinstance(value, DataType) else "",
)
def test_a_name_says_what_a_catalog_casts_it_to(
    kind: DataType, said: list[str], others: list[str]
) -> None:
    found = {name: is_cast(name, kind) for name in (*said, *others)}
    assert found == {name: name in said for name in found}
    assert is_cast("__HIVE_DEFAULT_PARTITION__", kind)
