"""Values in files of text of which Spark's own readers make others."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from spark_infer.errors import WarehouseError
from spark_infer.spark.failures import spark_failures
from spark_infer.warehouse.config import SourceConfig
from spark_infer.warehouse.reading.source import read_source

pytestmark = pytest.mark.one_spark

XML = {"format": "xml", "options": {"rowTag": "r"}}


@pytest.fixture
def read(spark: SparkSession, tmp_path: Path) -> Any:
    """Reads a file of some text as a source section says; ends as a job does where it fails."""

    def source(text: str, schema: str, **section: Any) -> list[tuple[Any, ...]]:
        if section.get("format") == "xml" and spark.version < "4":
            pytest.skip("this Spark reads no XML")
        (tmp_path / "x.txt").write_text(text)
        given = {"path": str(tmp_path), "format": "json", "schema": schema, **section}
        with spark_failures("the source cannot be read"):
            rows = read_source(spark, SourceConfig.model_validate(given), {}).collect()
        return [tuple(row) for row in rows]

    return source


def test_an_integer_of_json_is_no_negative_one(read: Any) -> None:
    with pytest.raises(WarehouseError, match="column 'a' is tinyint, and a file has 200"):
        read('{"a": 200}', "a TINYINT")
    nested = "a ARRAY<STRUCT<x: TINYINT>>, m MAP<STRING, TINYINT>"
    with pytest.raises(WarehouseError, match="column 'a' holds tinyint, and a file has 128"):
        read('{"a": [null, {"x": 128}]}', nested)
    text = '{"a": [null, {"x": 127}, {"x": null}], "m": {"k": -128}}'
    assert read(text, nested) == [([None, (127,), (None,)], {"k": -128})]


@pytest.mark.parametrize(
    ("text", "schema", "section"),
    [
        ('{"d": [1, "1,5"]}', "d ARRAY<DECIMAL(5, 1)>", {}),
        ('{"d": {"x": "1,5"}}', "d STRUCT<x: DECIMAL(5, 1)>", {}),
        ('{"d": {"k": ["1,5"]}}', "d MAP<STRING, ARRAY<DECIMAL(5, 1)>>", {}),
        ("<r><d>1,5</d><d>2</d></r>", "d ARRAY<DECIMAL(5, 1)>", XML),
        ("<r><d>1,5</d></r>", "d DOUBLE", XML),
        ("<r><d>1,5 apples</d></r>", "d FLOAT", XML),
        ("<r><d><x>1,5</x></d></r>", "d STRUCT<x: DOUBLE>", XML),
    ],
)
def test_a_number_with_a_comma_is_no_other_one(
    read: Any, text: str, schema: str, section: dict[str, Any]
) -> None:
    with pytest.raises(WarehouseError, match=r"column 'd' (is|holds) \w+.*, and a file has 1,5"):
        read(text, schema, **section)


def test_other_numbers_are_what_the_file_says(read: Any) -> None:
    text = '{"a.`": [null, {"it\'s": 1.5}], "b": null, "c": {"k": 12345}, "d": 1e2}'
    schema = (
        "`a.``` ARRAY<STRUCT<`it's`: DECIMAL(5, 1)>>, b STRUCT<x: DECIMAL(3, 0)>, "
        "c MAP<STRING, DECIMAL(9, 2)>, d DECIMAL(20, 2)"
    )
    found = ([None, (Decimal("1.5"),)], None, {"k": Decimal("12345.00")}, Decimal("100.00"))
    assert read(text, schema) == [found]
    text = "<r><a> 1.5 </a><b></b><c><x>2</x></c><c><x/></c></r>"
    schema = "a DOUBLE, b FLOAT, c ARRAY<STRUCT<x: DECIMAL(3, 0)>>"
    assert read(text, schema, **XML) == [(1.5, None, [(Decimal(2),), (None,)])]


def test_digits_of_json_are_not_lost(spark: SparkSession, read: Any) -> None:
    number = "0.1234567890123456789"
    if spark.version >= "4":
        assert read(f'{{"d": {number}}}', "d DECIMAL(20, 19)") == [(Decimal(number),)]
        return
    with pytest.raises(WarehouseError, match=r"this Spark may have rounded.* 15 digits\); use"):
        read(f'{{"d": {number}}}', "d DECIMAL(20, 19)")
    assert read(f'{{"d": {10**29 + 1}}}', "d DECIMAL(38, 0)") == [(Decimal(10**29 + 1),)]
    options = {"mode": "FAILFAST"}
    found = read(f'{{"d": {number}}}', "d DECIMAL(20, 19)", options=options)
    assert found == [(Decimal(number),)]


@pytest.mark.parametrize(
    ("form", "column", "says"),
    [
        ("json", "a TINYINT", "'a' of misread_s is TINYINT, of which Spark makes -56 of 200"),
        ("json", "a ARRAY<DECIMAL(5, 1)>", r"holds DECIMAL\(5,1\), of which Spark drops a comma"),
        ("xml", "a STRUCT<x: FLOAT>", "'a' of misread_s holds FLOAT, of which Spark drops a comma"),
    ],
)
def test_tables_with_such_columns_are_refused(
    spark: SparkSession, tmp_path: Path, form: str, column: str, says: str
) -> None:
    if form == "xml" and spark.version < "4":
        pytest.skip("this Spark has no such tables")
    spark.sql(
        f"CREATE TABLE misread_s (id BIGINT, {column}) USING {form} OPTIONS (rowTag 'r') "
        f"LOCATION '{tmp_path}'"
    )
    try:
        with pytest.raises(WarehouseError, match=says):
            read_source(spark, SourceConfig.model_validate({"table": "misread_s"}), {})
    finally:
        spark.sql("DROP TABLE misread_s")
