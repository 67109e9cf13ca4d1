"""Rows in the order in which they are to be predicted."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_infer.errors import ConfigError
from spark_infer.warehouse.deadline.order import TASKS_PER_CORE, ordered


@pytest.fixture
def rows(spark: SparkSession) -> DataFrame:
    """Numbers in no order, some of them null, in several tasks."""
    return (
        spark.range(0, 1_000, 1, 5)
        .selectExpr("id", "IF(id % 100 = 7, NULL, id * 7919 % 1000) AS a", "map('k', id) AS m")
        .repartition(7)
    )


def order(df: DataFrame) -> list[Any]:
    """Return what rows hold, as tasks get them, the first task first."""
    return [row["a"] for row in df.rdd.collect()]


@pytest.mark.parametrize(
    ("by", "descends", "nulls_first"),
    [
        ("a DESC", True, False),
        ("a", False, True),
        ("a ASC NULLS LAST", False, False),
        ("-a desc nulls first", False, True),
        ("a - :n DESC", True, False),
    ],
)
def test_the_first_come_first(rows: DataFrame, by: str, descends: bool, nulls_first: bool) -> None:
    found = ordered(rows, [by, "id"], {"n": 3})
    assert found.columns == rows.columns
    values = order(found)
    known = sorted((v for v in values if v is not None), reverse=descends)
    nulls = [None] * (1_000 - len(known))
    assert len(nulls) == 10
    assert values == ([*nulls, *known] if nulls_first else [*known, *nulls])
    assert found.rdd.getNumPartitions() == TASKS_PER_CORE * 2
    ids = found.select("id").distinct().count()
    assert ids == 1_000


def test_a_second_key_decides(spark: SparkSession) -> None:
    rows = spark.range(100).selectExpr("id AS a", "id % 3 AS b")
    found = ordered(rows, ["b", "a DESC"], {})
    assert order(found) == sorted(range(100), key=lambda n: (n % 3, -n))


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("nothing", r"order_by.0 \(nothing\).*nothing"),
        ("a LIMIT 5", r"order_by.0 \(a LIMIT 5\)"),
        ("explode(array(1, 2))", "order_by.0"),
        ("count(1)", "order_by.0"),
        ("m", "order_by.0"),
        ("a) FROM x; --", "order_by.0"),
    ],
)
def test_what_is_no_order_is_refused(rows: DataFrame, by: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ordered(rows, [by], {})


def test_columns_of_any_name_stay(spark: SparkSession) -> None:
    rows = spark.range(3).select(F.col("id").alias("a.b"), F.col("id").alias("_0"))
    found = ordered(rows, ["`a.b` DESC"], {})
    assert found.columns == ["a.b", "_0"]
    assert [row[0] for row in found.rdd.collect()] == [2, 1, 0]
