"""Partition values that come back as they were written."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

from pyspark.sql.types import DateType, IntegerType, StringType, StructField

from spark_infer.warehouse.sinks.formats import check_partition_value, full_type


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "come back as null"),
        ("__HIVE_DEFAULT_PARTITION__", "come back as null"),
        ("a\0b", "zero byte"),
        ("x" * 254, "254 characters long"),
        ("ä" * 127, "127 characters long"),
        ("/" * 85, "85 characters long"),
        (" ", "ends in a blank"),
        ("a ", "ends in a blank"),
    ],
)
def test_a_text_that_a_folder_cannot_hold_is_told(value: str, why: str) -> None:
    assert why in str(check_partition_value("p", StringType(), value))


@pytest.mark.parametrize(
    "value", [None, " a", "a\u3000", "NULL", "a/b", "%", "x" * 253, "ä" * 126, "/" * 84, "."]
)
def test_any_other_text_is_held(value: str | None) -> None:
    assert check_partition_value("p", StringType(), value) is None


def test_other_types_are_held() -> None:
    assert check_partition_value("p", IntegerType(), "-1") is None
    assert check_partition_value("p", DateType(), "2018-08-08") is None


def test_a_char_column_is_told_from_a_string() -> None:
    declared = {"__CHAR_VARCHAR_TYPE_STRING": "char(3)"}
    assert full_type(StructField("c", StringType(), True, declared)) == "char(3)"
    declared = {"__CHAR_VARCHAR_TYPE_STRING": "varchar(3)"}
    assert full_type(StructField("c", StringType(), True, declared)) == "string"
    assert full_type(StructField("c", StringType())) == "string"
