"""Two rows have the same hash where all values are the same, and nowhere else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from spark_infer.warehouse.ledger.content import content_hash

PAIR = "STRUCT<x: STRING, y: STRING>"
DIFFERENT = [
    ("DOUBLE", "NULL; 0; 1; -1; DOUBLE('NaN'); DOUBLE('Infinity'); 1e-300"),
    ("FLOAT", "NULL; 0; 1; FLOAT('NaN'); FLOAT('-Infinity')"),
    ("BIGINT", "NULL; 0; 1; 42"),
    ("BOOLEAN", "NULL; true; false"),
    ("DECIMAL(9, 2)", "NULL; 0; 1.5; 1.51; 15"),
    ("STRING", "NULL; ''; ' '; 'a'; 'A'; 'a '; 'null'; '1'"),
    ("BINARY", "NULL; X''; X'00'; X'0000'"),
    ("TIMESTAMP", "NULL; TIMESTAMP'2018-08-08 00:00:00Z'; TIMESTAMP'2018-08-08 00:00:01Z'"),
    ("DATE", "NULL; DATE'2018-08-08'; DATE'1970-01-01'"),
    (
        "ARRAY<DOUBLE>",
        "NULL; array(); array(NULL); array(NULL, NULL); array(0); array(0, 0); array(NULL, 1); "
        "array(1, NULL); array(1); array(1, 2); array(2, 1)",
    ),
    (
        "ARRAY<STRING>",
        "NULL; array(); array(''); array('a', 'b'); array('ab'); array('', 'ab'); "
        "array('a', NULL, 'b'); array('a', 'b', NULL)",
    ),
    (
        "ARRAY<ARRAY<INT>>",
        "NULL; array(); array(NULL); array(array()); array(array(1), array(2, 3)); "
        "array(array(1, 2), array(3)); array(array(1, 2, 3)); array(array(1, 2, 3), NULL)",
    ),
    (
        f"ARRAY<{PAIR}>",
        "NULL; array(); array(NULL); array(struct('a', NULL)); array(struct(NULL, 'a')); "
        "array(struct('a', 'b')); array(struct('a', NULL), struct(NULL, 'b'))",
    ),
    (PAIR, "NULL; struct(NULL, NULL); struct('a', NULL); struct(NULL, 'a')"),
    (
        "MAP<STRING, ARRAY<INT>>",
        "NULL; map(); map('a', NULL); map('a', array()); map('a', array(1))",
    ),
]


def hashes(spark: SparkSession, kinds: list[str], rows: list[list[str]]) -> list[str]:
    texts = " UNION ALL ".join(
        f"SELECT {number} AS n, "
        + ", ".join(
            f"CAST({value} AS {kind}) AS c{at}"
            for at, (kind, value) in enumerate(zip(kinds, row, strict=True))
        )
        for number, row in enumerate(rows)
    )
    df = spark.sql(texts)
    columns = [(F.col(f"c{at}"), df.schema[f"c{at}"].dataType) for at in range(len(kinds))]
    found = df.select("n", content_hash(columns).alias("hash")).orderBy("n").collect()
    return [row["hash"] for row in found]


def hashes_of_columns(spark: SparkSession, columns: str) -> list[str]:
    """Return the hash of each of some columns alone."""
    df = spark.sql(f"SELECT {columns}")
    alone = (content_hash([(F.col(f.name), f.dataType)]).alias(f.name) for f in df.schema)
    return list(df.select(*alone).first() or ())


@pytest.mark.nightly_after(8)
@pytest.mark.parametrize(("kind", "texts"), DIFFERENT)
def test_different_values_have_different_hashes(spark: SparkSession, kind: str, texts: str) -> None:
    values = texts.split("; ")
    found = hashes(spark, [kind], [[value] for value in values])
    assert None not in found
    assert len(set(found)) == len(values)
    pairs = list(itertools.product(values[:5], repeat=2))
    found = hashes(spark, [kind, kind], [[*pair] for pair in pairs])
    assert len(set(found)) == len(pairs)


def test_the_same_digits_of_another_unit_are_another_value(spark: SparkSession) -> None:
    units = [
        ("BIGINT", "12345L"),
        ("DECIMAL(9, 2)", "123.45"),
        ("DECIMAL(9, 3)", "12.345"),
        ("DECIMAL(30, 2)", "123.45"),
        ("DECIMAL(30, 3)", "12.345"),
        ("TIMESTAMP", "timestamp_micros(12345)"),
    ]
    for pattern in ("{}", "array({})", "struct({} AS a)", "array(struct({} AS a))"):
        columns = ", ".join(
            f"{pattern.format(f'CAST({value} AS {kind})')} AS c{at}"
            for at, (kind, value) in enumerate(units)
        )
        assert len(set(hashes_of_columns(spark, columns))) == len(units), pattern


def test_the_same_value_of_a_wider_type_is_no_other(spark: SparkSession) -> None:
    pairs = [
        ("CAST(1.5 AS DECIMAL(9, 2))", "CAST(1.5 AS DECIMAL(18, 2))"),
        ("CAST(15 AS DECIMAL(9, 0))", "15L"),
        ("TIMESTAMP'2018-08-08 00:00:00Z'", "TIMESTAMP_NTZ'2018-08-08 00:00:00'"),
        ("array(struct(1 AS a, 2 AS b))", "array(struct(2 AS b, 1 AS a))"),
    ]
    for one, other in pairs:
        assert len(set(hashes_of_columns(spark, f"{one} AS c0, {other} AS c1"))) == 1, one


def test_fields_are_told_apart_by_their_names(spark: SparkSession) -> None:
    columns = "struct(1 AS a, 2 AS b) AS c0, struct(1 AS b, 2 AS a) AS c1"
    assert len(set(hashes_of_columns(spark, columns))) == 2


def test_values_that_tell_their_own_type(spark: SparkSession) -> None:
    if not hasattr(F, "parse_json"):
        pytest.skip("Spark 3.5 has no variants")
    values = ["1", '"1"', "1.5", '{"a": 1}', '{"a": null}', "null"]
    texts = [f"parse_json('{value}')" for value in values]
    for pattern in ("{}", "array({})", "struct({} AS a)"):
        columns = [*map(pattern.format, texts), pattern.format("CAST(NULL AS VARIANT)")]
        found = hashes_of_columns(
            spark, ", ".join(f"{column} AS c{at}" for at, column in enumerate(columns))
        )
        assert len(set(found)) == len(columns), pattern


def test_values_that_sql_takes_for_the_same_have_the_same(spark: SparkSession) -> None:
    zero, minus, nan, other = hashes(
        spark,
        ["DOUBLE"],
        [["0D"], ["-0D"], ["DOUBLE('NaN')"], ["DOUBLE('Infinity') - DOUBLE('Infinity')"]],
    )
    assert zero == minus
    assert nan == other


@pytest.mark.parametrize(
    "settings",
    [
        {"spark.sql.session.timeZone": "Asia/Tokyo"},
        {"spark.sql.ansi.enabled": "false", "spark.sql.legacy.sizeOfNull": "true"},
        {"spark.sql.codegen.wholeStage": "false"},
        {"spark.sql.shuffle.partitions": "7"},
    ],
)
def test_no_setting_of_the_session_counts(spark: SparkSession, settings: dict[str, str]) -> None:
    kinds = ["TIMESTAMP", "ARRAY<DOUBLE>", "ARRAY<ARRAY<INT>>", "STRING"]
    rows = [
        ["TIMESTAMP'2018-08-08 00:00:00Z'", "array(1, NULL)", "NULL", "'a'"],
        ["NULL", "NULL", "array(array(1), NULL)", "NULL"],
    ]
    wanted = hashes(spark, kinds, rows)
    other = spark.newSession()
    for name, value in settings.items():
        other.conf.set(name, value)
    assert hashes(other, kinds, rows) == wanted


def test_the_hash_is_one_that_later_versions_find_again(spark: SparkSession) -> None:
    assert hashes(spark, ["DOUBLE", "STRING"], [["1.5", "'a'"]]) == [KNOWN]


def test_words_that_a_collation_takes_for_the_same_are_others(spark: SparkSession) -> None:
    if not hasattr(F, "collate"):
        pytest.skip("Spark 3.5 has no collations")
    kind: Any = "STRING COLLATE UTF8_LCASE"
    assert len(set(hashes(spark, [kind], [["'a'"], ["'A'"]]))) == 2
    lists = [["array('a')"], ["array('A')"]]
    assert len(set(hashes(spark, [f"ARRAY<{kind}>"], lists))) == 2


KNOWN = "1:1C3E0806DE881A11:E7629C7A6FCD03F6"
