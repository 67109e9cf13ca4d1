"""Conditions: comparisons with values are the workers', anything else is Spark's."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from pathlib import Path
from typing import Any

import pyspark
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tests.spark.scan.same import assert_refused, assert_same, read_direct, settings

ROWS = """
SELECT if(id % 5 = 0, NULL, cast(id AS int)) i, if(id % 5 = 1, NULL, id) l, cast(id AS byte) b,
cast(id AS short) h, if(id % 7 = 0, NULL, string(id)) s,
if(id % 5 = 2, NULL, date_add(date'2020-01-01', cast(id AS int))) d,
timestamp_micros(id * 3600000000) t, timestamp_ntz'2020-01-01' n,
if(id % 3 = 0, NULL, id % 2 = 0) o,
if(id = 3, double('NaN'), if(id = 4, -0.0D, double(id))) f, cast(id AS decimal(9, 2)) c,
if(id % 4 = 1, NULL, array(id)) a, if(id % 4 = 0, NULL, struct(if(id % 2 = 0, NULL, id) AS x)) st,
cast(string(id) AS binary) bi, cast(id % 3 AS int) p, string(id % 2) q FROM range(0, 30, 1, 1)
"""
DIRECT = """
i = 5; i < 5; i <= 5; i > 5; i >= 5; 5 = i; 5 < i; i <=> NULL; i IN (1, 2, NULL); i IS NULL
i IS NOT NULL; i BETWEEN 3 AND 9; i < '7'; i = 7.0; i < 7.5; i < 10000000000; i > -10000000000
i = cast(3 AS bigint); i > 3 AND i > 5; i = 3 AND i = 3.0; isnull(i); isnotnull(i); i > 3 AND true
l = 6; l < 5.5; l >= '7'; l < cast(6 AS int); l IN (1, 2, 3); l BETWEEN -1 AND 3; b = 3; b < 200
b >= 3; h < 7; h < 100000; s = '5'; s < '2'; s >= '2'; s IN ('1', '11'); s LIKE '1'; s = ''
s BETWEEN '1' AND '2'; s > 'é'; d = date'2020-01-05'; d < '2020-01-05'
d IN (date'2020-01-05', date'2020-01-06')
d BETWEEN '2020-01-02' AND '2020-01-04'; d > date'0001-01-01'; d < date'9999-12-31'
t = timestamp'1970-01-01 03:00:00'; t < '1970-01-01 03:00:00'; t < date'1970-01-02'
t > timestamp'0001-01-01 00:00:00'; t BETWEEN '1970-01-01' AND '1970-01-01 05:00:00'
n = timestamp_ntz'2020-01-01 00:00:00'; n < timestamp_ntz'2020-01-01 00:00:01'
o < true; o > false; o IS NULL; f IS NULL; a IS NULL; a IS NOT NULL; st IS NULL; st IS NOT NULL
st IS NULL AND i > 3; i > 3 AND s < '5' AND d > '2020-01-03' AND l < 20; s IS NULL AND i = 7
p = 1; p < 2; p IN (0, 2); p = 1 AND i > 3; p != 1; p IS NULL; p + 1 = 2; p = '1'; p = 1.0; q = '1'
q = 1; q LIKE '1%'; p = 1 AND q = '0' AND s > '2'; p >= q; concat(p, q) = '11'; NOT p = 1; p <=> 1
p NOT IN (0, 1); p BETWEEN 1 AND 2; cast(p AS string) = '1'; p = 0 OR q = '1'; 1 = 1
"""
MORE = "is more than comparisons of columns with values"
OTHER = "compares values of type"
EMPTY = "Spark's plan has LocalTableScan"
REFUSED = {
    MORE: """
i <=> 5; i != 5; i NOT IN (1, 2); i = 3 OR i = 4; i = 3 OR s = '4'; NOT i = 3
NOT (i > 3 AND s < '5'); i = l; i IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12); i % 2 = 0; abs(i) = 3
-i = -3; s LIKE '1%'; s = 5; s < 5; s != '5'; s <=> '5'; startswith(s, '1'); length(s) = 1
s RLIKE '1'; upper(s) = '5'; year(d) = 2020; o; NOT o; o = true; o != true; o AND i > 3; isnan(f)
size(a) = 1; a[0] = 3; st.x = 3; st.x IS NULL; array_contains(a, 3L); p = 1 OR i = 4; p = i
i > (SELECT max(id) FROM range(3)); input_file_name() LIKE '%x'; monotonically_increasing_id() > 5
coalesce(i, 3) = 3; if(i = 3, true, false); rand() < 0.5; p = 1 AND rand() < 0.5
""",
    OTHER: """
f = 3; f < 5; f = 0; f = -0.0D; f = double('NaN'); f IN (1, 2); c = 3; c < 5.5; bi = X'35'
""",
    EMPTY: "i = NULL; i NOT IN (1, NULL); 1 = 0; i > 3 AND 1 = 0",
    "Spark's plan has .*Join": "i IN (SELECT id FROM range(3)); p IN (SELECT id FROM range(2))",
    "Spark's plan has Project": "_metadata.file_size > 0; _metadata.file_name LIKE 'p%'",
    "the time or the user": "d < current_date(); t < now(); s = current_user(); p < year(now())",
}


def listed(text: str) -> list[str]:
    return [test.strip() for line in text.strip().splitlines() for test in line.split(";")]


@pytest.fixture(scope="module")
def rows(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    path = str(tmp_path_factory.mktemp("filters") / "t")
    spark.sql(ROWS).write.partitionBy("p", "q").parquet(path)
    return spark.read.parquet(path)


def assert_met(rows: DataFrame, column: str, tests: list[str]) -> dict[str, int]:
    """Assert that the workers find the rows that meet each condition; return how many.

    Spark computes all of the conditions in one query.
    """
    found: dict[str, Counter[Any]] = {test: Counter() for test in tests}
    read = [read_direct(rows.filter(test).select(column)) for test in tests]
    sides = (df.select(F.lit(test), "0") for test, df in zip(tests, read, strict=True))
    with settings(rows.sparkSession, codegen__wholeStage="false"):
        for test, value in reduce(DataFrame.union, sides).collect():
            found[test][value] += 1
        truth = rows.select(column, *(F.expr(test) for test in tests)).collect()
    wanted = {
        test: Counter(row[0] for row in truth if row[place])
        for place, test in enumerate(tests, start=1)
    }
    assert found == wanted
    return {test: counts.total() for test, counts in found.items()}


def test_comparisons_with_values(rows: DataFrame) -> None:
    counts = assert_met(rows, "l", listed(DIRECT))
    assert counts["i = 5"] == 0
    assert counts["i > 5"] == 20
    assert counts["p = 1 AND i > 3"] == 7
    assert counts["s IN ('1', '11')"] == 2


@pytest.mark.parametrize("reason", REFUSED)
def test_other_conditions(rows: DataFrame, reason: str) -> None:
    assert_refused({test: (rows.filter(test), reason) for test in listed(REFUSED[reason])})


def test_conditions_on_renamed_and_unread_columns(rows: DataFrame) -> None:
    swapped = rows.selectExpr("i AS l", "l AS i", "p AS q", "q AS p")
    assert_same(
        {
            "renamed": rows.withColumnRenamed("i", "z").filter("z > 3").select("z", "s"),
            "swapped": swapped.filter("i > 3 AND p = '1'"),
            "before": rows.filter("i > 3").selectExpr("l AS i"),
            "twice": rows.filter("i > 3").select("l", "i").filter("l < 20").select("l", "l"),
            "alias": rows.alias("x").filter("x.i > 3").select("x.i", "x.p"),
            "column": rows.filter((F.col("i") > 3) & F.col("s").isin("7", "8")).select("a", "st"),
            "constant": rows.filter("s > '3'").selectExpr("1 AS one", "p"),
        }
    )


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Kathmandu"])
def test_times_in_the_zone_of_the_session(spark: SparkSession, rows: DataFrame, zone: str) -> None:
    tests = ["t < '1970-01-01 03:00:00'", "t < date'1970-01-02'", "d > '2020-01-05'"]
    # Spark 3.5 casts the column, and not the value.
    tests += ["d > timestamp'2020-01-05 01:00:00'"] if pyspark.__version__ >= "4" else []
    with settings(spark, session__timeZone=zone):
        again = spark.read.parquet(rows.inputFiles()[0].partition("/p=")[0])
        assert_same({test: again.filter(test).select("t", "d") for test in tests})


def test_texts_are_ordered_as_spark_does(spark: SparkSession, tmp_path: Path) -> None:
    texts = ["", " ", "A", "a", "Z", "aa", "é", "z", "\U0001f600", "\uffff", "\0", "a\0"]
    path = str(tmp_path / "t")
    rows = spark.createDataFrame(list(enumerate(texts)), "id int, s string")
    rows.coalesce(1).write.parquet(path)
    tests = [f"s > cast(unhex('{text.encode().hex()}') AS string)" for text in texts]
    assert_met(spark.read.parquet(path), "id", tests)
