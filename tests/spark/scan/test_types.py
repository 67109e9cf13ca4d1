"""Every type that Spark and Arrow write, in each encoding: read alike, or left to Spark."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyspark
import pytest
from pyspark.sql import SparkSession

from tests.spark.scan.same import assert_refused, assert_same, refused, settings

SPARK_4 = pyspark.__version__ >= "4"
TODAYS = {
    "parquet__datetimeRebaseModeInWrite": "CORRECTED",
    "parquet__int96RebaseModeInWrite": "CORRECTED",
}
"""Days by today's calendar; Spark 3.5 writes none before 1900 unless it is told by which."""
SPLIT = {"version": "2.6", "use_byte_stream_split": ["f32", "f64"], "use_dictionary": False}
"""An encoding that Spark 3.5 does not read."""
SCALARS = """
id, cast(id AS byte) b, cast(id AS short) h, cast(id AS int) i, id % 2 = 0 o,
if(id = 3, float('NaN'), if(id = 4, float('-0.0'), float(id / 7))) f,
if(id = 3, double('NaN'), if(id = 4, -0.0D, if(id = 5, double('-Infinity'), id / 7))) d,
if(id % 5 = 0, NULL, concat(id, 'é\\0')) s, cast(string(id) AS binary) x,
cast(X'C3FF41' AS string) u,
cast(id AS decimal(5, 2)) d5, cast(id * -1000 AS decimal(18, 4)) d18,
if(id % 5 = 1, NULL, cast(id * -1000 AS decimal(38, 10))) d38,
date_add(date'0001-01-01', cast(id * 99999 AS int)) day,
timestamp_micros(id * 100000000001 - 62135596800000000) ts,
if(id = 1, timestamp_ntz'9999-12-31 23:59:59.999', timestamp_ntz'0001-01-01 00:00:00') n
"""
NESTED = """
if(id % 7 = 0, NULL, array(if(id % 3 = 0, NULL, id), 2)) l,
if(id % 4 = 0, array(), array(string(id), NULL)) ls,
array(array(id), if(id % 3 = 0, NULL, array())) ll,
array(if(id % 2 = 0, NULL, struct(id AS a, timestamp_micros(id) AS t)), NULL) lr,
if(id % 6 = 0, NULL, struct(if(id % 3 = 0, NULL, id) AS a, string(id) AS B,
    array(struct(date_add(date'0001-01-01', cast(id AS int)) AS x, id / 3 AS y)) AS c)) r
"""
DECIMALS = [Decimal("1.50"), None, Decimal("-9999999.99")] * 2
ARROW: dict[str, pa.Array] = {
    "i8": pa.array([1, None, -128, 127, 0, 5], pa.int8()),
    "i16": pa.array([1, None, -32768, 4, 5, 6], pa.int16()),
    "i32": pa.array([1, None, -(2**31), 4, 5, 6], pa.int32()),
    "i64": pa.array([1, None, -(2**63), 4, 5, 6], pa.int64()),
    "f32": pa.array([float("nan"), None, -0.0, float("inf"), 1e-45, 6], pa.float32()),
    "f64": pa.array([float("nan"), None, -0.0, float("-inf"), 5e-324, 6], pa.float64()),
    "bool": pa.array([True, None, False] * 2),
    "string": pa.array(["a", None, "", "é", "x\0y", "z" * 40]),
    "large_string": pa.array(["a", None, "", "é", "x", "z"], pa.large_string()),
    "binary": pa.array([b"a", None, b"", b"\xff", b"x", b"z"]),
    "large_binary": pa.array([b"a", None, b"", b"\xff", b"x", b"z"], pa.large_binary()),
    "dictionary": pa.array(["a", None, "a"] * 2).dictionary_encode(),
    "dictionary_of_large": pa.array(["a", None, "a"] * 2, pa.large_string()).dictionary_encode(),
    "dictionary_of_int": pa.array([1, None, 1] * 2).dictionary_encode(),
    "date32": pa.array([-719162, None, 2932896] * 2, pa.int32()).view(pa.date32()),
    "date64": pa.array([0, None, -86_400_000] * 2, pa.int64()).view(pa.date64()),
    "duration": pa.array([1, None, -3] * 2, pa.duration("s")),
    "decimal9": pa.array(DECIMALS, pa.decimal128(9, 2)),
    "decimal18": pa.array(DECIMALS, pa.decimal128(18, 2)),
    "decimal38": pa.array(DECIMALS, pa.decimal128(38, 2)),
    "decimal256": pa.array(DECIMALS, pa.decimal256(38, 2)),
    "list": pa.array([[1, None], None, []] * 2, pa.list_(pa.int64())),
    "list_of_some": pa.array([[1], [2, 3], []] * 2, pa.list_(pa.field("item", pa.int32(), False))),
    "large_list": pa.array([[1, None], None, []] * 2, pa.large_list(pa.int64())),
    "fixed": pa.array([[1, 2], None, [3, None]] * 2, pa.list_(pa.float32(), 2)),
    "list_of_fixed": pa.array([[[1, 2], None], None, []] * 2, pa.list_(pa.list_(pa.int32(), 2))),
    "fixed_of_large": pa.array([["a", "b"], None, ["c", None]] * 2, pa.list_(pa.large_utf8(), 2)),
    "struct": pa.array(
        [{"a": 1, "b": "x"}, None, {"a": None, "b": None}] * 2,
        pa.struct([("b", pa.large_string()), ("a", pa.int32())]),
    ),
    "list_of_struct": pa.array(
        [[{"a": 1, "b": "x"}, None], None, []] * 2,
        pa.list_(pa.struct([("b", pa.dictionary(pa.int8(), pa.string())), ("a", pa.int32())])),
    ),
    "list_of_struct_of_some": pa.array(
        [[{"a": 1}]] * 6, pa.list_(pa.struct([pa.field("a", pa.int32(), False)]))
    ),
    **{
        f"time_{unit}_{zone}": pa.array([-1, None, 1, 0, 10**9, 5], pa.timestamp(unit, zone))
        for unit in ("s", "ms", "us")
        for zone in (None, "UTC", "Europe/Berlin", "+03:00")
    },
    "year1": pa.array([-62135596800000000, None, 5] * 2, pa.timestamp("us", "UTC")),
    "year9999": pa.array([253402300799999999, None, 5] * 2, pa.timestamp("us")),
}
READS_FIXED = int(pa.__version__.partition(".")[0]) >= 26
if not READS_FIXED:
    ARROW = {name: column for name, column in ARROW.items() if "fixed" not in name}
for _new, _values in {"decimal32": DECIMALS, "decimal64": DECIMALS}.items():
    if hasattr(pa, _new):
        ARROW[_new] = pa.array(_values, getattr(pa, _new)(9, 2))
for _new, _values in {"string_view": ["a", None, "b" * 40], "binary_view": [b"a", None]}.items():
    if hasattr(pa, _new) and pa.__version__ >= "18":
        ARROW[_new] = pa.array(_values * (6 // len(_values)), getattr(pa, _new)())


@pytest.mark.parametrize(
    ("timestamps", "options"),
    [
        ("INT96", {"compression": "gzip", "parquet.page.size": "64"}),
        ("INT96", {"parquet.writer.version": "v2", "compression": "zstd"}),
        ("TIMESTAMP_MICROS", {"parquet.enable.dictionary": "false", "compression": "lz4"}),
        ("TIMESTAMP_MICROS", {"parquet.bloom.filter.enabled#s": "true", "compression": "none"}),
        (
            "TIMESTAMP_MILLIS",
            {"parquet.writer.version": "v2", "parquet.enable.dictionary": "false"},
        ),
        ("TIMESTAMP_MILLIS", {"parquet.block.size": "1000"}),
    ],
)
def test_what_spark_writes(
    spark: SparkSession, tmp_path: Path, timestamps: str, options: dict[str, str]
) -> None:
    with settings(spark, parquet__outputTimestampType=timestamps, **TODAYS):
        rows = spark.sql(f"SELECT {SCALARS}, {NESTED}, map(id, id) m FROM range(0, 60, 1, 2)")
        rows.write.options(**options).parquet(str(tmp_path / "t"))
    df = spark.read.parquet(str(tmp_path / "t"))
    with settings(spark, session__timeZone="America/Los_Angeles"):
        assert assert_same({"all": df.drop("m")}) == {"all": 60}
        assert_refused({"map": (df.select("m"), "is of type map<bigint,bigint>")})


def test_what_spark_once_wrote(spark: SparkSession, tmp_path: Path) -> None:
    with settings(spark, parquet__writeLegacyFormat="true", **TODAYS):
        rows = spark.sql(f"SELECT {SCALARS}, {NESTED} FROM range(0, 60, 1, 2)")
        rows.write.parquet(str(tmp_path / "t"))
    df = spark.read.parquet(str(tmp_path / "t"))
    lists = [name for name, kind in df.dtypes if "array" in kind]
    assert_same({"scalars": df.drop(*lists)})
    assert_refused(
        {name: (df.select(name), "lays out the lists of column .* otherwise") for name in lists}
    )


@pytest.mark.parametrize(
    "options",
    [
        {"version": "2.6"},
        {"version": "1.0"},
        {"version": "2.6", "data_page_version": "2.0", "use_dictionary": False},
        {"version": "2.6", "store_schema": False},
        {"version": "2.6", "use_compliant_nested_type": False},
        {"version": "2.6", "row_group_size": 2, "write_page_index": True},
        {"version": "2.6", "store_decimal_as_integer": True},
        *([SPLIT] if SPARK_4 else []),
    ],
    ids=lambda options: ",".join(f"{name}={value}" for name, value in options.items()),
)
def test_what_arrow_writes(spark: SparkSession, tmp_path: Path, options: dict[str, Any]) -> None:
    try:
        pq.write_table(pa.table(ARROW), tmp_path / "t.parquet", **options)
    except TypeError:
        pytest.skip("this pyarrow does not know the option")
    with settings(spark, parquet__datetimeRebaseModeInRead="CORRECTED"):
        assert_same({"all": spark.read.parquet(str(tmp_path / "t.parquet"))})


@pytest.mark.skipif(READS_FIXED, reason="this pyarrow reads all that it writes")
def test_lists_of_a_fixed_size_that_an_older_arrow_does_not_read(
    spark: SparkSession, tmp_path: Path
) -> None:
    lists = pa.array([[1, 2], [3, None]], pa.list_(pa.float32(), 2))
    pq.write_table(pa.table({"x": lists}), tmp_path / "t.parquet")
    refused(spark.read.parquet(str(tmp_path / "t.parquet")), "which this pyarrow may not read")


def test_what_arrow_reads_otherwise_is_left_to_spark(spark: SparkSession, tmp_path: Path) -> None:
    cases: dict[str, tuple[pa.Array, str, str]] = {
        "u8": (pa.array([1], pa.uint8()), "smallint", "INT32 .*isSigned=false"),
        "u16": (pa.array([1], pa.uint16()), "int", "INT32 .*isSigned=false"),
        "u32": (pa.array([2**32 - 1], pa.uint32()), "bigint", "INT32 .*isSigned=false"),
        "u64": (pa.array([2**63], pa.uint64()), "decimal(20,0)", "INT64 .*isSigned=false"),
        "fixed_binary": (pa.array([b"ab"], pa.binary(2)), "binary", "FIXED_LEN_BYTE_ARRAY"),
        "half": (pa.array(np.array([1], "float16")), "float", "FIXED_LEN_BYTE_ARRAY"),
        "millis": (pa.array([1], pa.time32("ms")), "int", "INT32 .Time"),
        "nanos": (pa.array([1], pa.timestamp("ns")), "timestamp_ntz", "nanoseconds"),
        "nanos_as_long": (pa.array([1], pa.timestamp("ns")), "bigint", "nanoseconds"),
        "zoned": (pa.array([1], pa.timestamp("us", "UTC")), "timestamp_ntz", "isAdjustedToUTC=tr"),
        "unzoned": (pa.array([1], pa.timestamp("us")), "timestamp", "isAdjustedToUTC=false"),
        "nothing": (pa.nulls(1), "int", "INT32 .Null"),
        "bytes_of_text": (pa.array(["a"]), "binary", "BYTE_ARRAY .String"),
        "text_of_bytes": (pa.array([b"a"]), "string", "BYTE_ARRAY .None"),
        "days": (pa.array([1], pa.date32()), "int", "INT32 .Date"),
        "scale": (pa.array(DECIMALS, pa.decimal128(9, 2)), "decimal(9,3)", "scale=2"),
        "wider": (pa.array([1], pa.int32()), "bigint", "INT32"),
        "narrower": (pa.array([1], pa.int64()), "int", "INT64"),
        "to_double": (pa.array([1], pa.float32()), "double", "FLOAT"),
        "no_list": (pa.array([[1]]), "bigint", "INT64|lists"),
        "no_struct": (pa.array([{"a": 1}]), "array<bigint>", "struct<a: int64>"),
        "map": (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int32())), "int", "lists|INT32|map"),
        "map_entries": (
            pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int32())),
            "array<struct<key:string,value:int>>",
            "map<string, int32",
        ),
    }
    if hasattr(pa, "json_"):
        texts = pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"]))
        cases["json"] = texts, "string", "BYTE_ARRAY .JSON"
    if hasattr(pa, "uuid"):
        ids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16], pa.binary(16)))
        cases["uuid"] = ids, "binary", "FIXED_LEN_BYTE_ARRAY .UUID"
    frames = {}
    for name, (column, kind, reason) in cases.items():
        path = str(tmp_path / f"{name}.parquet")
        pq.write_table(pa.table({name: column}), path)
        frames[name] = spark.read.schema(f"{name} {kind}").parquet(path), reason
    assert_refused(frames)


def test_types_that_no_worker_reads(spark: SparkSession, tmp_path: Path) -> None:
    kinds = {
        "interval": "INTERVAL '1' DAY",
        "months": "INTERVAL '1' MONTH",
        "map": "map(1, 2)",
        "in_list": "array(map(1, 2))",
        "in_struct": "struct(map(1, 2) AS m)",
    }
    if SPARK_4:
        kinds |= {"variant": "parse_json('1')", "collated": "'a' COLLATE UTF8_LCASE"}
    columns = ", ".join(f"{value} AS {name}" for name, value in kinds.items())
    spark.sql(f"SELECT 1 AS plain, {columns}").write.parquet(str(tmp_path / "t"))
    df = spark.read.parquet(str(tmp_path / "t"))
    assert_refused({n: (df.select(n), "a column is of type|Spark computes v") for n in kinds})
    assert assert_same({"beside": df.select("plain")}) == {"beside": 1}
