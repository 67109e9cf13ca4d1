"""Columns that files lack, have in another order or type, or under names that need care."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from tests.spark.scan.same import assert_refused, assert_same, settings

LISTS = (
    pa.list_(pa.field("item", pa.int32(), nullable=False)),
    pa.list_(pa.field("element", pa.int32())),
    pa.large_list(pa.int32()),
)
TEXTS = (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()))


def write(folder: Path, *tables: dict[str, Any]) -> str:
    folder.mkdir()
    for number, columns in enumerate(tables):
        pq.write_table(pa.table(columns), folder / f"{number}.parquet")
    return str(folder)


def test_files_of_different_schemas(spark: SparkSession, tmp_path: Path) -> None:
    path = write(
        tmp_path / "t",
        {"a": [1, 2], "b": ["x", "y"], "s": [{"p": 1, "q": 2}] * 2},
        {"b": ["z"], "c": [1.5], "a": [3]},
        {"z": [1.5]},
        {"s": pa.array([{"q": 3, "p": None}], pa.struct({"q": pa.int64(), "p": pa.int64()}))},
    )
    read = spark.read
    given = "c double, none int, lists array<struct<a: int>>, B string, a bigint, z double"
    assert assert_same(
        {
            "one": read.parquet(path).select("a", "b"),
            "merged": read.option("mergeSchema", "true").parquet(path),
            "given": read.schema(given).parquet(path),
            "nothing of it": read.schema("other array<int>, more date").parquet(path),
            "filtered": read.schema(given).parquet(path).filter("a > 1 AND c IS NULL"),
            "missing": read.schema(given).parquet(path).filter("none > 1"),
            "missing, null": read.schema(given).parquet(path).filter("none IS NULL").select("a"),
        }
    ) == {
        **dict.fromkeys(["one", "merged", "given", "nothing of it", "missing, null"], 5),
        "filtered": 1,
        "missing": 0,
    }
    assert_refused(
        {
            "wider": (read.schema("a double").parquet(path), "'a' is double in Spark and INT64"),
            "narrower": (read.schema("b string, a int").parquet(path), "'a' is int in Spark"),
            "one of the files": (read.schema("z float").parquet(path), "'z' is float .*/2.parquet"),
            "more fields": (read.schema("s struct<p: bigint, r: int>").parquet(path), "column 's'"),
        }
    )


def test_one_task_reads_files_whose_nested_types_differ(
    spark: SparkSession, tmp_path: Path
) -> None:
    numbers = range(9)
    tables = [
        {
            "l": pa.array([[number], []], LISTS[number % 3]),
            "ll": pa.array([[[number]], []], pa.list_(LISTS[number % 3])),
            "s": pa.array(["a", "b"], TEXTS[number % 3]),
            "st": pa.array([{"x": [number], "y": 1}] * 2, pa.struct({"x": LISTS[number % 3]})),
        }
        for number in numbers
    ]
    df = spark.read.parquet(write(tmp_path / "t", *tables))
    assert assert_same({"all": df}) == {"all": 18}


def test_fields_of_structs(spark: SparkSession, tmp_path: Path) -> None:
    path = write(tmp_path / "t", {"s": pa.array([{"A": 2, "b": 1, "m": {"x": 1}}, None])})
    cases = {
        "fewer": ("b: bigint", None),
        "reordered": ("b: bigint, A: bigint", None),
        "nested": ("m: struct<x: bigint>", None),
        "of another case": ("a: bigint", "column 's' is"),
        "more": ("b: bigint, q: int", "column 's' is"),
        "more, nested": ("m: struct<x: bigint, y: int>", "column 's.m' is"),
        "wider": ("b: double", "column 's.b' is double in Spark and INT64"),
    }
    frames = {
        name: (spark.read.schema(f"s struct<{fields}>").parquet(path), reason)
        for name, (fields, reason) in cases.items()
    }
    assert_same({name: df for name, (df, reason) in frames.items() if reason is None})
    assert_refused({name: (df, reason) for name, (df, reason) in frames.items() if reason})


def test_names_that_differ_by_case(spark: SparkSession, tmp_path: Path) -> None:
    both = write(tmp_path / "both", {"a": [1, 2], "A": ["x", "y"], "c": [1, 2]})
    nested = write(tmp_path / "nested", {"s": [{"a": 1, "A": 2}]})
    upper = write(tmp_path / "upper", {"A": [1, 2], "É": [3, 4]})
    read = spark.read
    assert_same(
        {
            "beside": read.schema("c bigint").parquet(both),
            "other case": read.schema("a bigint, `é` bigint").parquet(upper),
            "filtered": read.parquet(upper).filter("a > 1").select("é"),
        }
    )
    assert_refused(
        {
            "ambiguous": (read.schema("a bigint").parquet(both), "several columns of the name 'a'"),
            "nested": (read.schema("s struct<a: bigint>").parquet(nested), "column 's' is struct"),
        }
    )
    with settings(spark, caseSensitive="true"):
        assert_same(
            {
                "both": read.parquet(both),
                "one": read.schema("A string").parquet(both),
                "none": read.schema("a bigint, A bigint").parquet(upper),
            }
        )


def test_names_that_need_quotes(spark: SparkSession, tmp_path: Path) -> None:
    path = write(
        tmp_path / "t",
        {
            "a": [{"b": 1, "c.d": 2}, {"b": 3, "c.d": 4}],
            "a.b": [5, 6],
            "a.b.c": [7, 8],
            "x y": [1, 2],
            "b`t": [9, 2],
            "ü日本": [1, 3],
            'q"q': [1, 4],
            "İ": [3, 4],
            "l": [[{"a.b": 1}], []],
            "0": ["a", "b"],
            "list.element": [[1], [2]],
        },
    )
    df = spark.read.parquet(path)
    each = {
        name: df.select(f"`{name.replace('`', '``')}`").filter(f"`{name.replace('`', '``')}` > 1")
        for name in ("a.b", "a.b.c", "x y", "b`t", "ü日本", 'q"q', "İ")
    }
    counts = assert_same({**each, "all": df, "two": df.select("`a.b`", "a")})
    assert counts["x y"] == 1
    assert_refused({"field": (df.select("a.b"), r"Spark computes a\.b")})


def test_the_column_that_spark_fills_with_numbers_of_rows(
    spark: SparkSession, tmp_path: Path
) -> None:
    name = "_tmp_metadata_row_index"
    path = write(tmp_path / "t", {"a": [1, 2], name: [7, 8]})
    schema = f"a bigint, {name} bigint"
    df = spark.read.schema(schema).parquet(path)
    assert assert_same({"beside": df.select("a")}) == {"beside": 2}
    assert_refused(
        {
            "stored": (df, "Spark numbers the rows"),
            "compared": (df.filter(f"{name} > 1").select("a"), "Spark numbers the rows"),
            "missing": (
                spark.read.schema(schema).parquet(write(tmp_path / "u", {"a": [1]})),
                "Spark numbers the rows",
            ),
        }
    )
