"""Partition values that come back as they were written."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

from pyspark.sql.types import StringType, StructField

from spark_infer.warehouse.sinks.formats import full_type


def test_a_char_column_is_told_from_a_string() -> None:
    declared = {"__CHAR_VARCHAR_TYPE_STRING": "char(3)"}
    assert full_type(StructField("c", StringType(), True, declared)) == "char(3)"
    declared = {"__CHAR_VARCHAR_TYPE_STRING": "varchar(3)"}
    assert full_type(StructField("c", StringType(), True, declared)) == "string"
    assert full_type(StructField("c", StringType())) == "string"
