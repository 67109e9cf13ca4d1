"""Parquet and ORC files whose types are not those that Spark takes them for."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.orc as po
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from pyspark.sql import SparkSession

import spark_infer as si
from spark_infer.errors import WarehouseError
from spark_infer.spark.stored import check_stored_types

pytestmark = pytest.mark.one_spark

# As Spark writes decimals; what is compared are the types, whichever way they are stored.
AS_INTEGER: Any = (
    {"store_decimal_as_integer": True} if int(pa.__version__.partition(".")[0]) >= 18 else {}
)
PRICE = pa.array([Decimal("123.45")], pa.decimal128(9, 2))
PRICES = pa.array([[Decimal("123.45")]], pa.list_(pa.decimal128(9, 2)))
BYTE = pa.array([200], pa.uint8())
WORD = pa.array([3_000_000_000], pa.uint32())
INT = pa.array([20180808], pa.int32())
LONG = pa.array([2**40], pa.int64())
DAY = pa.array([dt.date(2018, 8, 8)])
TIME = pa.array([dt.datetime(2018, 8, 8, 1)], pa.timestamp("us", "UTC"))
NANO = pa.array([dt.datetime(2018, 8, 8, 1)], pa.timestamp("ns"))
STRUCT = pa.array([{"x": {"p": Decimal("1.25")}}])
MAP = pa.array([[("k", 200)]], pa.map_(pa.string(), pa.int32()))


def write(folder: Path, values: pa.Array, form: str, name: str = "x") -> str:
    folder.mkdir(exist_ok=True)
    table = pa.table({"id": pa.array(range(len(values)), pa.int64()), "a": values})
    if form == "orc":
        po.write_table(table, folder / f"{name}.orc")
    else:
        pq.write_table(table, folder / f"{name}.parquet", **AS_INTEGER)
    return str(folder)


@pytest.mark.parametrize(
    ("form", "values", "declared"),
    [
        ("parquet", PRICE, "DOUBLE"),
        ("parquet", PRICE, "INT"),
        ("parquet", PRICE, "BIGINT"),
        ("parquet", PRICES, "ARRAY<DOUBLE>"),
        ("parquet", STRUCT, "STRUCT<x: STRUCT<p: INT>>"),
        ("parquet", MAP, "MAP<STRING, TINYINT>"),
        ("parquet", BYTE, "TINYINT"),
        ("parquet", INT, "SMALLINT"),
        ("parquet", INT, "DATE"),
        ("parquet", WORD, "INT"),
        ("parquet", WORD, "DOUBLE"),
        ("parquet", DAY, "INT"),
        ("parquet", TIME, "BIGINT"),
        ("orc", pa.array(["x"]), "DOUBLE"),
        ("orc", pa.array([1.5]), "INT"),
        ("orc", pa.array([1e40]), "FLOAT"),
        ("orc", LONG, "INT"),
        ("orc", LONG, "DOUBLE"),
        ("orc", LONG, "TIMESTAMP"),
        ("orc", PRICE, "DECIMAL(3,1)"),
        ("orc", PRICE, "DECIMAL(9,1)"),
        ("orc", pa.array([b"ab"]), "STRING"),
        ("orc", NANO, "BIGINT"),
        ("orc", NANO, "DATE"),
        ("orc", pa.array([True]), "INT"),
        ("orc", pa.array([[1.5]]), "ARRAY<INT>"),
        ("orc", pa.array([1.5]), "INTERVAL DAY TO SECOND"),
        ("orc", pa.array(["12"]), "INTERVAL DAY"),
        ("orc", INT, "INTERVAL HOUR"),
        ("orc", LONG, "INTERVAL YEAR"),
        ("orc", NANO, "INTERVAL DAY TO SECOND"),
        ("orc", pa.array([True]), "INTERVAL MONTH"),
        ("orc", pa.array([{"x": 1.5}]), "STRUCT<x: INTERVAL SECOND>"),
        ("parquet", DAY, "INTERVAL YEAR TO MONTH"),
        ("parquet", PRICE, "INTERVAL MONTH"),
    ],
)
def test_a_type_that_does_not_hold_the_values_is_refused(
    spark: SparkSession, tmp_path: Path, form: str, values: pa.Array, declared: str
) -> None:
    path = write(tmp_path / "f", values, form)
    df = spark.read.format(form).schema(f"id BIGINT, a {declared}").load(path)
    with pytest.raises(WarehouseError, match=r"file \S+/x\.\w+ holds column 'a\S*' as .* read as"):
        check_stored_types(df)
    check_stored_types(df.select("id"))


@pytest.mark.parametrize(
    ("form", "values", "declared", "expected"),
    [
        ("parquet", PRICE, "DECIMAL(9,2)", Decimal("123.45")),
        ("parquet", PRICE, "DECIMAL(20,2)", Decimal("123.45")),
        ("parquet", PRICES, "ARRAY<DECIMAL(12,2)>", [Decimal("123.45")]),
        ("parquet", BYTE, "SMALLINT", 200),
        ("parquet", WORD, "BIGINT", 3_000_000_000),
        ("parquet", pa.array([2**63 + 5], pa.uint64()), "DECIMAL(20,0)", Decimal(2**63 + 5)),
        ("parquet", INT, "BIGINT", 20180808),
        ("parquet", INT, "DOUBLE", 20180808.0),
        ("parquet", pa.array([1.5], pa.float32()), "DOUBLE", 1.5),
        ("parquet", pa.array([b"ab"]), "STRING", "ab"),
        ("parquet", pa.array(["ab"]).dictionary_encode(), "STRING", "ab"),
        ("parquet", pa.array(["ab"]), "BINARY", b"ab"),
        ("parquet", DAY, "TIMESTAMP_NTZ", dt.datetime(2018, 8, 8)),
        ("parquet", pa.nulls(1), "DOUBLE", None),
        ("orc", INT, "BIGINT", 20180808),
        ("orc", INT, "DOUBLE", 20180808.0),
        ("orc", LONG, "DECIMAL(20,0)", Decimal(2**40)),
        ("orc", PRICE, "DECIMAL(22,4)", Decimal("123.4500")),
        ("orc", pa.array([{"x": 1}]), "STRUCT<x: BIGINT>", (1,)),
    ],
)
def test_a_wider_type_is_read(
    spark: SparkSession,
    tmp_path: Path,
    form: str,
    values: pa.Array,
    declared: str,
    expected: object,
) -> None:
    path = write(tmp_path / "f", values, form)
    df = spark.read.format(form).schema(f"id BIGINT, a {declared}").load(path)
    check_stored_types(df)
    if spark.version >= "4":  # Older ones widen less, and say so.
        assert [row.a for row in df.collect()] == [expected]


def test_what_spark_writes_is_read(spark: SparkSession, tmp_path: Path) -> None:
    rows = spark.sql(
        "SELECT true b, 1Y i1, 1S i2, 1 i4, 1L i8, 1F f, 1D d, 1.5BD p, 'x' s, X'00' y, "
        "DATE'2018-08-08' day, TIMESTAMP'2018-08-08 01:00:00' t, "
        "TIMESTAMP_NTZ'2018-08-08 01:00:00' n, INTERVAL '1' MONTH m, INTERVAL '1' DAY e, "
        "array(named_struct('x', 1Y)) l, map('k', 1.5BD) k"
    )
    for form in ("parquet", "orc"):
        path = str(tmp_path / form)
        rows.write.format(form).save(path)
        check_stored_types(spark.read.format(form).load(path))


def test_files_are_found_wherever_they_are_read(spark: SparkSession, tmp_path: Path) -> None:
    path = write(tmp_path / "f", PRICE, "parquet")
    wrong = spark.read.schema("id BIGINT, a DOUBLE").parquet(path)
    right = spark.range(3)
    wrong.createOrReplaceTempView("wrong_types")
    for df in (
        wrong.where("a > 1").select("id"),
        right.join(wrong, "id").groupBy("id").max("a"),
        right.select("id").union(wrong.selectExpr("cast(a as bigint)")),
        spark.sql("SELECT id FROM range(3) WHERE id < (SELECT max(a) FROM wrong_types)"),
    ):
        with pytest.raises(WarehouseError, match=r"column 'a' as decimal128\(9, 2\)"):
            check_stored_types(df)
    spark.catalog.dropTempView("wrong_types")


def test_orc_files_without_names_are_compared_by_position(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = pa.table({"_col0": pa.array([1]), "_col1": pa.array(["x"])})
    po.write_table(table, tmp_path / "x.orc")
    df = spark.read.schema("id BIGINT, a DOUBLE").orc(str(tmp_path))
    with pytest.raises(WarehouseError, match="'a' as string, which is read as DOUBLE"):
        check_stored_types(df)


@pytest.fixture
def model(tmp_path: Path) -> si.Bundle:
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("score")]
    )
    return si.save_bundle(tmp_path / "model", model, signature=signature)


@pytest.mark.parametrize("scan", ["auto", "jvm"])
def test_a_job_refuses_files_of_another_type(
    spark: SparkSession, tmp_path: Path, model: si.Bundle, scan: str
) -> None:
    path = write(tmp_path / "f", pa.array([1.5]), "parquet", "x")
    write(tmp_path / "f", PRICE, "parquet", "y")
    spark.sql(f"CREATE TABLE stored_s (id BIGINT, a DOUBLE) USING parquet LOCATION '{path}'")
    for source in ({"table": "stored_s"}, {"path": path}):
        job = {
            "name": "types",
            "source": {**source, "scan": scan},
            "key": ["id"],
            "bundle": {"path": str(model.path)},
            "target": {"table": "stored_t", "mode": "append"},
            "report": {"path": str(tmp_path / "reports")},
        }
        (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
        with pytest.raises(WarehouseError, match=r"y.parquet holds column 'a' as decimal128"):
            si.ScoringJob.load(tmp_path / "job.yaml").run(spark)
    assert not spark.catalog.tableExists("stored_t")
    spark.sql("DROP TABLE stored_s")
