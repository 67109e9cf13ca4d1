from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from spark_infer.warehouse.reading.conjuncts import conjuncts

pytestmark = pytest.mark.one_spark


@pytest.mark.parametrize(
    ("condition", "parts"),
    [
        ("a = 1", ["a = 1"]),
        ("a = 1 AND b = :b", ["a = 1", "b = :b"]),
        ("a and\nb And c AND d", ["a", "b", "c", "d"]),
        ("a BETWEEN 1 AND 2", ["a BETWEEN 1 AND 2"]),
        ("a NOT BETWEEN 1 AND 2 AND b", ["a NOT BETWEEN 1 AND 2", "b"]),
        ("b AND a BETWEEN :x AND :y AND c", ["b", "a BETWEEN :x AND :y", "c"]),
        ("a OR b AND c", ["a OR b AND c"]),
        ("(a OR b) AND c", ["(a OR b)", "c"]),
        ("(a AND b)", ["(a AND b)"]),
        ("NOT (a AND b) AND c", ["NOT (a AND b)", "c"]),
        ("NOT a AND b", ["NOT a", "b"]),
        ("a = 'x AND y' AND b", ["a = 'x AND y'", "b"]),
        ("a = 'x' AND b = 'y'", ["a = 'x'", "b = 'y'"]),
        ("`x AND y` AND b", ["`x AND y`", "b"]),
        ("CASE WHEN a AND b THEN c ELSE d END AND e", ["CASE WHEN a AND b THEN c ELSE d END", "e"]),
        ("a -- AND b\n AND c", ["a -- AND b", "c"]),
        ("a /* AND b */", ["a /* AND b */"]),
        (
            "a IN (SELECT b FROM t WHERE c AND d) AND e",
            ["a IN (SELECT b FROM t WHERE c AND d)", "e"],
        ),
        ("a AND", ["a AND"]),
        ("true) OR (a AND b", ["true) OR (a AND b"]),
        ("a >", ["a >"]),
    ],
)
def test_what_must_all_be_met(spark: SparkSession, condition: str, parts: list[str]) -> None:
    assert conjuncts(spark, condition) == parts
